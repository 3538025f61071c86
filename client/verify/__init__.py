"""Verifies a run: counts its messages in the topics, and compares the result with the API.

counting  counts the messages of runs in topics; pure
reading   reads topics from their beginning
judging   finds differences between the topics and the API; pure
command   `python -m client verify RUN`
report    prints the result
"""
