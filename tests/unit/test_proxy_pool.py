"""The pool of connections to RabbitMQ: which connection is used next, and when a connection is closed."""

import pytest

from api.rpc import proxy as module
from api.rpc.proxy import IDLE_SECONDS, ProxyPool
from tests.unit.fakes import Clock


class Proxy:
    def __init__(self, amqp_uri, timeout):
        self.is_closed = False
        self.error: Exception | None = None

    def is_running(self, service, wait_seconds=0):
        if self.error:
            raise self.error
        return True

    def discard(self):
        self.is_closed = True


@pytest.fixture
def made(monkeypatch):
    """The connections that were made."""
    made = []

    def make(*arguments):
        made.append(Proxy(*arguments))
        return made[-1]

    monkeypatch.setattr(module, "Proxy", make)
    return made


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pool(made, clock):
    return ProxyPool("amqp://rabbit", 15, clock)


def use(pool: ProxyPool, count: int = 1) -> None:
    """Use this many connections at the same time."""
    if count:
        with pool.proxy("ping"):
            use(pool, count - 1)


def open_now(made) -> int:
    return sum(not proxy.is_closed for proxy in made)


def test_a_connection_is_used_again(pool, made):
    for _ in range(3):
        use(pool)

    assert len(made) == 1


def test_unused_connections_are_closed(pool, made, clock):
    use(pool, 5)
    for _ in range(3):
        clock.advance(IDLE_SECONDS / 2)
        use(pool)
        pool.close_idle()

    assert open_now(made) == 1
    clock.advance(IDLE_SECONDS + 1)
    pool.close_idle()
    assert open_now(made) == 0


def test_connections_that_were_used_recently_stay_open(pool, made, clock):
    use(pool, 5)
    clock.advance(IDLE_SECONDS - 1)
    pool.close_idle()

    assert open_now(made) == 5
    use(pool, 5)
    assert len(made) == 5


def test_a_connection_that_is_in_use_is_not_closed(pool, made, clock):
    with pool.proxy("ping") as (proxy, _):
        clock.advance(10 * IDLE_SECONDS)
        pool.close_idle()
        assert not proxy.is_closed


def test_without_connections_there_is_nothing_to_close(pool):
    pool.close_idle()


def test_a_connection_is_closed_after_any_error(pool, made):
    with pytest.raises(RuntimeError), pool.proxy("ping"):
        raise RuntimeError("an error of the call")

    assert open_now(made) == 0


def test_a_connection_that_was_lost_is_replaced(pool, made):
    use(pool, 2)
    for proxy in made:
        proxy.error = ConnectionResetError("lost")
    use(pool)

    assert [proxy.is_closed for proxy in made] == [True, True, False]
