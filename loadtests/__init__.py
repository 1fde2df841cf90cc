"""Shoppers. They know HTTP and nothing of the house."""
