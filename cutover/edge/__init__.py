"""Runs the other processes of the house and talks to them."""
