"""The runs that the API knows: the record of each run, and how a new run gets to its service."""
