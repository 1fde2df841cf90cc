"""The core's HTTP interface, /v1: OpenAPI is its contract."""
