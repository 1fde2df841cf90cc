"""Migrations of the data half."""
