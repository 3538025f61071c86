"""The record of runs in Kafka: what each run asked for, and what happened. The API and the services write and read it.

It has two compacted topics. `run-requests` says what each run asks for, who sends it, and if it was stopped. This topic
is small, and every process reads it. `run-states` has the counts of each stage. The API reads those of all runs that it
keeps. A sender keeps only those of its run.
"""
