"""The commerce core. It imports nothing else of the house and outlives all of it.

app = build_core(CoreSettings())          # new_core.app: an ASGI application with /v1
await upgrade(settings.database)           # new_core.storage: its tables, made or mended
"""
