"""Calls of ping and pong over RabbitMQ."""
