"""Exactly once: a service's answers, counts and offsets are committed together, in Kafka's transactions.

docs/decisions/0011-exactly-once.md has the protocol.
"""
