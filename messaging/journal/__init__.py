"""The record of runs in Kafka: what was asked for and seen of each, published by the services and read by everyone.

Two compacted topics. `run-requests` says what is to be done: accepted, queued, claimed, stopped. It is small, and every
process reads it. `run-states` says what was seen; only the API reads all of it.
"""
