"""A transaction that writes on some shards what rows that it has locked on another allow: the lock must be
there until the writes are."""

import threading

import psycopg
import pytest

from cluster.cluster import Cluster
from cluster.process import wait_for
from shard_writes import FAST_CONTROL
from test_routing import shard_of


@pytest.fixture(scope="module")
def shards():
    with Cluster(shards=3, oracle=False, proxy_settings={"control": FAST_CONTROL}) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE kv (k bigint PRIMARY KEY, v int, part int)")
            made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2, s3)",
                       "ALTER DISTRIBUTION d ATTACH TABLE kv DISTRIBUTION KEY k")
            connection.execute("INSERT INTO kv VALUES " + ", ".join(f"({k}, 0, 0)" for k in range(50)))
        found = {}
        for key in range(50):
            found.setdefault(shard_of(made, key), key)
        made.keys = found
        yield made


class Committer:
    """Has locked all rows, written on these shards, and commits on a thread of its own."""

    def __init__(self, shards, point: str, written: list):
        self.proxy = shards.proxy
        self.error = None
        self.connection = shards.connect(autocommit=True)
        self.connection.execute("BEGIN")
        self.connection.execute("SELECT k FROM kv WHERE part = 0 FOR UPDATE")
        for shard in written:
            self.connection.execute(f"UPDATE kv SET v = v + 1 WHERE k = {shards.keys[shard]}")
        self.proxy.set_fault_points(f"{point}=pause")
        stopped = self.proxy.log_count("paused at a fault point")
        self.thread = threading.Thread(target=self._commit)
        self.thread.start()
        wait_for(lambda: self.proxy.log_count("paused at a fault point") > stopped, f"it is at {point}")

    def _commit(self):
        try:
            self.connection.execute("COMMIT")
        except psycopg.Error as error:
            self.error = error

    def go_on(self):
        self.proxy.set_fault_points("")
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.connection.close()


def values(shards) -> list:
    with shards.connect() as connection:
        return [connection.execute(f"SELECT v FROM kv WHERE k = {shards.keys[name]}").fetchone()[0]
                for name in ("s1", "s2", "s3")]


@pytest.mark.parametrize("written", [["s1", "s2"], ["s1"]])
def test_a_lock_that_is_lost_before_the_commit_stops_it(shards, written):
    before = values(shards)
    committer = Committer(shards, "commit.begin", written)
    shards.shard("s3").execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                               " WHERE usename = 'app' AND state = 'idle in transaction'")
    committer.go_on()
    assert committer.error is not None and committer.error.sqlstate == "57P01"
    assert values(shards) == before


@pytest.mark.parametrize("written", [["s1", "s2"], ["s2"]])
def test_a_lock_outlives_its_server(shards, written):
    before = values(shards)
    committer = Committer(shards, "commit.prepared", written)
    server = shards.shard("s3")
    server.stop()
    server.start()
    with server.connect(shards.database) as other, pytest.raises(psycopg.errors.LockNotAvailable):
        other.execute(f"SELECT FROM kv WHERE k = {shards.keys['s3']} FOR UPDATE NOWAIT")
    committer.go_on()
    assert committer.error is None
    wait_for(lambda: server.execute("SELECT gid FROM pg_prepared_xacts", shards.database) == [],
             "nothing is prepared any more")
    after = [value + (name in written) for name, value in zip(("s1", "s2", "s3"), before)]
    assert values(shards) == after


def test_locks_alone_need_no_second_phase(shards):
    def decisions() -> list:
        return [shard.execute("SELECT count(*) FROM meridian.decisions", shards.database)[0][0]
                for shard in shards.shards]
    before = decisions()
    with shards.connect(autocommit=True) as connection:
        connection.execute("BEGIN")
        assert len(connection.execute("SELECT k FROM kv FOR UPDATE").fetchall()) == 50
        connection.execute("COMMIT")
    assert decisions() == before
