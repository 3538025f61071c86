"""The runs that the API knows: what is on record of each, and how a new one gets to its service."""
