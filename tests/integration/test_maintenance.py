"""Commands that are transactions of their own (VACUUM, ... CONCURRENTLY) run on each shard."""

import psycopg
import pytest

from cluster.cluster import Cluster


@pytest.fixture(scope="module")
def shards():
    with Cluster(shards=3, oracle=False) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE kv (k bigint PRIMARY KEY, v text)")
            made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2, s3)",
                       "ALTER DISTRIBUTION d ATTACH TABLE kv DISTRIBUTION KEY k")
            connection.execute("INSERT INTO kv VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
        yield made


def on_each(cluster, sql: str) -> list:
    return [shard.execute(sql, cluster.database) for shard in cluster.shards]


def count_indexes(cluster, name: str) -> list:
    return [rows[0][0] for rows in on_each(
        cluster, f"SELECT count(*) FROM pg_index JOIN pg_class ON indexrelid = pg_class.oid "
                 f"WHERE relname = '{name}' AND indisvalid")]


@pytest.mark.parametrize("sql, tag", [
    ("VACUUM kv", "VACUUM"), ("VACUUM (ANALYZE, VERBOSE) kv", "VACUUM"), ("ANALYZE kv", "ANALYZE"),
    ("REINDEX TABLE kv", "REINDEX"), ("REINDEX TABLE CONCURRENTLY kv", "REINDEX"),
    ("CLUSTER kv USING kv_pkey", "CLUSTER")])
def test_runs_everywhere(shards, sql, tag):
    with shards.connect() as connection:
        assert connection.execute(sql).statusmessage == tag


def test_create_index_concurrently(shards):
    with shards.connect() as connection:
        connection.execute("CREATE INDEX CONCURRENTLY kv_v ON kv (v)")
        assert count_indexes(shards, "kv_v") == [1, 1, 1]
        connection.execute("DROP INDEX CONCURRENTLY kv_v")
        assert count_indexes(shards, "kv_v") == [0, 0, 0]


@pytest.mark.parametrize("sql", ["VACUUM kv", "CREATE INDEX CONCURRENTLY kv_v ON kv (v)"])
def test_not_in_a_transaction(shards, sql):
    with shards.connect() as connection:
        for begin in ("BEGIN", "BEGIN; INSERT INTO kv VALUES (100, '')"):
            connection.execute(begin)
            with pytest.raises(psycopg.errors.ActiveSqlTransaction):
                connection.execute(sql)
            connection.execute("ROLLBACK")
        with pytest.raises(psycopg.errors.ActiveSqlTransaction):
            connection.execute(f"INSERT INTO kv VALUES (101, ''), (102, ''), (103, ''); {sql}")
    assert sum(shards.rows_per_shard("kv").values()) == 4


def test_a_failure_says_where_it_is_done(shards):
    shards.shards[1].execute("CREATE INDEX in_the_way ON kv (v)", shards.database)
    with shards.connect() as connection:
        with pytest.raises(psycopg.errors.DuplicateTable) as raised:
            connection.execute("CREATE INDEX CONCURRENTLY in_the_way ON kv (v)")
        detail = raised.value.diag.message_detail
        assert detail.startswith("Done on s1") and "not done on s2" in detail
        connection.execute("DROP INDEX CONCURRENTLY IF EXISTS in_the_way")
    assert count_indexes(shards, "in_the_way") == [0, 0, 0]
