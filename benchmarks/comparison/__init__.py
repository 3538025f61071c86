"""Compares this checkout with another commit of the repository. They take turns on the same brokers."""
