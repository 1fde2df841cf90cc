"""Translators: each legacy store's own API on the core, and its data into the core."""
