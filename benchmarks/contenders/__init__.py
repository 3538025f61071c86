"""The code that the services are compared with. This package may use a Kafka library directly."""
