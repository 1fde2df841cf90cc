"""The demo: a real store, the whole platform, and a migration told step by step."""
