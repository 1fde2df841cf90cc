"""The adapter's migrations."""
