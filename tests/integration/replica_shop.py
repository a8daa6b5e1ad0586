"""Two shards with two replicas each, one of them late, for tests of reads from replicas."""

import pytest

from cluster.cluster import Cluster
from cluster.process import wait_for

DELAY_MS = 400  # of the late replicas
STALENESS_SECONDS = 0.7
SECONDS = 3
SESSIONS = 6  # each with a key of its own
LEVELS = ["strong", "read_your_writes", "monotonic", "bounded", "eventual"]


@pytest.fixture(scope="module")
def shop():
    """Table kv over two shards, prefix on the first; each shard has a quick replica and a late one."""
    with Cluster(shards=2, oracle=False, replicas=2) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE kv (k int PRIMARY KEY, v bigint NOT NULL)")
            connection.execute("CREATE TABLE prefix (k int PRIMARY KEY, v bigint NOT NULL)")
            connection.execute("CREATE TABLE everywhere (k int PRIMARY KEY, v bigint NOT NULL)")
            connection.execute("CREATE SEQUENCE counter")
            connection.execute("CREATE UNLOGGED TABLE fleeting (k int)")
            made.admin("CREATE DISTRIBUTION d COLUMN TYPES integer HASH SHARDS (s1, s2)",
                       "ALTER DISTRIBUTION d ATTACH TABLE kv DISTRIBUTION KEY k",
                       "CREATE REFERENCE TABLE everywhere")
            connection.execute("INSERT INTO everywhere VALUES (1, 0)")
            for key in range(SESSIONS):
                connection.execute("INSERT INTO kv VALUES (%s, 0)", [key])
            connection.execute("INSERT INTO prefix VALUES (1, 0), (2, 0)")
        assert min(made.rows_per_shard("kv").values()) > 0
        for shard in made.shards:
            set_delay(made.replicas[shard.name][1], DELAY_MS)
        wait_for(lambda: connect_strong(made).execute("SELECT 1").fetchone(), "it serves")
        wait_for(lambda: all(all_have(made, name) for name in ("s1", "s2")), "replicas have all")
        yield made


@pytest.fixture
def settled(shop):
    wait_for(lambda: all_usable(shop), "all replicas are in use")


def set_delay(replica, milliseconds: int):
    replica.execute(f"ALTER SYSTEM SET recovery_min_apply_delay = {milliseconds}")
    replica.execute("SELECT pg_reload_conf()")


def all_have(cluster, shard: str) -> bool:
    end = cluster.shard(shard).execute("SELECT pg_current_wal_insert_lsn()::text")[0][0]
    return all(node.execute(f"SELECT pg_last_wal_replay_lsn() >= '{end}'")[0][0]
               for node in cluster.replicas[shard])


def connect_at(cluster, level: str, **options):
    return cluster.connect(options=f"-c meridian.read_consistency={level} -c meridian.max_staleness="
                           f"{int(STALENESS_SECONDS * 1000)}ms", **options)


def connect_strong(cluster):
    return connect_at(cluster, "strong")


def reads(cluster, place: str = "replica") -> int:
    line = next(line for line in cluster.proxy.metrics().splitlines()
                if line.startswith(f'meridian_reads_total{{place="{place}"}}'))
    return int(float(line.split()[1]))


def configured(cluster, settings: dict):
    count = cluster.proxy.log_count("configuration reloaded")
    cluster.proxy.configure(settings)
    cluster.proxy.reload()
    wait_for(lambda: cluster.proxy.log_count("configuration reloaded") > count, "it is reloaded")


def all_usable(cluster) -> bool:
    return all(row["serves_reads"] for row in cluster.proxy.admin_rows("SHOW REPLICATION")
               if row["role"] != "primary")


def in_use(cluster, node) -> bool:
    return next(row["in_use"] for row in cluster.proxy.admin_rows("SHOW NODES")
                if row["port"] == node.port)
