"""What ping and pong share, in six layers. Each one imports only from those below it, see docs/architecture.md.

extensions  nameko: the entrypoint, the dependency providers, RPC, statistics, stopping
delivery    when work is done and its offsets may be committed
journal     what was asked and seen of each run, published to Kafka and read from it
clients     the one door to Kafka
settings, stopping
runs        pure: stamp, batch, request, stage, payload, the sending loop
"""
