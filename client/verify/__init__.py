"""Verifies a run: counts its messages in the topics themselves, and compares that with what the API says of it.

counting  what topics hold of runs; pure
reading   the topics, from their beginning
judging   where topics and API differ; pure
command   `python -m client verify RUN`
report    what it prints
"""
