"""Which anomalies transactions over several shards allow at which isolation level: the table of
docs/consistency.md, by name (Berenson et al., "A Critique of ANSI SQL Isolation Levels", 1995)."""

import itertools
import threading

import psycopg
import pytest

from cluster import process
from cluster.cluster import Cluster
from test_routing import shard_of

NUMBERS = itertools.count()
LEVELS = ["READ COMMITTED", "REPEATABLE READ"]


@pytest.fixture(scope="module")
def shards():
    # One worker: another would not have seen yet that a role's defaults are new.
    with Cluster(shards=2, oracle=False, proxy_settings={"workers": 1}) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE kv (k bigint PRIMARY KEY, v integer CHECK (v >= 0))")
            made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2)",
                       "ALTER DISTRIBUTION d ATTACH TABLE kv DISTRIBUTION KEY k")
            rows = ", ".join(f"({key}, 0)" for key in range(50))
            connection.execute(f"INSERT INTO kv VALUES {rows}")
        found = {}
        for key in range(50):
            found.setdefault(shard_of(made, key), key)
        made.keys = (found["s1"], found["s2"])
        yield made


@pytest.fixture
def two(shards):
    """Two clients; both rows are 0."""
    x, y = shards.keys
    first, second = shards.connect(autocommit=True), shards.connect(autocommit=True)
    first.execute("UPDATE kv SET v = 0")
    yield first, second, x, y
    for connection in (first, second):
        connection.close()


def begin(connection, level: str):
    connection.execute(f"BEGIN ISOLATION LEVEL {level}")


def value(connection, key: int) -> int:
    return connection.execute(f"SELECT v FROM kv WHERE k = {key}").fetchone()[0]


def write(connection, key: int, new: int):
    connection.execute(f"UPDATE kv SET v = {new} WHERE k = {key}")


def both(connection, x: int, y: int) -> list:
    return [value(connection, x), value(connection, y)]


@pytest.mark.parametrize("level", LEVELS)
def test_dirty_write_never(two, level):
    """Two transactions write both rows: who comes second waits, or fails; never one row of each."""
    first, second, x, y = two
    begin(first, level)
    begin(second, level)
    assert both(second, x, y) == [0, 0]  # its snapshots are of now, where it has any
    write(first, x, 1)
    errors = []

    def run():
        try:
            write(second, x, 2)
            write(second, y, 2)
            second.execute("COMMIT")
        except psycopg.Error as error:
            errors.append(error.sqlstate)
            second.execute("ROLLBACK")
    thread = threading.Thread(target=run)
    thread.start()
    write(first, y, 1)
    first.execute("COMMIT")
    thread.join(20)
    assert errors == ([] if level == "READ COMMITTED" else ["40001"])
    assert both(first, x, y) == ([2, 2] if level == "READ COMMITTED" else [1, 1])


@pytest.mark.parametrize("level", LEVELS)
def test_lost_update(two, level):
    """Both read x and write what they have read and one more. Allowed in READ COMMITTED, as in
    PostgreSQL."""
    first, second, x, y = two
    for connection in (first, second):
        begin(connection, level)
        assert both(connection, x, y) == [0, 0]
    write(first, x, 1)
    write(first, y, 1)
    first.execute("COMMIT")
    if level == "READ COMMITTED":
        write(second, x, 1)
        second.execute("COMMIT")
        assert value(first, x) == 1
    else:
        with pytest.raises(psycopg.errors.SerializationFailure):
            write(second, x, 1)
        second.execute("ROLLBACK")


def test_dirty_read_never(two):
    first, second, x, y = two
    begin(first, "READ COMMITTED")
    write(first, x, 1)
    write(first, y, 1)
    assert both(second, x, y) == [0, 0]
    first.execute("ROLLBACK")
    assert both(second, x, y) == [0, 0]


def test_fuzzy_read(two):
    """A row that is read twice."""
    first, second, x, y = two
    for level, seen in (("READ COMMITTED", 1), ("REPEATABLE READ", 0)):
        write(second, x, 0)
        begin(first, level)
        assert both(first, x, y) == [0, 0]
        write(second, x, 1)
        assert value(first, x) == seen
        first.execute("COMMIT")


@pytest.mark.parametrize("level, snapshot, seen", [
    ("READ COMMITTED", "transaction", 1), ("REPEATABLE READ", "transaction", 0),
    ("REPEATABLE READ", "local", 1)])
def test_read_skew(two, level, snapshot, seen):
    """Another transaction commits on both shards between the first use of one and of the other: does
    this one see half of it?"""
    first, second, x, y = two
    first.execute(f"SET meridian.snapshot = '{snapshot}'")
    begin(first, level)
    assert value(first, x) == 0
    begin(second, level)
    write(second, x, 1)
    write(second, y, 1)
    second.execute("COMMIT")
    assert value(first, y) == seen
    first.execute("COMMIT")


@pytest.mark.parametrize("level", LEVELS)
def test_write_skew_is_possible(two, level):
    """Each reads both rows and writes one: allowed at these levels, as in PostgreSQL."""
    first, second, x, y = two
    for connection in (first, second):
        begin(connection, level)
        assert both(connection, x, y) == [0, 0]
    write(first, x, 1)
    write(second, y, 1)
    first.execute("COMMIT")
    second.execute("COMMIT")
    assert both(first, x, y) == [1, 1]


@pytest.mark.parametrize("start", [
    ["BEGIN ISOLATION LEVEL SERIALIZABLE"],
    ["BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"],
    ["SET default_transaction_isolation = 'serializable'", "BEGIN"],
    ["SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN"]])
def test_serializable_on_several_shards_is_refused(two, start):
    first, _, x, y = two
    for statement in (f"SELECT v FROM kv WHERE k = {y}", "UPDATE kv SET v = 5", "SELECT v FROM kv"):
        for sql in start:
            first.execute(sql)
        assert value(first, x) == 0
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            first.execute(statement)
        first.execute("ROLLBACK")
    first.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
    assert both(first, x, y) == [0, 0]
    first.execute("COMMIT")


def test_repeatable_read_that_began_on_one_shard_is_refused_on_others(two):
    """Its snapshot there is older than any that the others could take."""
    first, _, x, y = two
    for statement in (f"SELECT v FROM kv WHERE k = {y}", "UPDATE kv SET v = 5", "SELECT v FROM kv"):
        begin(first, "REPEATABLE READ")
        first.execute("SET LOCAL meridian.shard = 's1'")
        assert value(first, x) == 0
        first.execute("SET LOCAL meridian.shard = ''")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            first.execute(statement)
        first.execute("ROLLBACK")


def test_repeatable_read_by_default(two):
    """Single statements are transactions in it, too."""
    first, _, x, y = two
    first.execute("SET default_transaction_isolation = 'repeatable read'")
    assert first.execute("UPDATE kv SET v = v + 1").rowcount == 50
    with pytest.raises(psycopg.errors.CheckViolation):
        first.execute("INSERT INTO kv VALUES " + ", ".join(f"({key}, -1)" for key in range(60, 80)))
    assert both(first, x, y) == [1, 1]


def test_serializable_on_one_shard_is_postgresqls(two):
    first, second, x, _ = two
    for connection in (first, second):
        begin(connection, "SERIALIZABLE")
        assert value(connection, x) == 0
    write(first, x, 1)
    first.execute("COMMIT")
    with pytest.raises(psycopg.errors.SerializationFailure):
        write(second, x, 2)
    second.execute("ROLLBACK")


def test_select_for_update_locks_on_all_shards(two):
    """Until the transaction ends; then both may go on."""
    first, second, x, y = two
    first.execute("BEGIN")
    assert len(first.execute("SELECT k FROM kv FOR UPDATE").fetchall()) == 50
    for key in (x, y):
        with pytest.raises(psycopg.errors.LockNotAvailable):
            second.execute(f"SELECT v FROM kv WHERE k = {key} FOR UPDATE NOWAIT")
    assert second.execute("SELECT k FROM kv FOR UPDATE SKIP LOCKED").fetchall() == []
    write(first, x, 1)
    first.execute("COMMIT")
    assert len(second.execute("SELECT k FROM kv FOR UPDATE NOWAIT").fetchall()) == 50
    assert both(second, x, y) == [1, 0]


@pytest.mark.parametrize("setting, error", [
    ("lock_timeout", psycopg.errors.LockNotAvailable),
    ("statement_timeout", psycopg.errors.QueryCanceled)])
@pytest.mark.parametrize("sql", ["UPDATE kv SET v = 7 WHERE k = {y}", "UPDATE kv SET v = 7",
                                 "SELECT v FROM kv FOR UPDATE"])
def test_timeouts_pass_through(two, setting, error, sql):
    """In a transaction that has joined both shards, on the shard where the lock is."""
    first, second, x, y = two
    second.execute("BEGIN")
    write(second, y, 1)
    first.execute("BEGIN")
    first.execute(f"SET LOCAL {setting} = '200ms'")
    write(first, x, 1)
    with pytest.raises(error):
        first.execute(sql.format(y=y))
    second.execute("COMMIT")  # which did not wait for the other's ROLLBACK, and lost nothing
    first.execute("ROLLBACK")
    assert both(first, x, y) == [0, 1]


@pytest.mark.parametrize("setting", [
    "SET transaction_isolation = 'Serializable'", "SET LOCAL transaction_isolation TO serializable",
    "SET transaction_isolation = E'serializ\\x61ble'",
    "SET TRANSACTION READ WRITE, ISOLATION\n LEVEL /* the highest */ SERIALIZABLE"])
def test_serializable_by_the_settings_of_the_transaction(two, setting):
    first, _, x, y = two
    first.execute("BEGIN")
    first.execute(setting)
    assert value(first, x) == 0
    assert first.execute("SHOW transaction_isolation").fetchone()[0] == "serializable"
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        value(first, y)
    first.execute("ROLLBACK")
    assert both(first, x, y) == [0, 0]


@pytest.mark.parametrize("begin_text", [
    "BEGIN ISOLATION LEVEL REPEATABLE  READ", "START TRANSACTION ISOLATION LEVEL REPEATABLE/**/READ",
    "BEGIN; SET transaction_isolation = 'REPEATABLE READ'", "BEGIN ISOLATION LEVEL"
    " SERIALIZABLE; SET TRANSACTION ISOLATION LEVEL\nREPEATABLE\nREAD"])
def test_repeatable_read_however_it_is_written(two, begin_text):
    first, second, x, y = two
    for statement in begin_text.split("; "):
        first.execute(statement)
    assert value(first, x) == 0
    write(second, y, 1)
    assert value(first, y) == 0
    first.execute("COMMIT")
    assert value(first, y) == 1


@pytest.mark.parametrize("setting", ["SET transaction_read_only = on",
                                     "SET LOCAL transaction_read_only = 'yes'"])
def test_read_only_on_all_shards(two, setting):
    first, _, x, y = two
    first.execute("BEGIN")
    first.execute(setting)
    assert value(first, x) == 0
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        write(first, y, 1)
    first.execute("ROLLBACK")
    write(first, y, 1)


def test_a_transaction_that_is_open_takes_no_characteristics_from_begin(two):
    first, _, x, y = two
    first.execute("BEGIN")
    assert value(first, x) == 0
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        first.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    first.execute("ROLLBACK")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        first.execute("RESET transaction_isolation")


def can_connect(shards, user: str) -> bool:
    try:
        shards.connect(user=user, password=user).close()
        return True
    except psycopg.OperationalError:
        return False


@pytest.fixture
def defaults(shards):
    """Sets defaults of users that are made for it, on shards."""
    made = []

    def set_on(names: list, *settings: str) -> str:
        user = f"with_defaults_{next(NUMBERS)}"
        made.append(user)
        password = f"'{user}'"
        for shard in shards.shards:
            shard.execute(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD {password}")
            verifier = shard.execute(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'")
            password = f"'{verifier[0][0]}'"
            for setting in settings if shard.name in names else []:
                shard.execute(f"ALTER ROLE {user} SET {setting}")
        process.wait_for(lambda: can_connect(shards, user), "role is known")
        return user
    yield set_on
    for shard in shards.shards:
        for user in made:
            shard.execute(f"DROP ROLE {user}")


def test_isolation_level_of_the_role(shards, defaults):
    x, y = shards.keys
    user = defaults(["s1", "s2"], "default_transaction_isolation = 'Serializable'")
    with shards.connect(user=user, password=user, autocommit=True) as connection:
        connection.execute("BEGIN")
        assert value(connection, x) == 0
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            value(connection, y)
        connection.execute("ROLLBACK")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute("UPDATE kv SET v = 0")
        connection.execute("SET default_transaction_isolation = 'read committed'")
        assert connection.execute("UPDATE kv SET v = 0").rowcount == 50


def test_defaults_that_differ_between_shards_are_those_of_the_first(shards, defaults):
    x, y = shards.keys
    user = defaults(["s2"], "default_transaction_isolation = 'serializable'",
                    "search_path = nowhere", "default_transaction_read_only = on",
                    "standard_conforming_strings = off")
    with shards.connect(user=user, password=user, autocommit=True) as connection:
        connection.execute("BEGIN")
        assert both(connection, x, y) == [0, 0]
        assert connection.execute("SHOW transaction_isolation").fetchone()[0] == "read committed"
        write(connection, y, 0)
        connection.execute("COMMIT")
        connection.execute("SET meridian.shard = 's2'")
        for setting, default in (("search_path", '"$user", public'),
                                 ("standard_conforming_strings", "on")):
            assert connection.execute(f"SHOW {setting}").fetchone()[0] == default
            connection.execute(f"SET {setting} = 'off'")
            assert connection.execute(f"SHOW {setting}").fetchone()[0] == "off"
            connection.execute(f"RESET {setting}")
            assert connection.execute(f"SHOW {setting}").fetchone()[0] == default
        connection.execute("RESET ALL")
        assert connection.execute("SHOW search_path").fetchone()[0] == '"$user", public'


def test_a_session_keeps_the_defaults_that_it_began_with(shards, defaults):
    x, _ = shards.keys
    user = defaults(["s1", "s2"], "search_path = public")
    with shards.connect(user=user, password=user, autocommit=True) as old:
        assert value(old, x) == 0
        for shard in shards.shards:
            shard.execute(f"ALTER ROLE {user} SET search_path = elsewhere")
            shard.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                          f" WHERE usename = '{user}'")
        for _ in range(3):  # the pool may not have seen yet that its connections are gone
            try:
                value(old, x)
            except psycopg.OperationalError:
                pass
        assert value(old, x) == 0
        with shards.connect(user=user, password=user, autocommit=True) as new:
            assert new.execute("SHOW search_path").fetchone()[0] == "elsewhere"
            with pytest.raises(psycopg.errors.UndefinedTable):
                value(new, x)
        assert value(old, x) == 0


def test_what_a_shard_is_told_to_stop_hits_nothing_behind_it(two):
    """The other has refused; this one may have done its part when it is told."""
    first, _, x, y = two
    first.execute("BEGIN")
    for _ in range(150):
        first.execute("SAVEPOINT s")
        with pytest.raises(psycopg.errors.CheckViolation):
            first.execute(f"UPDATE kv SET v = CASE k WHEN {x} THEN -1 ELSE 1 END WHERE k IN ({x}, {y})")
        first.execute("ROLLBACK TO SAVEPOINT s")
        for _ in range(6):
            write(first, y, 2)
    first.execute("COMMIT")
    assert both(first, x, y) == [0, 2]
