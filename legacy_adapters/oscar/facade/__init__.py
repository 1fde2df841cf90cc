"""Oscar's API on the core's services."""
