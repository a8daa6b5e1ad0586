"""Settings and the end of transactions that use several shards, as PostgreSQL has them. Key 1 is on s2, key
2 on s1; PostgreSQL is the specification."""

import pytest

import wire as w
from test_session_state import run_all

KEYS = (1, 2)


def write(key: int) -> str:
    return f"UPDATE kv SET n = n WHERE k = {key}"


def shown(connection: w.Wire, name: str) -> list:
    """What the setting is, by the word of each shard."""
    return [connection.rows(f"SELECT current_setting('{name}') FROM kv WHERE k = {key}")[0][0]
            for key in KEYS]


@pytest.mark.parametrize("before", [[], [write(1)], [write(2)], [write(1), write(2)]])
@pytest.mark.parametrize("last", ["SET work_mem = '6MB'", "RESET work_mem"])
def test_set_overrides_set_local(server, before, last):
    connection = server.wire()
    run_all(connection, "SET work_mem = '6MB'", "BEGIN", *before, "SET LOCAL work_mem = '5MB'")
    assert shown(connection, "work_mem") == ["5MB", "5MB"]
    run_all(connection, "ROLLBACK", "BEGIN", *before, "SET LOCAL work_mem = '5MB'", last)
    wanted = "6MB" if "6MB" in last else "4MB"
    assert shown(connection, "work_mem") == [wanted, wanted]
    run_all(connection, "COMMIT")
    assert shown(connection, "work_mem") == [wanted, wanted]


@pytest.mark.parametrize("end", ["SELECT 1/0 FROM kv WHERE k = 2", None])
def test_a_rollback_undoes_settings_on_all_shards(server, end):
    """None: the client goes away."""
    connection = server.wire()
    run_all(connection, "BEGIN", write(2), write(1), "SET work_mem = '7MB'", write(1))
    if end is None:
        connection.close()
    else:
        assert w.sqlstates(connection.query(end)) == ["22012"]
    others = [server.wire() for _ in range(4)]
    for other in others:
        run_all(other, "SET work_mem = '7MB'")
        assert shown(other, "work_mem") == ["7MB", "7MB"]


def test_settings_of_meridian_behind_set_local(meridian):
    connection = meridian.wire()
    run_all(connection, "BEGIN", "SET LOCAL meridian.shard = 's1'",
            "SET meridian.snapshot = 'local'", "COMMIT")
    assert connection.rows("SHOW meridian.shard") == [("",)]
    assert connection.rows("SHOW meridian.snapshot") == [("local",)]
    run_all(connection, "BEGIN", "SAVEPOINT a", "SET LOCAL meridian.shard = 's1'", "ROLLBACK TO a",
            "SET meridian.shard = 's2'", "COMMIT")
    assert connection.rows("SHOW meridian.shard") == [("s2",)]
    run_all(connection, "BEGIN", "SET LOCAL meridian.shard = 's1'", "RESET meridian.shard", "COMMIT")
    assert connection.rows("SHOW meridian.shard") == [("",)]


def test_set_constraints_ends_with_its_transaction(server):
    connection = server.wire()
    assert w.tags(connection.query("SET CONSTRAINTS ALL IMMEDIATE")) == ["SET CONSTRAINTS"]
    run_all(connection, "BEGIN")
    assert w.tags(connection.query("SET CONSTRAINTS ALL DEFERRED")) == ["SET CONSTRAINTS"]
    run_all(connection, write(1), write(2), "COMMIT AND CHAIN", write(1), write(2), "COMMIT")


@pytest.mark.parametrize("before", [
    ["SET work_mem = '7MB'; SELECT 1/0 FROM kv WHERE k = {key}"],
    ["SET work_mem = '7MB'; SELECT n FROM kv WHERE k = {key}; ROLLBACK"],
    ["SET work_mem = '7MB'; BEGIN; SELECT n FROM kv WHERE k = {key}", "ROLLBACK"],
    ["SET work_mem = '7MB'; BEGIN; SELECT 1/0 FROM kv WHERE k = {key}", "ROLLBACK"]])
@pytest.mark.parametrize("key", KEYS)
def test_an_error_undoes_what_its_text_has_set(server, key, before):
    connection = server.wire()
    for sql in before:
        connection.query(sql.format(key=key))
    assert shown(connection, "work_mem") == ["4MB", "4MB"]
    run_all(connection, "SET work_mem = '7MB'")
    assert shown(connection, "work_mem") == ["7MB", "7MB"]


@pytest.mark.parametrize("key", KEYS)
def test_an_error_undoes_what_its_pipeline_has_set(server, key):
    connection = server.wire()
    messages = connection.ask(
        w.parse("SET work_mem = '7MB'"), w.bind(), w.execute(),
        w.parse(f"SELECT 1/0 FROM kv WHERE k = {key}"), w.bind(), w.execute(), w.SYNC)
    assert w.sqlstates(messages) == ["22012"]
    assert shown(connection, "work_mem") == ["4MB", "4MB"]


def test_a_write_on_several_shards_that_fails_undoes_what_its_pipeline_has_set(server):
    connection = server.wire()
    messages = connection.ask(w.parse("SET work_mem = '7MB'"), w.bind(), w.execute(),
                              w.parse("UPDATE kv SET n = 1 / (k - 1)"), w.bind(), w.execute(), w.SYNC)
    assert w.sqlstates(messages) == ["22012"]
    assert shown(connection, "work_mem") == ["4MB", "4MB"]
