"""What the core does: load, ask the domain, save. Each use case runs in the caller's
unit of work, so that several of them see one state of the shop.
"""
