"""Columns that draw from sequences: each shard draws from its own part of the values, so that no two rows get
the same, also when they move and when shards come."""

import psycopg
import pytest

import moves
from cluster import process
from cluster.cluster import Cluster

SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}


@pytest.fixture(scope="module")
def cluster():
    """Three servers, of which s3 is no shard yet. Tenants below 100 are on s1, the others on s2."""
    with Cluster(shards=3, oracle=False, server_settings=SERVERS) as made:
        made.admin("DROP SHARD s3")
        with made.connect() as connection:
            connection.execute("CREATE TABLE orders (tenant bigint, id bigint GENERATED ALWAYS AS IDENTITY,"
                               " number bigserial, v text, PRIMARY KEY (tenant, id), UNIQUE (tenant, number))")
            connection.execute("CREATE TABLE plain (id bigserial, v text)")
        made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint",
                   "CREATE KEY RANGE low FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION d",
                   "CREATE KEY RANGE high FROM 100 ROUTE TO s2 FOR DISTRIBUTION d",
                   "ALTER DISTRIBUTION d ATTACH TABLE orders DISTRIBUTION KEY tenant")
        made.third = made.shards.pop()
        yield made


def insert(cluster: Cluster, tenant: int) -> tuple:
    with cluster.connect() as connection:
        return connection.execute("INSERT INTO orders (tenant, v) VALUES (%s, 'one') RETURNING id, number",
                                  (tenant,)).fetchone()


def assert_unique(cluster: Cluster):
    with cluster.connect() as connection:
        rows = connection.execute("SELECT id, number FROM orders").fetchall()
    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == len(rows) > 0


def test_all_ways_to_insert(cluster):
    with cluster.connect() as connection:
        assert connection.execute("INSERT INTO orders (tenant, v) VALUES (1, 'a'), (101, 'b'), (2, 'c')").rowcount == 3
        with connection.cursor() as cursor:
            with cursor.copy("COPY orders (tenant, v) FROM STDIN") as copy:
                for tenant in range(200):
                    copy.write_row((tenant, "copied"))
            cursor.executemany("INSERT INTO orders (tenant, v) VALUES (%s, %s)", [(t, "many") for t in range(90, 110)])
        connection.execute("UPDATE orders SET number = DEFAULT WHERE v = 'copied'")
        with pytest.raises(psycopg.errors.GeneratedAlways):
            connection.execute("INSERT INTO orders (tenant, id) VALUES (1, 1)")
        assert len(connection.execute("SELECT v FROM orders").fetchall()) == 223
    assert_unique(cluster)


def test_rows_that_have_moved_keep_their_values_for_themselves(cluster):
    for shard in ("s2", "s1"):
        moves.do(cluster, "low", shard)
        for _ in range(30):
            for tenant in (5, 150):
                insert(cluster, tenant)
    assert_unique(cluster)


def test_what_the_default_shard_draws_is_no_other_shards(cluster):
    """Programs that draw first, and insert then."""
    with cluster.connect() as connection:
        for _ in range(50):
            number = connection.execute("SELECT nextval('orders_number_seq')").fetchone()[0]
            connection.execute("INSERT INTO orders (tenant, number) VALUES (150, %s)", (number,))
            insert(cluster, 150)
    assert_unique(cluster)


@pytest.mark.parametrize("reads", ["SELECT lastval()", "SELECT currval('plain_id_seq')"])
def test_lastval_does_not_show_an_older_value(cluster, reads):
    with cluster.connect() as connection:
        connection.execute("BEGIN")
        drawn = connection.execute("INSERT INTO plain (v) VALUES ('x') RETURNING id").fetchone()
        assert connection.execute(reads).fetchone() == drawn
        connection.execute("INSERT INTO orders (tenant) VALUES (1)")  # on the default shard
        if "lastval" in reads:
            assert connection.execute(reads).fetchone() != drawn
        connection.execute("SAVEPOINT s")
        connection.execute("INSERT INTO orders (tenant) VALUES (101)")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="drawn on another shard"):
            connection.execute(reads)
        connection.execute("ROLLBACK TO s")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute(reads)
        connection.execute("ROLLBACK")


def test_lastval_of_a_kept_server_is_no_older_value(cluster):
    """LISTEN keeps the default shard's server; the others are given back after each statement."""
    with cluster.connect() as connection:
        connection.execute("LISTEN something")
        connection.execute("SELECT nextval('plain_id_seq')")
        connection.execute("INSERT INTO orders (tenant) VALUES (101)")
        for reads in ("SELECT lastval()", "SELECT currval('plain_id_seq')"):
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="drawn on another shard"):
                connection.execute(reads)
        connection.execute("UNLISTEN *")


def test_a_new_shard_draws_its_own(cluster):
    third = cluster.third
    cluster.admin(f"CREATE SHARD s3 OPTIONS (HOST '{third.address}', DBNAME '{cluster.database}')")
    moves.do(cluster, "high", "s3")
    values = {insert(cluster, tenant) for tenant in range(100, 130)}
    assert len(values) == 30
    moves.do(cluster, "high", "s1")
    insert(cluster, 150)
    assert_unique(cluster)
    moves.assert_nothing_left(cluster)


def test_a_sequence_that_was_changed_is_divided_no_more(cluster):
    """The planner learns of it within a moment, as of all DDL."""
    with cluster.connect() as connection:
        connection.execute("ALTER SEQUENCE orders_number_seq NO MAXVALUE")

        def refused():
            try:
                connection.execute("INSERT INTO orders (tenant) VALUES (1)")
                return False
            except psycopg.errors.FeatureNotSupported as error:
                return "draws from a sequence, and each shard has its own" in str(error)
        process.wait_for(refused, "it is refused")
        connection.execute("ALTER SEQUENCE orders_number_seq MAXVALUE 281474976710655")
