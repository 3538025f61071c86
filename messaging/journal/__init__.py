"""The record of runs in Kafka: what each run asked for, and what happened. Services write it, and everyone reads it.

It has two compacted topics. `run-requests` says what must be done: accepted, queued, claimed, stopped. It is small, and
every process reads it. `run-states` says what was seen. Only the API reads all of it.
"""
