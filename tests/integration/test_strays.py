"""Rows on a shard that does not own them, as a move brings them there or leaves them behind: no statement
sees or changes them."""

import psycopg
import pytest

from cluster import process
from cluster.cluster import Cluster

ROWS = 200


def set_strays(cluster, *intervals):
    """Intervals are (shard, lower, upper), each bound a number or None; the epoch rises as with any change
    of the map."""
    def bound(value):
        return [] if value is None else [str(value)]
    with cluster.shards[0].connect(cluster.database) as catalog:
        catalog.execute("DELETE FROM meridian.stray_rows")
        for shard, lower, upper in intervals:
            catalog.execute("INSERT INTO meridian.stray_rows VALUES (%s, 'd', %s, %s)",
                            (shard, bound(lower), bound(upper) or None))
        epoch = catalog.execute("UPDATE meridian.epoch SET epoch = epoch + 1 RETURNING epoch").fetchone()[0]
        catalog.execute("INSERT INTO meridian.changes VALUES (%s, gen_random_uuid(), now(), 'test', 'strays')",
                        (epoch,))
        catalog.execute(f"NOTIFY meridian_epoch, '{epoch}'")
        catalog.commit()
    process.wait_for(lambda: cluster.proxy.admin_rows("SHOW EPOCH")[0]["epoch"] == epoch, "the new epoch")
    # Each worker takes the new map over at a moment of its own.
    process.wait_for(lambda: {rows_seen(cluster) for _ in range(8)} == {ROWS if intervals else ROWS + 100},
                     "all workers have it")


def rows_seen(cluster) -> int:
    with cluster.connect() as connection:
        return len(connection.execute("SELECT k FROM t").fetchall())


@pytest.fixture(scope="module")
def moving():
    """Range `low` below 100 is on s1, `high` on s2. Rows from 50 to 99 are on s2 as well, with other values,
    and rows from 150 on s1."""
    with Cluster(shards=2, oracle=False) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE t (k bigint PRIMARY KEY, v integer, g integer GENERATED ALWAYS"
                               " AS (v + 1) STORED)")
        made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint",
                   "CREATE KEY RANGE low FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION d",
                   "CREATE KEY RANGE high FROM 100 ROUTE TO s2 FOR DISTRIBUTION d",
                   "ALTER DISTRIBUTION d ATTACH TABLE t DISTRIBUTION KEY k")
        with made.connect() as connection:
            connection.cursor().executemany("INSERT INTO t VALUES (%s, %s)", [(k, 1) for k in range(ROWS)])
        made.shard("s2").execute("INSERT INTO t SELECT k, 100 FROM generate_series(50, 99) k", made.database)
        made.shard("s1").execute("INSERT INTO t SELECT k, 100 FROM generate_series(150, 199) k", made.database)
        yield made


@pytest.fixture
def client(moving):
    set_strays(moving, ("s2", 50, 100), ("s1", 150, None))
    with moving.connect(autocommit=True) as connection:
        yield connection


def strays(cluster) -> list:
    return [cluster.shard("s2").execute("SELECT k, v FROM t WHERE k < 100 ORDER BY k", cluster.database),
            cluster.shard("s1").execute("SELECT k, v FROM t WHERE k >= 100 ORDER BY k", cluster.database)]


def test_without_the_note_they_would_be_seen(moving):
    """So that the other tests can fail."""
    set_strays(moving)
    with moving.connect() as connection:
        assert len(connection.execute("SELECT k FROM t").fetchall()) == ROWS + 100


READS = ["SELECT k, v FROM t", "SELECT a.k, a.v FROM public.t AS a", "TABLE t",
         "TABLE t *", "TABLE ONLY t",
         "TABLE ONLY (t)", "SELECT k, v FROM ONLY t", "SELECT * FROM ONLY (t)",
         "SELECT a.k, a.v FROM ONLY (t) AS a WHERE a.v > 0 OR true", "SELECT k, v FROM t WHERE v > 0 OR k < 0",
         "SELECT * FROM t FOR UPDATE",
         "SELECT public.t.k, public.t.v FROM public.t", "SELECT z, y FROM t AS a (z, y) WHERE y = 1 OR z = 0",
         "SELECT t.k, t.v FROM t JOIN t AS u ON u.k = t.k WHERE u.v > 0 OR t.v > 0",
         "SELECT t.k, t.v FROM (t JOIN t AS u ON u.k = t.k) WHERE u.v > 0 OR t.v > 0 FOR UPDATE OF t",
         "SELECT t.k, t.v FROM ((t JOIN t AS u USING (k)) JOIN t AS w USING (k))",
         "SELECT k, v FROM t WHERE k BETWEEN 0 AND 199", "SELECT t.k, t.v FROM t WHERE k > -1 -- all\n"]


@pytest.mark.parametrize("sql", READS)
@pytest.mark.parametrize("prepare", [False, True])
def test_reads(client, sql, prepare):
    rows = client.execute(sql, prepare=prepare).fetchall()
    assert sorted(row[:2] for row in rows) == [(k, 1) for k in range(ROWS)]


def test_reads_by_parameters(client):
    for _ in range(7):  # beyond psycopg's threshold for preparing
        rows = client.execute("SELECT k FROM t WHERE v = %s AND k >= %s", (1, 40)).fetchall()
        assert sorted(row[0] for row in rows) == list(range(40, ROWS))


@pytest.mark.parametrize("sql", ["COPY t TO STDOUT", "COPY t (k, v) TO STDOUT", "COPY (SELECT k, v FROM t) TO STDOUT"])
def test_copies(client, sql):
    with client.cursor().copy(sql) as copy:
        rows = [tuple(map(int, row)) for row in copy.rows()]
    assert sorted(rows) == [(k, 1) for k in range(ROWS)]


@pytest.mark.parametrize("sql, count", [
    ("UPDATE t SET v = v + 1", ROWS), ("UPDATE t AS a SET v = a.v + 1 WHERE v = 1 OR true", ROWS),
    ("UPDATE t SET v = v + 1 WHERE k IN (60, 160, 10)", 3), ("DELETE FROM t", ROWS),
    ("UPDATE public.t SET v = 2", ROWS), ("DELETE FROM ONLY public.t WHERE public.t.v = 1", ROWS),
    ("UPDATE ONLY (t) SET v = 2", ROWS), ("DELETE FROM ONLY (t) AS x WHERE x.v = 1 OR true", ROWS),
    ("DELETE FROM t x WHERE x.v < 50 OR x.v > 50", ROWS)])
@pytest.mark.parametrize("prepare", [False, True])
def test_writes(moving, client, sql, count, prepare):
    before = strays(moving)
    client.execute("BEGIN")
    assert client.execute(sql, prepare=prepare).rowcount == count
    rows = client.execute(sql + " RETURNING k").fetchall() if sql.startswith("UPDATE") else []
    assert sorted(set(rows)) == sorted(rows)
    client.execute("ROLLBACK")
    assert strays(moving) == before
    assert client.execute("UPDATE t SET v = 1").rowcount == ROWS
    assert strays(moving) == before


def test_by_key_the_owner_alone_answers(client):
    for key in (60, 160):
        assert client.execute("SELECT v FROM t WHERE k = %s", (key,)).fetchall() == [(1,)]
        assert client.execute("UPDATE t SET v = 1 WHERE k = %s", (key,)).rowcount == 1


def test_in_a_transaction_with_one_snapshot(client):
    client.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert len(client.execute("SELECT k FROM t").fetchall()) == ROWS
    client.execute("COMMIT")
    client.execute("SET meridian.snapshot = 'consistent'")
    assert len(client.execute("SELECT k FROM t").fetchall()) == ROWS


@pytest.mark.parametrize("sql", ["UPDATE t SET k = 60 WHERE k = 120", "UPDATE t SET k = 170 WHERE v = 1"])
@pytest.mark.parametrize("prepare", [False, True])
def test_what_cannot_leave_them_out_is_refused(client, sql, prepare):
    with pytest.raises(psycopg.errors.ObjectInUse, match="moved between shards"):
        client.execute(sql, prepare=prepare)


@pytest.mark.parametrize("prepare", [False, True])
def test_keys_that_change_leave_them_out(moving, client, prepare):
    """From s2, which has 50 to 99 as strays, to s1, which has 150 and more, and back."""
    before = strays(moving)
    assert client.execute("UPDATE t SET k = -1 WHERE k = 130", prepare=prepare).rowcount == 1
    assert client.execute("SELECT v FROM t WHERE k = -1").fetchall() == [(1,)]
    assert client.execute("UPDATE t SET k = 130 WHERE k IN (-1, 170) AND v = 1 AND g > 5", prepare=prepare).rowcount == 0
    assert client.execute("UPDATE t SET k = 130 WHERE k = -1", prepare=prepare).rowcount == 1
    assert strays(moving) == before and rows_seen(moving) == ROWS


def test_explain_route_shows_what_each_shard_is_sent(moving, client):
    with moving.proxy.admin() as admin:
        rows = admin.execute("EXPLAIN ROUTE SELECT k FROM t").fetchall()
    texts = {row[2]: row[3] for row in rows}
    assert "IS NOT TRUE" in texts["s1"] and "IS NOT TRUE" in texts["s2"]


def test_a_shard_with_strays_cannot_be_dropped(moving, client):
    with moving.proxy.admin() as admin, pytest.raises(psycopg.Error) as error:
        admin.execute("DROP SHARD s2")
    assert error.value.sqlstate in ("55006", "2BP01")
