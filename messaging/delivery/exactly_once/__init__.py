"""Exactly once: what a service has done and what it has read are committed together, in Kafka's transactions.

docs/decisions/0011-exactly-once.md has the protocol.
"""
