"""Meridian gives what one PostgreSQL gives, or refuses: statement files and random statements."""

import random

import pytest

from generator import Generator
from statement_files import statements


@pytest.mark.parametrize("protocol", ["simple", "extended"])
@pytest.mark.parametrize("sql", statements("one_shard"))
def test_one_shard(comparison, protocol, sql):
    got = getattr(comparison, protocol)(sql)
    assert got.sqlstate != "0A000", f"refused: {sql}: {got.message}"


@pytest.mark.parametrize("protocol", ["simple", "extended"])
@pytest.mark.parametrize("sql", statements("several_shards"))
def test_several_shards(comparison, protocol, sql):
    getattr(comparison, protocol)(sql)


@pytest.mark.parametrize("name", ["writes", "transactions", "ddl"])
def test_sequence(comparison, fresh, name):
    for sql in statements(name):
        comparison.simple(sql)
    comparison.simple("ROLLBACK")


# The tables with all their rows: a write that went astray shows, on whichever shard it is.
def assert_same_rows(comparison, cluster):
    for table in ("kv", "products", "customers", "orders", "order_lines", "by_text", "by_pair"):
        sql = f"SELECT * FROM {table}"
        with cluster.connect_oracle() as oracle:
            expected = sorted(oracle.execute(sql).fetchall(), key=repr)
        per_shard = [shard.execute(sql, cluster.database) for shard in cluster.shards]
        if table == "products":
            for rows in per_shard:
                assert sorted(rows, key=repr) == expected, table
        else:
            assert sorted(sum(per_shard, []), key=repr) == expected, table


@pytest.mark.parametrize("seed", range(8))
def test_random_statements(comparison, cluster, fresh, seed):
    generator = Generator(random.Random(seed))
    for number in range(250):
        sql, values = generator.statement()
        if values is None:
            comparison.simple(sql)
        else:
            comparison.extended(sql, values)
    comparison.simple("ROLLBACK")
    assert_same_rows(comparison, cluster)
