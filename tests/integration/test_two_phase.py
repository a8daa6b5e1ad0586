"""Writes on several shards are atomic: all but one PREPARE TRANSACTION, and the COMMIT of that one, the
lead, which has a record of the decision, decides for all. Here s1 leads."""

import os
import signal
import time

import psycopg
import pytest

import wire as w
from cluster.cluster import Cluster
from cluster.process import wait_for

# What runs at the end of a transaction, so within PREPARE TRANSACTION or COMMIT.
SCHEMA = """
SET ROLE app;
CREATE TABLE audited (k bigint PRIMARY KEY, bad boolean NOT NULL DEFAULT false);
CREATE FUNCTION at_the_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.k < 0 THEN PERFORM 1 FROM no_such_table; END IF;
  IF NEW.bad THEN RAISE EXCEPTION 'too bad' USING ERRCODE = '23514'; END IF;
  IF {sleeps} AND NEW.k = (SELECT min(k) FROM audited) THEN PERFORM pg_sleep(0.7); END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER at_the_end AFTER INSERT ON audited DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION at_the_end();
"""


def insert(keys, bad=()) -> str:
    rows = ", ".join(f"({key}, {str(key in bad).lower()})" for key in keys)
    return f"INSERT INTO audited (k, bad) VALUES {rows}"


def make_cluster(**settings) -> Cluster:
    made = Cluster(shards=2, oracle=False, **settings)
    for shard in made.shards:
        shard.execute(SCHEMA.format(sleeps=shard.name == "s1"), made.database)
    made.admin("CREATE DISTRIBUTION audit COLUMN TYPES bigint HASH SHARDS (s1, s2)",
               "ALTER DISTRIBUTION audit ATTACH TABLE audited DISTRIBUTION KEY k")
    return made


@pytest.fixture(scope="module")
def audited():
    with make_cluster() as made:
        yield made


@pytest.fixture(autouse=True)
def empty(request):
    if "audited" in request.fixturenames:
        with request.getfixturevalue("audited").connect() as connection:
            connection.execute("TRUNCATE audited")


def prepared(cluster) -> list:
    return [row for shard in cluster.shards
            for row in shard.execute("SELECT gid FROM pg_prepared_xacts", cluster.database)]


def test_all_or_nothing(audited):
    with audited.connect() as connection:
        assert connection.execute(insert(range(1, 31))).statusmessage == "INSERT 0 30"
        assert all(audited.rows_per_shard("audited").values())
        before = audited.rows_per_shard("audited")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(insert(range(101, 131), bad={115}))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(insert(range(30, 60)))
    assert audited.rows_per_shard("audited") == before
    assert prepared(audited) == []


def test_an_error_leaves_no_chain(audited):
    """As in PostgreSQL: AND CHAIN opens the next transaction only behind a COMMIT that is one."""
    with audited.connect() as connection:
        connection.execute("BEGIN")
        connection.execute(insert(range(1, 31), bad={15}))
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("COMMIT AND CHAIN")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        connection.execute(insert(range(1, 31)))
    assert sum(audited.rows_per_shard("audited").values()) == 30


@pytest.fixture
def writer(audited):
    for shard in audited.shards:
        shard.execute("CREATE ROLE writer; GRANT writer TO app", audited.database)
        shard.execute("GRANT ALL ON audited TO writer", audited.database)
    yield
    for shard in audited.shards:
        shard.execute("REVOKE ALL ON audited FROM writer", audited.database)
        shard.execute("DROP ROLE writer", audited.database)


@pytest.mark.parametrize("become", [["SET LOCAL ROLE writer"], ["SET ROLE writer"],
                                    ["SET ROLE writer", "SET LOCAL ROLE app"],
                                    ["SELECT set_config('role', 'writer', true)"]])
def test_another_role(audited, writer, become):
    """COMMIT PREPARED is for the role that has prepared, and SET LOCAL ends before it."""
    with audited.connect() as connection:
        notices = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        for commit in ("COMMIT", "ROLLBACK", "COMMIT"):
            connection.execute("BEGIN")
            for sql in become:
                connection.execute(sql)
            connection.execute(insert(range(1, 31)))
            connection.execute(commit)
            assert (notices, prepared(audited)) == ([], [])
            connection.execute("RESET ROLE")
            connection.execute("TRUNCATE audited")
        connection.execute("BEGIN")
        for sql in become:
            connection.execute(sql)
        connection.execute(insert(range(1, 31), bad={1, 2, 3, 4, 5, 6, 7, 8}))
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("COMMIT")
    assert sum(audited.rows_per_shard("audited").values()) == 0


def test_servers_that_stay_have_not_written_in_a_later_transaction():
    with make_cluster(proxy_settings={"pool_mode": "session"}) as made, made.connect() as connection:
        connection.execute(insert(range(1, 31)))
        for key in range(1, 31):
            connection.execute(f"UPDATE audited SET bad = bad WHERE k = {key}")
        for level in ("READ COMMITTED", "REPEATABLE READ"):
            connection.execute(f"BEGIN ISOLATION LEVEL {level} READ ONLY")
            assert len(connection.execute("SELECT k FROM audited").fetchall()) == 30
            connection.execute("COMMIT")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_vanishes_leaves_no_prepared_transaction(audited, how):
    connection = w.Wire("127.0.0.1", audited.proxy.port)
    connection.login("app", "app", audited.database)
    connection.send(w.query(insert(range(1, 41))))
    time.sleep(0.3)  # one shard has prepared, the lead sleeps in its COMMIT
    assert len(prepared(audited)) == 1
    getattr(connection, how)()
    wait_for(lambda: prepared(audited) == [], "the transaction ends")
    assert sum(audited.rows_per_shard("audited").values()) == 40


def test_killing_the_client_waits_for_the_end(audited):
    connection = w.Wire("127.0.0.1", audited.proxy.port)
    connection.login("app", "app", audited.database, application_name="busy")
    connection.send(w.query(insert(range(1, 41))))
    time.sleep(0.3)
    (row,) = audited.proxy.admin_rows("SHOW CLIENTS WHERE application_name = 'busy'")
    audited.admin(f"KILL CLIENT {row['client_id']}")
    messages = connection.read_until("E")
    assert w.tags(messages) == ["INSERT 0 40"]
    assert messages[-1].sqlstate == "57P01"
    assert prepared(audited) == []
    assert sum(audited.rows_per_shard("audited").values()) == 40


def test_an_error_of_a_deferred_trigger_is_told_as_it_is(audited):
    with audited.connect() as connection:
        with pytest.raises(psycopg.errors.UndefinedTable) as raised:
            connection.execute(insert(range(-20, 0)))
        assert "no_such_table" in raised.value.diag.message_primary
    assert sum(audited.rows_per_shard("audited").values()) == 0


@pytest.mark.parametrize("shard", [0, 1])
def test_a_shard_without_what_it_needs_is_named(audited, shard):
    on_shard = lambda sql: audited.shards[shard].execute(sql, audited.database)
    on_shard("ALTER SCHEMA meridian RENAME TO elsewhere")
    try:
        with audited.connect() as connection:
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as raised:
                connection.execute(insert(range(1, 31)))
            assert f'shard "s{shard + 1}" is not ready' in raised.value.diag.message_primary
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                connection.execute("SELECT bad FROM audited")
    finally:
        # What was missing may have been made anew meanwhile.
        on_shard("DROP SCHEMA IF EXISTS meridian CASCADE")
        on_shard("ALTER SCHEMA elsewhere RENAME TO meridian")
    assert sum(audited.rows_per_shard("audited").values()) == 0


def test_show_transactions(audited):
    with audited.connect() as connection:
        connection.autocommit = False
        connection.execute(insert([1]))
        connection.execute(insert(range(2, 10)))
        (row,) = audited.proxy.admin_rows("SHOW TRANSACTIONS WHERE user = 'app' AND state = 'open'")
        assert {row["shards"], row["written"]} <= {"s1, s2", "s2, s1"}
        assert row["prepared_name"] is None and int(row["age_ms"]) >= 0
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(insert([1]))
        assert len(audited.proxy.admin_rows("SHOW TRANSACTIONS WHERE state = 'failed'")) == 1
        connection.rollback()
    wait_for(lambda: audited.proxy.admin_rows("SHOW TRANSACTIONS") == [], "all are over")


def test_show_transactions_that_nobody_can_finish(audited):
    """Its lead is a shard that the map does not know."""
    name = "meridian_0123456789abcdef_0_1_nowhere"
    shard = audited.shards[1]
    with shard.connect(audited.database) as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO audited VALUES (999)")
        connection.execute(f"PREPARE TRANSACTION '{name}'")
    in_doubt = lambda: audited.proxy.admin_rows("SHOW TRANSACTIONS WHERE state = 'in doubt'")
    wait_for(in_doubt, "the transaction is found")
    (row,) = in_doubt()
    assert row["prepared_name"] == name and row["shards"] == "s2"
    assert "nowhere" in row["reason"]
    shard.execute(f"ROLLBACK PREPARED '{name}'", audited.database)
    wait_for(lambda: not in_doubt(), "it is gone")


@pytest.mark.parametrize("returns", ["decided", "done"])
def test_when_commit_returns(audited, returns):
    """The other shard's server stops when it has prepared: the decision is known, and no more."""
    connection = w.Wire("127.0.0.1", audited.proxy.port)
    connection.login("app", "app", audited.database, application_name=returns)
    connection.query(f"SET meridian.commit_returns = '{returns}'")
    connection.send(w.query(insert(range(1, 41))))
    wait_for(lambda: len(prepared(audited)) == 1, "s2 has prepared, s1 sleeps in its COMMIT")
    (backend,) = audited.shard("s2").execute(
        f"SELECT pid FROM pg_stat_activity WHERE application_name = '{returns}'")
    os.kill(backend[0], signal.SIGSTOP)
    try:
        connection.raw_socket.settimeout(2)
        if returns == "decided":
            assert w.tags(connection.until_ready()) == ["INSERT 0 40"]
            assert len(prepared(audited)) == 1
        # What comes next waits for all.
        connection.send(w.query("SELECT count(*) FROM audited WHERE k = 1"))
        with pytest.raises(TimeoutError):
            connection.read()
    finally:
        os.kill(backend[0], signal.SIGCONT)
    if returns == "done":
        assert w.tags(connection.until_ready()) == ["INSERT 0 40"]
    assert w.tags(connection.until_ready()) == ["SELECT 1"]
    assert prepared(audited) == []
    assert sum(audited.rows_per_shard("audited").values()) == 40


@pytest.fixture(scope="module")
def unprepared():
    """Servers that cannot PREPARE TRANSACTION."""
    with make_cluster(server_settings={"max_prepared_transactions": 0}) as made:
        yield made


def test_servers_without_prepared_transactions_are_named(unprepared):
    with unprepared.connect() as connection:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as raised:
            connection.execute(insert(range(1, 31)))
        assert "max_prepared_transactions" in raised.value.diag.message_hint
        assert sum(unprepared.rows_per_shard("audited").values()) == 0
        assert connection.execute(insert([1])).statusmessage == "INSERT 0 1"
    assert sum(unprepared.rows_per_shard("audited").values()) == 1


def test_best_effort_needs_no_prepared_transactions(unprepared):
    with unprepared.connect() as connection:
        connection.execute("SET meridian.multi_shard_commit = 'best_effort'")
        assert connection.execute(insert(range(101, 131))).statusmessage == "INSERT 0 30"
        rows = {shard.name: shard.execute("SELECT k FROM audited WHERE k BETWEEN 101 AND 130",
                                          unprepared.database) for shard in unprepared.shards}
        assert all(rows.values()) and sum(map(len, rows.values())) == 30
        with connection.transaction():
            connection.execute("DELETE FROM audited WHERE k > 100")
        before = unprepared.rows_per_shard("audited")

        # The lead's COMMIT fails: nothing is there.
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(insert(range(101, 131), bad={rows["s1"][0][0]}))
        assert unprepared.rows_per_shard("audited") == before
        # The other's fails when the lead's is done: that is told.
        with pytest.raises(psycopg.errors.TransactionResolutionUnknown) as raised:
            connection.execute(insert(range(101, 131), bad={rows["s2"][0][0]}))
        assert 'not on shard "s2": too bad' in raised.value.diag.message_primary
        after = unprepared.rows_per_shard("audited")
        assert after == {"s1": before["s1"] + len(rows["s1"]), "s2": before["s2"]}
        assert connection.execute("RESET meridian.multi_shard_commit").statusmessage == "RESET"
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            connection.execute(insert(range(201, 231)))
