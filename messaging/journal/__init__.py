"""The record of runs in Kafka: what was asked for and seen of each, published by the services and read by everyone."""
