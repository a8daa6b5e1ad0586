"""UPDATE of the distribution key: the row moves to the shard of its new key, and the client cannot tell it
from one PostgreSQL; or the statement is refused."""

import random
import threading

import psycopg
import pytest

import wire as w
from cluster.cluster import Cluster
from oracle import Comparison

_TABLES = """
CREATE TABLE moved (
    k bigint PRIMARY KEY, note varchar(40), a smallint, b integer, c numeric, d real, e float8, f text,
    g char(5), h bytea, i uuid, j date, l time, m timetz, n timestamp, o timestamptz, p interval, q json,
    r jsonb, s integer[], t bigint[], u text[], x boolean, z integer NOT NULL DEFAULT 7 CHECK (z > 0),
    twice integer GENERATED ALWAYS AS (z * 2) STORED, number integer GENERATED ALWAYS AS IDENTITY);
CREATE TABLE pairs (b text, v integer, a bigint, PRIMARY KEY (a, b));
CREATE TABLE days (a bigint, d date, PRIMARY KEY (a, d));
CREATE TABLE fires (k bigint PRIMARY KEY, v integer);
CREATE TABLE parents (k bigint PRIMARY KEY, v integer);
CREATE TABLE children (k bigint PRIMARY KEY REFERENCES parents);
CREATE TABLE secured (k bigint PRIMARY KEY);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE TABLE ruled (k bigint PRIMARY KEY);
CREATE RULE nothing AS ON DELETE TO ruled DO INSTEAD NOTHING;
CREATE TABLE odd (k bigint PRIMARY KEY, price money);
CREATE TABLE split (k bigint PRIMARY KEY) PARTITION BY RANGE (k);
CREATE TABLE split_1 PARTITION OF split DEFAULT;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t AFTER INSERT ON fires FOR EACH ROW EXECUTE FUNCTION noted();
"""
_SHARDED = ("moved", "fires", "parents", "children", "secured", "ruled", "odd", "split")
# So many that rows move between all shards.
_KEYS = range(1, 13)
_ROW = ("-32768, 7, 1.2300, 0.1, 0.1::float8 + 0.2, E'a\\t''\\u00e9', 'ab', '\\x00ff', "
        "'00000000-0000-0000-0000-000000000001', '0044-03-15 BC', '24:00', '01:02:03.456789-07:30', "
        "'infinity', '2024-02-29 01:02:03.456789+05:45', '-1 mon +2 days -00:00:00.000001', "
        "'{\"b\": 1,  \"a\": [1.50]}', '{\"b\": 1, \"a\": [1.50]}', '[3:4]={1,NULL}', '{}', "
        "'{\"\",NULL,\"NULL\"}', true")


@pytest.fixture(scope="module")
def shop():
    with Cluster(shards=3) as made:
        for connect in (made.connect_oracle, made.connect):
            with connect() as connection:
                for statement in _TABLES.split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
        made.admin("CREATE DISTRIBUTION pairs COLUMN TYPES bigint HASH, text HASH SHARDS (s1, s2, s3)",
                   "ALTER DISTRIBUTION pairs ATTACH TABLE pairs DISTRIBUTION KEY a, b",
                   "CREATE DISTRIBUTION days COLUMN TYPES bigint HASH, date HASH SHARDS (s1, s2, s3)",
                   "ALTER DISTRIBUTION days ATTACH TABLE days DISTRIBUTION KEY a, d")
        made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2, s3)",
                   *[f"ALTER DISTRIBUTION d ATTACH TABLE {table} DISTRIBUTION KEY k"
                     for table in _SHARDED])
        for kind, keys in _KINDS.items():
            made.admin(f"CREATE DISTRIBUTION d_{kind} COLUMN TYPES {keys[0]} HASH SHARDS (s1, s2, s3)")
            for connect in (made.connect_oracle, made.connect):
                with connect() as connection:
                    connection.execute(f"CREATE TABLE by_{kind} (k {keys[0]} PRIMARY KEY, v integer)")
            made.admin(f"ALTER DISTRIBUTION d_{kind} ATTACH TABLE by_{kind} DISTRIBUTION KEY k")
        yield made


_KINDS = {
    "smallint": ("smallint", ["1", "-2", "300", "4"]),
    "integer": ("integer", ["1", "-2", "70000", "4"]),
    "text": ("text", ["'a'", "'it''s'", "'\u00e9\n'", "''"]),
    "uuid": ("uuid", [f"'00000000-0000-0000-0000-00000000000{n}'" for n in range(4)]),
    "date": ("date", ["'2024-02-29'", "'0044-03-15 BC'", "'infinity'", "'1999-12-31'"]),
    "timestamp": ("timestamp", ["'2024-02-29 01:02:03.456789'", "'-infinity'", "'1999-12-31'",
                                "'0044-03-15 BC'"]),
    "timestamptz": ("timestamptz", ["'2024-02-29 01:02:03.456789+05:45'", "'-infinity'",
                                    "'1999-12-31 00:00:00Z'", "'2000-01-01 00:00:00-07'"]),
    "bytea": ("bytea", ["'\\x00'", "'\\xff00'", "'\\x27'", "''"]),
}


@pytest.fixture
def both(shop):
    """Rows 1 to 12 in `moved`; statements run on both."""
    made = Comparison(shop)
    for connect in (shop.connect, shop.connect_oracle):
        with connect() as connection:
            connection.execute("TRUNCATE moved RESTART IDENTITY")
            for key in _KEYS:
                connection.execute(
                    "INSERT INTO moved (k, note, a, b, c, d, e, f, g, h, i, j, l, m, n, o, p, q, r, s, t, "
                    "u, x, number) OVERRIDING SYSTEM VALUE "
                    f"VALUES ({key}, 'row {key}', {_ROW}, {key + 100})")
    yield made
    made.close()


def run(both, *statements):
    for sql in statements:
        assert both.simple(sql).sqlstate != "0A000", sql


def assert_same(shop):
    """Every row is once there, bit for bit, on the shard of its key."""
    sql = "SELECT k, md5(t::text), t::text FROM moved t"
    with shop.connect_oracle() as oracle:
        expected = sorted(oracle.execute(sql).fetchall())
    assert sorted(sum((shard.execute(sql, shop.database) for shard in shop.shards), [])) == expected
    with shop.connect() as connection:
        for key, digest, _ in expected:
            assert connection.execute(f"SELECT md5(t::text) FROM moved t WHERE k = {key}").fetchall() == [
                (digest,)], key


@pytest.mark.parametrize("to", [20, 21, 22, 23, 24, 25])
def test_a_row_moves_as_it_is(shop, both, to):
    run(both, f"UPDATE moved SET k = {to} WHERE k = 1")
    assert_same(shop)


@pytest.mark.parametrize("setting", ["datestyle = 'SQL, DMY'", "extra_float_digits = -10",
                                     "intervalstyle = 'sql_standard'", "bytea_output = 'escape'",
                                     "timezone = 'Asia/Kolkata'", "standard_conforming_strings = off"])
def test_whatever_the_settings(shop, both, setting):
    run(both, f"SET {setting}", "UPDATE moved SET k = 30 WHERE k = 2 RETURNING *",
        "UPDATE moved SET k = 31 WHERE k = 30", "UPDATE moved SET k = 32 WHERE k = 31")
    assert_same(shop)


def test_expressions_are_postgresql_s(shop, both):
    for to in range(40, 46):
        run(both, f"UPDATE moved SET k = {to}, z = z + b, f = f || k, note = DEFAULT, b = 5.5, g = NULL "
                  f"WHERE k = {to - 39} RETURNING k, z, twice, number, f, upper(f) AS u, note, b")
    assert_same(shop)


def test_errors(shop, both):
    for to in range(50, 56):
        for change in (f"k = {to}, z = 0", f"k = {to}, z = NULL",
                       f"k = {to}, number = 5", f"k = {to}, twice = 5", f"k = {to}, nothing = 5",
                       f"k = {to}, b = 'x'", f"k = {to}, a = b / 0", "k = NULL", "k = 'x'",
                       f"k = {to}, note = repeat('x', 50)", "k = 12", "k = 11"):
            run(both, f"UPDATE moved SET {change} WHERE k = {to - 49} RETURNING k")
    assert_same(shop)


def test_rows_of_several_shards(shop, both):
    run(both, "UPDATE moved SET k = 60 WHERE b = 7", "UPDATE moved SET k = 60 WHERE k IN (1, 2, 3)",
        "UPDATE moved SET k = 60 WHERE f = 'no such row'", "UPDATE moved SET k = 61 WHERE k = 999")
    for key in _KEYS:
        run(both, f"UPDATE moved SET k = {key + 60} WHERE note = 'row {key}' RETURNING k, note")
    assert_same(shop)


def test_in_a_transaction(shop, both):
    for to in range(80, 84):
        run(both, "BEGIN", f"UPDATE moved SET k = {to} WHERE k = 1", f"SELECT note FROM moved WHERE k = {to}",
            "SELECT note FROM moved WHERE k = 1", "SAVEPOINT a", "UPDATE moved SET k = 2 WHERE k = 3",
            "SELECT 1", "ROLLBACK TO a", f"UPDATE moved SET k = {to + 10} WHERE k = {to}",
            "SELECT count(*) FROM moved WHERE k = 3", "ROLLBACK")
    run(both, "BEGIN ISOLATION LEVEL READ UNCOMMITTED", "UPDATE moved SET k = 90 WHERE k = 1 RETURNING k, note",
        "UPDATE moved SET k = 91 WHERE k = 90 RETURNING k, note", "COMMIT",
        "UPDATE moved SET k = 92 WHERE k = 2; UPDATE moved SET k = 93 WHERE k = 3; SELECT 1")
    assert_same(shop)


@pytest.mark.parametrize("formats", [0, 1])
def test_extended(shop, both, formats):
    sql = "UPDATE moved SET k = $1, f = $2, z = z + $3 WHERE k = $4 RETURNING k, f, z, e"
    for to in range(100, 106):
        got = both.extended(sql, [str(to), "it's", "3", str(to - 99)], result_formats=[formats])
        assert got.sqlstate is None and len(got.rows) == 1
    with shop.connect() as connection, pytest.raises(psycopg.errors.NotNullViolation):
        connection.execute("UPDATE moved SET k = %s WHERE k = 8", [None])
    assert both.extended(sql, ["12", "x", "3", "8"]).sqlstate == "23505"
    assert both.extended("UPDATE moved SET k = $1 WHERE b = $2", ["110", "-1"]).tags == ["UPDATE 0"]
    assert_same(shop)


@pytest.mark.parametrize("kind", _KINDS)
def test_types_of_keys(shop, both, kind):
    first, *others = _KINDS[kind][1]
    run(both, f"DELETE FROM by_{kind}", f"INSERT INTO by_{kind} VALUES ({first}, 1)")
    before = first
    for to in others + [first]:
        run(both, f"UPDATE by_{kind} SET v = v + 1, k = {to} WHERE k = {before} RETURNING k, v",
            f"SELECT * FROM by_{kind} WHERE k = {to}", f"SELECT * FROM by_{kind} WHERE k = {before}")
        before = to


def test_keys_of_two_columns(shop, both):
    """WHERE says what the column is that stays."""
    for n in range(6):
        run(both, f"INSERT INTO pairs VALUES ('x', 1, {n})")
        for change in (f"a = {n + 10} WHERE a = {n} AND b = 'x'", f"b = 'it''s' WHERE a = {n + 10} AND b = 'x'",
                       f"v = v + 1, a = {n + 20} WHERE b = 'it''s' AND v = 1 AND a = {n + 10}",
                       f"a = {n + 30}, b = 'y' WHERE a = {n + 20} AND b = 'it''s'",
                       f"b = 'it''s', a = {n + 40} WHERE a = {n + 30} AND b = 'y'", "a = 7 WHERE a = 8 AND b = NULL",
                       f"a = {n + 39} WHERE a = {n + 40} AND b = 'it''s'"):
            run(both, f"UPDATE pairs SET {change} RETURNING *", "SELECT * FROM pairs")
        got = both.extended("UPDATE pairs SET a = $1 WHERE a = $2 AND b = $3 RETURNING v, a, b",
                            [str(n + 50), str(n + 39), "it's"])
        assert got.sqlstate is None
        run(both, f"SELECT * FROM pairs WHERE a = {n + 50} AND b = 'it''s'")


@pytest.mark.parametrize("sql, why", [
    ("UPDATE pairs SET a = {to} WHERE b = 'it''s' AND a = 50 OR a = 51", "each column"),
    ("UPDATE pairs SET a = {to} WHERE a = 50 AND b IN ('it''s', 'y')", "each column"),
    ("UPDATE days SET a = {to} WHERE a = 1 AND d = 'today'", "only the server can tell"),
    ("UPDATE fires SET k = {to} WHERE k = 1", "triggers"),
    ("UPDATE parents SET k = {to} WHERE k = 1", "foreign keys"),
    ("UPDATE children SET k = {to} WHERE k = 1", "foreign keys"),
    ("UPDATE secured SET k = {to} WHERE k = 1", "row level security"),
    ("UPDATE ruled SET k = {to} WHERE k = 1", "rules"),
    ("UPDATE odd SET k = {to} WHERE k = 1", "type"),
    ("UPDATE split SET k = {to} WHERE k = 1", "partitions"),
    ("UPDATE split_1 SET k = {to} WHERE k = 1", "partition"),
    ("UPDATE moved SET k = k + {to} WHERE k = 1", "cannot compute"),
    ("UPDATE moved SET k = {to}, b = (SELECT 1) WHERE k = 1", "subquery"),
    ("UPDATE moved SET k = {to}, e = random() WHERE k = 1", "random"),
    ("UPDATE moved SET k = {to} WHERE k = 1 RETURNING ctid", "system column"),
    ("UPDATE moved SET k = {to} FROM parents p WHERE p.k = moved.k AND p.k = 1", "joins"),
    ("EXPLAIN UPDATE moved SET k = {to} WHERE k = 1", "EXPLAIN"),
])
def test_refused(shop, sql, why):
    connection = w.Wire("127.0.0.1", shop.proxy.port)
    connection.login("app", "app", shop.database)
    answers = [connection.query(sql.format(to=to)) for to in range(2, 9)]
    errors = [m.fields() for messages in answers for m in messages if m.type == "E"]
    assert errors and {error["C"] for error in errors} == {"0A000"}
    assert all(why in error["M"] and error["H"] for error in errors), errors
    connection.close()


def test_another_encoding(shop):
    connection = w.Wire("127.0.0.1", shop.proxy.port)
    connection.login("app", "app", shop.database, client_encoding="LATIN1")
    states = {state for to in range(2, 9)
              for state in w.sqlstates(connection.query(f"UPDATE moved SET k = {to + 200} WHERE k = 1"))}
    assert states == {"0A000"}
    connection.close()


@pytest.mark.parametrize("ddl", [
    "CREATE TRIGGER t AFTER DELETE ON moved FOR EACH ROW EXECUTE FUNCTION noted()",
    "ALTER TABLE moved ADD COLUMN more integer DEFAULT 3",
])
def test_the_table_has_just_changed(shop, both, ddl):
    """In the same transaction, where nobody else can know of it."""
    for to in range(300, 306):
        connection = w.Wire("127.0.0.1", shop.proxy.port)
        connection.login("app", "app", shop.database)
        assert w.sqlstates(connection.query("BEGIN")) == []
        assert w.sqlstates(connection.query(ddl)) == []
        assert w.sqlstates(connection.query(f"UPDATE moved SET k = {to} WHERE k = 1")) in ([], ["0A000"])
        rows = connection.query("ROLLBACK")
        assert w.tags(rows) == ["ROLLBACK"]
        connection.close()
    assert_same(shop)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "READ COMMITTED"])
def test_the_table_changes_behind_a_snapshot(shop, level):
    """A row that moved would get the new default, and fire the trigger: neither shows in the old snapshot."""
    table = "late_" + level.split()[0].lower()
    with shop.connect() as connection:
        connection.execute(f"CREATE TABLE {table} (k bigint PRIMARY KEY, v integer)")
        shop.admin(f"ALTER DISTRIBUTION d ATTACH TABLE {table} DISTRIBUTION KEY k")
        for key in range(6):
            connection.execute(f"INSERT INTO {table} VALUES ({key}, 1)")
    connection = w.Wire("127.0.0.1", shop.proxy.port)
    connection.login("app", "app", shop.database)
    assert w.sqlstates(connection.query(f"BEGIN ISOLATION LEVEL {level}; SELECT k FROM fires")) == []
    for shard in shop.shards:
        shard.execute(f"ALTER TABLE {table} ADD COLUMN more integer DEFAULT 3; "
                      f"ALTER TABLE {table} ALTER more SET DEFAULT 4", shop.database)
    states = []
    for key in range(6):
        connection.query("SAVEPOINT a")
        (state,) = w.sqlstates(connection.query(f"UPDATE {table} SET k = {key + 100} WHERE k = {key}")) or [None]
        if state is None:
            assert connection.rows(f"SELECT more FROM {table} WHERE k = {key + 100}") == [("3",)]
        else:
            assert state == "0A000"
            connection.query("ROLLBACK TO a")
        states.append(state)
    assert "0A000" in states
    connection.close()


def test_a_role_that_reads_repeatably(shop, both):
    """Which only the shards know."""
    (verifier,) = shop.shards[0].execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")[0]
    for shard in shop.shards:
        shard.execute(f"CREATE ROLE steady LOGIN PASSWORD '{verifier}' IN ROLE app; "
                      "ALTER ROLE steady SET default_transaction_isolation = 'repeatable read'")
    shop.proxy.wait_until_serving("steady", "app")
    connection = w.Wire("127.0.0.1", shop.proxy.port)
    connection.login("steady", "app", shop.database)
    states = {state for to in range(700, 706)
              for state in w.sqlstates(connection.query(f"UPDATE moved SET k = {to} WHERE k = {to - 699}"))}
    assert states == {"0A000"}
    connection.close()


@pytest.mark.parametrize("to", range(400, 404))
def test_a_concurrent_update_is_not_lost(shop, both, to):
    """It waits for the row, and moves what the other has made of it."""
    with shop.connect() as first, shop.connect() as second:
        first.autocommit = False
        first.execute("UPDATE moved SET z = 50 WHERE k = 5")
        tags = []
        mover = threading.Thread(target=lambda: tags.append(
            second.execute(f"UPDATE moved SET k = {to}, z = z + 1 WHERE k = 5").rowcount))
        mover.start()
        mover.join(0.3)
        assert mover.is_alive()
        first.commit()
        mover.join(20)
        assert tags == [1]
        assert second.execute(f"SELECT z, twice FROM moved WHERE k = {to}").fetchall() == [(51, 102)]
        assert second.execute("SELECT count(*) FROM moved WHERE k = 5").fetchall() == [(0,)]


@pytest.mark.parametrize("to", range(410, 414))
def test_who_comes_after_a_move_finds_nothing(shop, both, to):
    with shop.connect() as first, shop.connect() as second:
        first.autocommit = False
        first.execute(f"UPDATE moved SET k = {to} WHERE k = 5")
        counts = []
        other = threading.Thread(target=lambda: counts.append(
            second.execute("UPDATE moved SET z = 9 WHERE k = 5").rowcount))
        other.start()
        other.join(0.3)
        assert other.is_alive()
        first.commit()
        other.join(20)
        assert counts == [0]


def test_a_row_that_does_not_belong_there(shop, both):
    """It is not taken for one that has moved."""
    for shard in shop.shards:
        shard.execute("INSERT INTO by_integer VALUES (900, 9) ON CONFLICT DO NOTHING", shop.database)
    connection = w.Wire("127.0.0.1", shop.proxy.port)
    connection.login("app", "app", shop.database)
    states = set()
    for key in range(800, 806):
        assert w.sqlstates(connection.query(f"INSERT INTO by_integer VALUES ({key}, 1)")) == []
        states.update(w.sqlstates(connection.query(f"UPDATE by_integer SET k = 900 WHERE k = {key}")))
        assert connection.rows(f"SELECT v FROM by_integer WHERE k = {key}") == [("1",)]
    assert states == {"23505"}
    # No row changes, but one would be taken.
    states = {state for key in range(810, 816)
              for state in w.sqlstates(connection.query(f"UPDATE by_integer SET k = 900 WHERE k = {key}"))}
    assert states == {"0A000"}
    connection.close()
    for shard in shop.shards:
        assert shard.execute("DELETE FROM by_integer WHERE k = 900 RETURNING v", shop.database) == [(9,)]


def test_many_move_at_once(shop, both):
    """No row is lost, doubled or misplaced."""
    keys = range(1000, 1030)
    with shop.connect() as connection:
        for key in keys[:10]:
            connection.execute(f"INSERT INTO by_integer VALUES ({key}, {key})")

    def move(seed, states):
        chance = random.Random(seed)
        connection = w.Wire("127.0.0.1", shop.proxy.port)
        connection.login("app", "app", shop.database)
        for _ in range(100):
            states += w.sqlstates(connection.query(
                f"UPDATE by_integer SET k = {chance.choice(keys)} WHERE k = {chance.choice(keys)}")) or [None]
        connection.close()

    states = []
    movers = [threading.Thread(target=move, args=(seed, states)) for seed in range(4)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join(60)
    # 40P01: two that wait for each other, on one shard or on two.
    assert len(states) == 400 and set(states) <= {None, "23505", "40P01"}
    rows = sum((shard.execute("SELECT k, v FROM by_integer WHERE k >= 1000", shop.database)
                for shard in shop.shards), [])
    assert sorted(v for _, v in rows) == list(keys[:10])
    with shop.connect() as connection:
        for key, v in rows:
            assert connection.execute(f"SELECT v FROM by_integer WHERE k = {key}").fetchall() == [(v,)]


def test_too_many_bytes(shop, both):
    keys = [1, 2, 3, 4]
    with shop.connect() as connection:
        for key in keys:
            connection.execute(f"UPDATE moved SET f = repeat('x', 70000000) WHERE k = {key}")
        errors = set()
        for key in keys:
            try:
                connection.execute(f"UPDATE moved SET k = 500 WHERE k = {key}")
                connection.execute(f"UPDATE moved SET k = {key} WHERE k = 500")
            except Exception as error:  # psycopg's class depends on the SQLSTATE
                errors.add(error.sqlstate)
        assert errors == {"54000"}
        assert connection.execute("SELECT k FROM moved WHERE k < 5").rowcount == 4
