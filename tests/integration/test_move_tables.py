"""Which tables move, and that they arrive as they were: every type of key, HASH and ranges, several key
columns, large values, identity and generated columns, partitions, foreign keys; and what is refused."""

import re

import psycopg
import pytest

import moves
from cluster import process
from cluster.cluster import Cluster

SERVERS = {"max_replication_slots": 10, "max_wal_senders": 10}


@pytest.fixture(scope="module")
def cluster():
    with Cluster(shards=2, oracle=False, server_settings=SERVERS, proxy_settings={"workers": 1}) as made:
        yield made


def everything(cluster, table: str, order: str) -> list:
    """The table's rows on both shards together."""
    rows = [row for shard in cluster.shards
            for row in shard.execute(f"SELECT t::text FROM {table} t", cluster.database)]
    return sorted(rows)


def move_there_and_back(cluster, range_name: str, *tables: str, slice_size: str = "2kB"):
    """There as a whole, back in slices."""
    ranges = cluster.proxy.admin_rows("SHOW KEY RANGES")
    before = {table: everything(cluster, table, "1") for table in tables}
    counts = {table: cluster.rows_per_shard(table) for table in tables}
    for shard, options in (("s2", ""), ("s1", f"slice_size '{slice_size}'")):
        row = moves.do(cluster, range_name, shard, options)
        assert (row["slices"] > 0) == (shard == "s1"), row
        assert {table: everything(cluster, table, "1") for table in tables} == before
        moves.assert_nothing_left(cluster)
        if shard == "s2":
            assert all(cluster.rows_per_shard(table) != counts[table] for table in tables)
    assert {table: cluster.rows_per_shard(table) for table in tables} == counts
    assert cluster.proxy.admin_rows("SHOW KEY RANGES") == ranges


KEYS = {  # type, whether ranges can be cut by hand, a bound, an expression of i from 1 to 400
    "bigint": ("bigint", "200", "i"),
    "integer": ("integer", "200", "i::integer"),
    "smallint": ("smallint", "200", "i::smallint"),
    "text": ("text COLLATE \"C\"", "'k2'", "'k' || i"),
    "varchar": ("varchar COLLATE \"C\"", "'k2'", "'k' || i"),
    "uuid": ("uuid", "'7fffffff-ffff-ffff-ffff-ffffffffffff'", "md5(i::text)::uuid"),
    "date": ("date", "'2000-07-01'", "date '2000-01-01' + i::integer"),
    "timestamptz": ("timestamptz", "'2000-01-09 00:00:00+00'", "timestamptz '2000-01-01' + i * interval '1 hour'"),
    "bytea": ("bytea", "'\\x32'", "convert_to(i::text, 'UTF8')"),
    "numeric": ("numeric", "2.5", "i / 100.0"),
}


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_type_of_key(cluster, name):
    kind, bound, expression = KEYS[name]
    base = kind.split(" ")[0]
    table = f"k_{name}"
    with cluster.connect() as connection:
        connection.execute(f"CREATE TABLE {table} (k {kind} PRIMARY KEY, v text)")
    cluster.admin(f"CREATE DISTRIBUTION d_{name} COLUMN TYPES {base}",
                  f"CREATE KEY RANGE {name}_low FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION d_{name}",
                  f"CREATE KEY RANGE {name}_high FROM {bound} ROUTE TO s2 FOR DISTRIBUTION d_{name}",
                  f"ALTER DISTRIBUTION d_{name} ATTACH TABLE {table} DISTRIBUTION KEY k")
    fill(cluster, table, f"SELECT {expression}, 'v' || i FROM generate_series(1, 400) i")
    assert all(count > 20 for count in cluster.rows_per_shard(table).values())
    move_there_and_back(cluster, f"{name}_low", table)


def fill(cluster, table: str, select: str, columns: str = ""):
    """Through the proxy, each row to its shard."""
    rows = cluster.shards[0].execute(select, cluster.database)
    with cluster.connect() as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} {columns} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def test_hash_composite_keys_and_many_tables(cluster):
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE orders (tenant text, region integer, id bigint, total numeric,"
                           " big text, PRIMARY KEY (tenant, region, id))")
        connection.execute("CREATE TABLE lines (tenant text, region integer, id bigint, line integer,"
                           " twice bigint GENERATED ALWAYS AS (line * 2) STORED, PRIMARY KEY (tenant, region,"
                           " id, line), FOREIGN KEY (tenant, region, id) REFERENCES orders ON DELETE CASCADE)")
        connection.execute("CREATE TABLE \"Odd one\" (\"Tenant\" text, region integer, at timestamptz,"
                           " list integer[], doc jsonb, PRIMARY KEY (\"Tenant\", region, at))"
                           " PARTITION BY RANGE (at)")
        connection.execute("CREATE TABLE odd_old PARTITION OF \"Odd one\" FOR VALUES FROM (MINVALUE) TO"
                           " ('2020-01-01')")
        connection.execute("CREATE TABLE odd_new PARTITION OF \"Odd one\" FOR VALUES FROM ('2020-01-01') TO"
                           " (MAXVALUE)")
    cluster.admin("CREATE DISTRIBUTION tenants COLUMN TYPES text HASH, integer",
                  "ALTER DISTRIBUTION tenants ATTACH TABLE orders DISTRIBUTION KEY tenant, region",
                  "ALTER DISTRIBUTION tenants ATTACH TABLE lines DISTRIBUTION KEY tenant, region",
                  "ALTER DISTRIBUTION tenants ATTACH TABLE \"Odd one\" DISTRIBUTION KEY \"Tenant\", region")
    fill(cluster, "orders", "SELECT 't' || i % 50, i % 3, i, i / 7.0, CASE WHEN i % 20 = 0 THEN"
         " (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 2000) j) END"
         " FROM generate_series(1, 1000) i")
    fill(cluster, "lines", "SELECT 't' || i % 50, i % 3, i, j FROM generate_series(1, 1000) i,"
         " generate_series(1, 3) j", "(tenant, region, id, line)")
    fill(cluster, '"Odd one"', "SELECT 't' || i % 50, i % 3, '2019-12-25'::timestamptz + i * interval '1 hour',"
         " '{1,2}'::integer[], NULL FROM generate_series(1, 400) i")
    with cluster.connect() as connection:
        for tenant in range(50):
            connection.execute("UPDATE \"Odd one\" SET doc = '{\"a\": [1, null]}' WHERE \"Tenant\" = %s AND"
                               " region IN (0, 1, 2)", (f"t{tenant}",))
    move_there_and_back(cluster, "tenants_1", "orders", "lines", '"Odd one"', slice_size="700kB")
    with cluster.connect() as connection:  # triggers and foreign keys work as before
        connection.execute("DELETE FROM orders WHERE tenant = 't1' AND region = 0")
        assert connection.execute("SELECT id FROM lines WHERE tenant = 't1' AND region = 0").fetchall() == []


def test_identity_and_unlogged(cluster):
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE numbered (k bigint, id bigint GENERATED ALWAYS AS IDENTITY, v text,"
                           " PRIMARY KEY (k, id))")
    cluster.admin("CREATE DISTRIBUTION by_k COLUMN TYPES bigint",
                  "CREATE KEY RANGE k_low FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION by_k",
                  "CREATE KEY RANGE k_high FROM 100 ROUTE TO s2 FOR DISTRIBUTION by_k",
                  "ALTER DISTRIBUTION by_k ATTACH TABLE numbered DISTRIBUTION KEY k")
    for shard, low in (("s1", 0), ("s2", 100)):
        cluster.shard(shard).execute(
            f"INSERT INTO numbered (k, v) SELECT k, 'v' FROM generate_series({low}, {low + 99}) k",
            cluster.database)
    move_there_and_back(cluster, "k_low", "numbered")


def refused(cluster, range_name: str, shard: str) -> str:
    row = moves.wait_for_end(cluster, moves.ask(cluster, range_name, shard))
    assert row["phase"] == "failed", row
    moves.assert_nothing_left(cluster)
    return row["message"]


@pytest.fixture
def plain(cluster):
    """A distribution of its own with one table t, 100 rows on each shard."""
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE t (k bigint, v integer)")
    cluster.admin("CREATE DISTRIBUTION p COLUMN TYPES bigint",
                  "CREATE KEY RANGE p_low FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION p",
                  "CREATE KEY RANGE p_high FROM 100 ROUTE TO s2 FOR DISTRIBUTION p")
    for shard in cluster.shards:
        shard.execute("ALTER TABLE IF EXISTS t ALTER k SET NOT NULL", cluster.database)
    cluster.admin("ALTER DISTRIBUTION p ATTACH TABLE t DISTRIBUTION KEY k")
    fill(cluster, "t", "SELECT k, 0 FROM generate_series(0, 199) k")
    yield cluster
    for shard in cluster.shards:
        shard.execute("TRUNCATE t", cluster.database)
    cluster.admin("ALTER DISTRIBUTION p DETACH TABLE t", "DROP DISTRIBUTION p")
    for shard in cluster.shards:
        shard.execute("DROP TABLE t", cluster.database)
    process.wait_for(lambda: "t" not in {row["table"] for row in cluster.proxy.admin_rows("SHOW TABLES")},
                     "the table is gone")


def test_without_a_primary_key(plain):
    assert "the replica identity of table public.t does not tell rows apart" in refused(plain, "p_low", "s2")
    for shard in plain.shards:
        shard.execute("ALTER TABLE t ADD PRIMARY KEY (k)", plain.database)
    row = moves.do(plain, "p_low", "s2")
    assert (row["rows_copied"], row["rows_expected"], row["verified"]) == (100, 100, True), row
    assert plain.rows_per_shard("t") == {"s1": 0, "s2": 200}


def test_the_target_must_be_ready(plain):
    for shard in plain.shards:
        shard.execute("ALTER TABLE t ADD PRIMARY KEY (k)", plain.database)
    s2 = plain.shard("s2")
    s2.execute("INSERT INTO t VALUES (7, 7)", plain.database)
    assert "the target has rows of the range in table" in refused(plain, "p_low", "s2")
    s2.execute("DELETE FROM t WHERE k = 7", plain.database)
    s2.execute("ALTER TABLE t ADD COLUMN more text", plain.database)
    assert "more" in refused(plain, "p_low", "s2")
    s2.execute("ALTER TABLE t DROP COLUMN more", plain.database)
    assert moves.do(plain, "p_low", "s2")["phase"] == "done"


DAMAGE = ["DELETE FROM t WHERE k = 50", "UPDATE t SET v = 7 WHERE k = 50", "INSERT INTO t VALUES (-1, 5)"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_comparison_finds_damage(plain, damage):
    """A missing, a changed, an extra row at the target: the move ends without effect, and says so."""
    for shard in plain.shards:
        shard.execute("ALTER TABLE t ADD PRIMARY KEY (k)", plain.database)
    plain.proxy.set_fault_points("move.following=pause")
    move = moves.ask(plain, "p_low", "s2")
    moves.wait_for_phase(plain, move, "following")
    plain.shard("s2").execute(damage, plain.database)
    plain.proxy.set_fault_points("")
    row = moves.wait_for_end(plain, move)
    assert row["phase"] == "failed" and "is not the same on both shards: 1 of" in row["message"], row
    assert (row["rows_copied"], row["verified"]) == (100, False), row
    assert plain.rows_per_shard("t") == {"s1": 100, "s2": 100}
    assert moves.owner(plain, "p_low") == "s1"
    moves.assert_nothing_left(plain)


def test_a_dry_run_moves_nothing(plain):
    """It tells what the move would take, whom it would wait for, or why it cannot be done."""
    def dry_run(options: str = "dry_run") -> dict:
        return plain.proxy.admin_rows(f"MOVE KEY RANGE p_low TO s2 WITH ({options})")[0]
    with pytest.raises(psycopg.Error, match="the replica identity of table public.t does not tell rows apart"):
        dry_run()
    for shard in plain.shards:
        shard.execute("ALTER TABLE t ADD PRIMARY KEY (k)", plain.database)
    moves_before = len(plain.proxy.admin_rows("SHOW MOVE HISTORY"))
    epoch = plain.proxy.admin_rows("SHOW EPOCH")
    row = dry_run("dry_run, max_rate '1kB/s', slice_size '3kB', reversible off")
    assert (row["range"], row["source"], row["target"], row["tables"]) == ("p_low", "s1", "s2", 1)
    assert row["rows"] == 100 and row["bytes"] > 3000 and row["slices"] >= 1, row
    assert row["seconds"] == row["bytes"] // 1024, row
    assert row["would_wait_for"] is None
    with plain.shard("s1").connect(plain.database) as writer:
        writer.execute("BEGIN; UPDATE t SET v = 9 WHERE k = 3")
        assert "process" in dry_run("dry_run, reversible")["would_wait_for"]
        writer.execute("ROLLBACK")
    plain.shard("s2").execute("INSERT INTO t VALUES (7, 7)", plain.database)
    with pytest.raises(psycopg.Error, match="the target has rows of the range"):
        dry_run()
    plain.shard("s2").execute("DELETE FROM t WHERE k = 7", plain.database)
    assert len(plain.proxy.admin_rows("SHOW MOVE HISTORY")) == moves_before
    assert plain.proxy.admin_rows("SHOW EPOCH") == epoch
    moves.assert_nothing_left(plain)


def test_slices_are_alike(plain):
    """The source's files do not shrink with the rows that have moved."""
    for shard in plain.shards:
        shard.execute("ALTER TABLE t ADD PRIMARY KEY (k)", plain.database)
    s1 = plain.shard("s1")
    s1.execute("INSERT INTO t SELECT -i, 0 FROM generate_series(1, 20000) i; ANALYZE t", plain.database)
    size = s1.execute("SELECT pg_relation_size('t')", plain.database)[0][0]
    move = moves.ask(plain, "p_low", "s2", f"slice_size '{size // 6 // 1024}kB'")
    row = moves.wait_for_end(plain, move)
    assert row["phase"] == "done" and 4 <= row["slices"] <= 6, row
    assert row["rows_copied"] == 20100, row
    moves.do(plain, "p_low", "s1")


def test_large_values_that_come_into_the_range(plain):
    """An UPDATE of the key on the source brings rows into the range without the values that it leaves as they are:
    they are asked for. One is changed before it is, one is gone, one has gone on to another key."""
    for shard in plain.shards:
        shard.execute("ALTER TABLE t ADD PRIMARY KEY (k), ADD COLUMN big text, ALTER big SET STORAGE EXTERNAL,"
                      " ADD COLUMN other text, ALTER other SET STORAGE EXTERNAL", plain.database)
    plain.admin("SPLIT KEY RANGE p_mid FROM p_low BY 50")
    s1 = plain.shard("s1")
    s1.execute("UPDATE t SET big = repeat(k::text, 5000), other = repeat('o', 5000) WHERE k < 50", plain.database)
    plain.proxy.set_fault_points("move.following=pause")
    move = moves.ask(plain, "p_mid", "s2")
    moves.wait_for_phase(plain, move, "following")
    s1.execute("DELETE FROM t WHERE k BETWEEN 50 AND 99", plain.database)
    s1.execute("UPDATE t SET k = k + 50 WHERE k < 40", plain.database)
    s1.execute("UPDATE t SET big = repeat('new', 5000) WHERE k = 51", plain.database)
    s1.execute("UPDATE t SET other = NULL, v = 3 WHERE k = 52", plain.database)
    of_range = "SELECT t::text FROM t WHERE k BETWEEN 50 AND 99 ORDER BY k"
    before = s1.execute(of_range, plain.database)
    plain.proxy.set_fault_points("")
    row = moves.wait_for_end(plain, move)
    assert (row["phase"], row["copies"]) == ("done", 1), row
    assert plain.shard("s2").execute(of_range, plain.database) == before and len(before) == 40
    # Of what is not there any more the copy is begun anew.
    s2 = plain.shard("s2")
    plain.proxy.set_fault_points("move.following=pause")
    move = moves.ask(plain, "p_low", "s2")
    moves.wait_for_phase(plain, move, "following")
    s1.execute("UPDATE t SET k = k - 100 WHERE k = 45", plain.database)
    assert s1.execute("UPDATE t SET k = k + 1000 WHERE k BETWEEN 40 AND 44 RETURNING big IS NULL", plain.database)
    s1.execute("UPDATE t SET k = k - 1000 WHERE k = 1040", plain.database)
    s1.execute("DELETE FROM t WHERE k = 40", plain.database)
    s1.execute("DELETE FROM t WHERE k > 1000", plain.database)
    plain.proxy.set_fault_points("")
    row = moves.wait_for_end(plain, move)
    assert (row["phase"], row["copies"]) == ("done", 2), row
    assert s2.execute("SELECT length(big) FROM t WHERE k = -55", plain.database) == [(10000,)]
    moves.assert_nothing_left(plain)
    plain.admin("UNITE KEY RANGE p_low WITH p_mid")


def test_it_tells_for_whom_it_waits(plain):
    for shard in plain.shards:
        shard.execute("ALTER TABLE t ADD PRIMARY KEY (k)", plain.database)
    plain.shard("s1").execute("CREATE TABLE elsewhere (v integer)", plain.database)

    def waits_for(text: str, connection):
        said = f"{text}process {connection.info.backend_pid} of postgres, for "
        process.wait_for(lambda: said in (moves.show(plain, move)["message"] or ""), said)
    with plain.shard("s1").connect(plain.database) as user, plain.shard("s1").connect(plain.database) as other:
        user.execute("BEGIN; UPDATE t SET v = 0 WHERE k = 7")
        other.execute("BEGIN; INSERT INTO elsewhere VALUES (1)")
        move = moves.ask(plain, "p_low", "s2", "verify off, cutover_timeout '200ms'")
        waits_for("a lock on a table of the source: ", user)
        user.execute("COMMIT")
        waits_for("transactions that run on the source: ", other)
        plain.proxy.set_fault_points("move.following=pause")
        other.execute("COMMIT")
        moves.wait_for_phase(plain, move, "following")
        user.execute("BEGIN; UPDATE t SET v = 1 WHERE k = 7")
        plain.proxy.set_fault_points("")
        waits_for("transactions that have written to the range do not end (", user)
        process.wait_for(lambda: (row := moves.show(plain, move))["lag_ms"] is not None and
                         row["log_kept_bytes"] > 0 and row["lag_bytes"] is not None, "how far behind it is")
        assert re.search(r"^meridian_move_log_kept_bytes [1-9]", plain.proxy.metrics(), re.MULTILINE)
        user.execute("COMMIT")
    row = moves.wait_for_end(plain, move)
    assert (row["phase"], row["verified"]) == ("done", None), row
    plain.shard("s1").execute("DROP TABLE elsewhere", plain.database)
    moves.assert_nothing_left(plain)
