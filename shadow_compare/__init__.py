"""Proves: two stores' answers compared, and parity with stated confidence."""
