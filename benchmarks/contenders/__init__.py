"""The code that the services are compared with. Only this package may use a Kafka library directly."""
