"""The key metrics. Threads look at Kafka, RabbitMQ and the record of runs every 2 s. Requests only read the results."""
