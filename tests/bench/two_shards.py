#!/usr/bin/python3
"""What the COMMIT of a transaction on two shards takes: through Meridian, and by hand with PREPARE
TRANSACTION and COMMIT PREPARED on two connections; and what snapshots that belong together cost a
transaction that reads. All interleaved. Prints medians and 99th percentiles."""

import argparse
import pathlib
import statistics
import sys
import time

import psycopg

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]

from cluster.cluster import Cluster  # noqa: E402


def key_of(cluster, shard) -> int:
    return shard.execute("SELECT min(k) FROM kv", cluster.database)[0][0]


def update(key: int) -> str:
    return f"UPDATE kv SET v = v + 1 WHERE k = {key}"


def microseconds(run) -> float:
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1e6


class Meridian:
    """The COMMIT of the client."""

    def __init__(self, cluster, keys):
        self._connection = cluster.connect(autocommit=True)
        self._keys = keys

    def round(self) -> float:
        self._connection.execute("BEGIN")
        for key in self._keys:
            self._connection.execute(update(key))
        return microseconds(lambda: self._connection.execute("COMMIT"))


class ByHand:
    """PREPARE on both, then COMMIT PREPARED on both; each pair sent at once."""

    def __init__(self, cluster, keys):
        self._connections = [
            psycopg.connect(host="127.0.0.1", port=shard.port, dbname=cluster.database, user="app",
                            password="app", autocommit=True) for shard in cluster.shards]
        self._keys = keys
        self._number = 0

    def _on_both(self, sql: str):
        for connection in self._connections:
            connection.pgconn.send_query(sql.encode())
        for connection in self._connections:
            while connection.pgconn.get_result() is not None:
                pass

    def _commit(self):
        self._on_both(f"PREPARE TRANSACTION 'by_hand_{self._number}'")
        self._on_both(f"COMMIT PREPARED 'by_hand_{self._number}'")

    def round(self) -> float:
        self._number += 1
        self._on_both("BEGIN")
        for connection, key in zip(self._connections, self._keys):
            connection.execute(update(key))
        return microseconds(self._commit)


class OneShard:
    """For comparison: a COMMIT on one shard, through Meridian."""

    def __init__(self, cluster, keys):
        self._connection = cluster.connect(autocommit=True)
        self._key = keys[0]

    def round(self) -> float:
        self._connection.execute("BEGIN")
        self._connection.execute(update(self._key))
        return microseconds(lambda: self._connection.execute("COMMIT"))


class Reading:
    """BEGIN, a SELECT on one shard, COMMIT."""

    def __init__(self, cluster, keys, level: str, snapshot: str = "transaction"):
        self._connection = cluster.connect(autocommit=True)
        self._connection.execute(f"SET meridian.snapshot = '{snapshot}'")
        self._statements = [f"BEGIN ISOLATION LEVEL {level}",
                            f"SELECT v FROM kv WHERE k = {keys[0]}", "COMMIT"]

    def _run(self):
        for statement in self._statements:
            self._connection.execute(statement)

    def round(self) -> float:
        return microseconds(self._run)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    rounds = parser.parse_args().rounds
    with Cluster(shards=2, oracle=False) as cluster:
        with cluster.connect() as connection:
            connection.execute("CREATE TABLE kv (k bigint PRIMARY KEY, v bigint)")
            cluster.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2)",
                          "ALTER DISTRIBUTION d ATTACH TABLE kv DISTRIBUTION KEY k")
            rows = ", ".join(f"({key}, 0)" for key in range(100))
            connection.execute(f"INSERT INTO kv VALUES {rows}")
        keys = [key_of(cluster, shard) for shard in cluster.shards]
        ways = {"Meridian, two shards": Meridian(cluster, keys),
                "by hand, two shards": ByHand(cluster, keys),
                "Meridian, one shard": OneShard(cluster, keys),
                "read, READ COMMITTED": Reading(cluster, keys, "READ COMMITTED"),
                "read, REPEATABLE READ": Reading(cluster, keys, "REPEATABLE READ"),
                "... with snapshot local": Reading(cluster, keys, "REPEATABLE READ", "local")}
        took = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                took[name].append(way.round())
        for name, times in took.items():
            print(f"{name:24} median {statistics.median(times):7.0f} us   "
                  f"99 % {statistics.quantiles(times, n=100)[98]:7.0f} us")


if __name__ == "__main__":
    main()
