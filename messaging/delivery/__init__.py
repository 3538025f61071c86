"""Decides when work is done and may be committed: at least once, or exactly once."""
