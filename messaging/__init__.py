"""The code of ping and pong, in six layers. Each layer imports only from layers below it.

The API does not use the first two. See docs/architecture.md. The last three names are one layer.

extensions  nameko: the entrypoint, the dependency providers, RPC, statistics, stopping
delivery    decides when work is done and its offsets may be committed
journal     the records of runs, published to Kafka and read from it
clients     the only code that uses Kafka libraries
logs        the format of log lines
settings    the checked settings
stopping    the request to stop
runs        pure: stamp, batch, request, stage, payload, the sending loop
"""
