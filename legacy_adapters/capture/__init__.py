"""Readers of databases' logs of changes."""
