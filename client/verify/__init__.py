"""Verifies a run: counts its messages in the topics, and compares the result with the API.

counting  what topics hold of runs; pure
reading   the topics, from their beginning
judging   where topics and API differ; pure
command   `python -m client verify RUN`
report    what it prints
"""
