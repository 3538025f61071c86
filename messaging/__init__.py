"""Code that ping and pong share, in six layers. Each layer imports only from those below it: see docs/architecture.md.

extensions  nameko: the entrypoint, the dependency providers, RPC, statistics, stopping
delivery    decides when work is done and its offsets may be committed
journal     the records of runs, published to Kafka and read from it
clients     the only code that uses Kafka libraries
settings, stopping
runs        pure: stamp, batch, request, stage, payload, the sending loop
"""
