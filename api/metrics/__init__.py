"""The key metrics: looks at Kafka, RabbitMQ and the record of runs on a clock. Requests only read what was seen."""
