"""The adapter for django-oscar: its catalogue API on the core, and its rows into the core."""
