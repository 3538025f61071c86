"""Shows what three designs do with messages while their services are killed: `make demo`."""
