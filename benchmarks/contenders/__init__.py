"""What the services are measured against. Only this package may use a Kafka library directly."""
