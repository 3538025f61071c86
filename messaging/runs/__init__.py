"""The domain: what a run is, how its messages are made, sent and counted. Pure: no nameko, no Kafka, no threads."""
