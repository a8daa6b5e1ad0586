"""The target's disk is full in the middle of a copy: the move ends, and the clients keep what room is left."""

import pytest

import moves
from cluster import process
from cluster.cluster import Cluster

SERVERS = {"max_replication_slots": 10, "max_wal_senders": 10}
ROOM = 20 * 1024 * 1024 + 4096  # above a file of the server's log; within a page, so that the server runs short of it


@pytest.fixture(scope="module")
def cluster():
    """30 MB on s1."""
    with Cluster(shards=2, oracle=False, server_settings=SERVERS, proxy_settings={"workers": 1}) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE docs (k bigint PRIMARY KEY, body text)")
        made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint",
                   "CREATE KEY RANGE low FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION d",
                   "CREATE KEY RANGE high FROM 100000 ROUTE TO s2 FOR DISTRIBUTION d",
                   "ALTER DISTRIBUTION d ATTACH TABLE docs DISTRIBUTION KEY k")
        made.shard("s1").execute("INSERT INTO docs SELECT i, repeat(md5(i::text), 30) FROM"
                                 " generate_series(1, 30000) i", made.database)
        yield made


def limit_files(server, size):
    """What new sessions of the server may write of a file."""
    process.run(process.command(["prlimit", "--pid", server.pid, f"--fsize={size}:"]))


@pytest.mark.parametrize("options", ["", "slice_size '12MB'"])
def test_the_targets_disk_is_full(cluster, options):
    target = cluster.shard("s2")
    limit_files(target, ROOM)
    try:
        row = moves.wait_for_end(cluster, moves.ask(cluster, "low", "s2", options))
    finally:
        limit_files(target, "unlimited")
    assert row["phase"] == "failed" and "could not extend file" in row["message"], row
    assert "disk" in row["message"] and row["copies"] == 1 + row["slices"], row
    with cluster.connect() as connection:
        assert len(connection.execute("SELECT k FROM docs").fetchall()) == 30_000
        connection.execute("INSERT INTO docs VALUES (200000, 'room for clients')")
        connection.execute("DELETE FROM docs WHERE k = 200000")
    moves.assert_nothing_left(cluster)
    target.execute("VACUUM docs", cluster.database)
    assert moves.do(cluster, "low", "s2")["phase"] == "done"
    ranges = {row["key_range"]: row["shard"] for row in cluster.proxy.admin_rows("SHOW KEY RANGES")}
    assert set(ranges.values()) == {"s2"}
    moves.assert_nothing_left(cluster)
    if "low_2" in ranges:  # what had moved before
        cluster.admin("UNITE KEY RANGE low WITH low_2")
    moves.do(cluster, "low", "s1")
    target.execute("VACUUM docs", cluster.database)
