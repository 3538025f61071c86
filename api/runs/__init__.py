"""The runs that the API knows: the record of each run, and the way of a new run to its service."""
