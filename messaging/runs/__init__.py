"""The domain: what a run is, and how its messages are made, sent and counted. Pure: no nameko, Kafka or threads."""
