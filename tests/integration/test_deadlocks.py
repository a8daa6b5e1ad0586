"""Transactions that wait for each other over several shards, which no PostgreSQL can see: the youngest
fails with 40P01, as within one server."""

import threading
import time

import psycopg
import pytest

from cluster.cluster import Cluster
from cluster.meridian import Meridian
from test_routing import shard_of

# Found and ended within this, by promise "about a second"; the machine may be busy.
PROMPTLY = 5.0


@pytest.fixture(scope="module")
def shards():
    with Cluster(shards=3, oracle=False) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE kv (k bigint PRIMARY KEY, v text)")
            made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2, s3)",
                       "ALTER DISTRIBUTION d ATTACH TABLE kv DISTRIBUTION KEY k")
            rows = ", ".join(f"({key}, 'value')" for key in range(1, 100))
            connection.execute(f"INSERT INTO kv VALUES {rows}")
        made.second = Meridian(made.directory, "second", made.shards[0], None, made.database)
        made.second.start()
        try:
            yield made
        finally:
            made.second.stop()


@pytest.fixture(scope="module")
def keys(shards) -> list:
    """One key of each shard."""
    found = {}
    for key in range(1, 100):
        found.setdefault(shard_of(shards, key), key)
    return [found[shard.name] for shard in shards.shards]


def update(key: int) -> str:
    return f"UPDATE kv SET v = v || '.' WHERE k = {key}"


class Client:
    """A transaction that waits on a thread of its own, and then commits. Where it fails it does nothing
    more: as in one server, the others need not wait for its ROLLBACK."""

    def __init__(self, proxy):
        self.connection = proxy.connect(autocommit=False)
        self.error = None
        self.ended = None

    def run(self, sql: str):
        def body():
            try:
                self.connection.execute(sql)
                self.connection.commit()
            except psycopg.Error as error:
                self.error = error
            self.ended = time.monotonic()
        self.thread = threading.Thread(target=body)
        self.thread.start()


def circle(shards, proxies: list, locks: list, waits: list):
    """Each client has its lock, then waits for what another has: which of them failed."""
    clients = []
    for proxy, sql in zip(proxies, locks):
        clients.append(Client(proxy))
        clients[-1].connection.execute(sql)
        time.sleep(0.05)
    began = time.monotonic()
    for client, sql in zip(clients, waits):
        client.run(sql)
        time.sleep(0.05)
    for client in clients:
        client.thread.join(PROMPTLY)
        assert client.ended is not None, "it waits for ever"
    for client in clients:
        client.connection.rollback()
        client.connection.close()
    failed = [number for number, client in enumerate(clients) if client.error is not None]
    for number in failed:
        error = clients[number].error
        assert error.sqlstate == "40P01", error
        assert 'waits on shard "' in error.diag.message_detail
        assert clients[number].ended - began < PROMPTLY
    return failed


def test_two_transactions_on_two_shards(shards, keys):
    a, b, _ = keys
    assert circle(shards, [shards.proxy] * 2, [update(a), update(b)], [update(b), update(a)]) == [1]


def test_three_transactions_on_three_shards(shards, keys):
    a, b, c = keys
    assert circle(shards, [shards.proxy] * 3, [update(a), update(b), update(c)],
                  [update(b), update(c), update(a)]) == [2]


def test_through_two_proxies(shards, keys):
    a, b, _ = keys
    assert circle(shards, [shards.proxy, shards.second], [update(a), update(b)],
                  [update(b), update(a)]) == [1]
    assert circle(shards, [shards.second, shards.proxy], [update(a), update(b)],
                  [update(b), update(a)]) == [1]


def test_a_statement_on_all_shards(shards, keys):
    """It has joined all shards and waits on one of them."""
    a, b, _ = keys
    failed = circle(shards, [shards.proxy] * 2, [update(a), update(b)],
                    ["UPDATE kv SET v = v || '!'", update(a)])
    assert len(failed) == 1


def test_a_wait_is_no_deadlock(shards, keys):
    a, b, _ = keys
    first, second = Client(shards.proxy), Client(shards.proxy)
    first.connection.execute(update(a))
    second.connection.execute(update(b))
    second.run(update(a))
    time.sleep(2)
    assert second.ended is None
    first.connection.commit()
    second.thread.join(PROMPTLY)
    assert second.error is None and second.ended is not None
    for client in (first, second):
        client.connection.rollback()
        client.connection.close()


def test_within_one_shard_it_is_postgresqls(shards, keys):
    key = keys[0]
    other = next(k for k in range(key + 1, 100) if shard_of(shards, k) == "s1")
    clients = [Client(shards.proxy), Client(shards.proxy)]
    for client, mine in zip(clients, (key, other)):
        client.connection.execute(update(mine))
    for client, theirs in zip(clients, (other, key)):
        client.run(update(theirs))
    for client in clients:
        client.thread.join(PROMPTLY)
    errors = [client.error for client in clients if client.error is not None]
    assert [error.sqlstate for error in errors] == ["40P01"]
    assert "shard" not in errors[0].diag.message_detail
    for client in clients:
        client.connection.rollback()
        client.connection.close()


def test_both_wait_within_commit(shards, keys):
    """Each is committing, and a deferred constraint has it wait for the other: each on a shard that the
    other leads."""
    a, b, _ = keys
    with shards.connect() as connection:
        connection.execute("CREATE TABLE late (k bigint NOT NULL, v int, UNIQUE (k, v) DEFERRABLE INITIALLY DEFERRED)")
        shards.admin("ALTER DISTRIBUTION d ATTACH TABLE late DISTRIBUTION KEY k")
    first, second = Client(shards.proxy), Client(shards.proxy)
    began = time.monotonic()
    for client, mine, other in ((first, a, b), (second, b, a)):
        client.connection.execute(f"INSERT INTO late VALUES ({mine}, 1)")
        time.sleep(0.05)
    for client, mine, other in ((first, a, b), (second, b, a)):
        client.connection.execute(f"INSERT INTO late VALUES ({other}, 1)")
    for client in (first, second):
        client.run("SELECT 1")
    for client in (first, second):
        client.thread.join(PROMPTLY)
        assert client.ended is not None, "it waits for ever"
    assert first.error is None
    assert second.error is not None and second.error.sqlstate == "40P01"
    assert second.ended - began < PROMPTLY
    with shards.connect() as connection:
        assert len(connection.execute("SELECT k FROM late").fetchall()) == 2
    for shard in shards.shards:
        assert shard.execute("SELECT gid FROM pg_prepared_xacts", shards.database) == []
