"""Measures this checkout against another commit of the same repository, by turns on the same brokers."""
