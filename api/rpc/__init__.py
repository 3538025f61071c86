"""Calls to ping and pong over RabbitMQ."""
