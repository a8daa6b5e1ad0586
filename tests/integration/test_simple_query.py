"""The simple query protocol. PostgreSQL passes the same tests: it is the specification."""

import pytest

import wire as w


def shape(messages: list) -> str:
    """Types, with the transaction status behind each ReadyForQuery: "TDCZ(I)"."""
    return "".join(m.type + (f"({m.status})" if m.type == "Z" else "") for m in messages)


@pytest.mark.parametrize("sql,expected", [
    ("SELECT 1", "TDCZ(I)"),
    ("", "IZ(I)"),
    (";", "IZ(I)"),
    (" -- nothing\n ", "IZ(I)"),
    (";;SELECT 1;;", "TDCZ(I)"),
    ("SELECT 1; SELECT 2", "TDCTDCZ(I)"),
    ("SELECT 1; SELECT 1/0; SELECT 3", "TDCEZ(I)"),
    ("SELECT 1; SELEC 2", "EZ(I)"),
    ("BEGIN; SELECT 1", "CTDCZ(T)"),
    ("BEGIN; SELECT 1/0; SELECT 2", "CTEZ(E)"),
    ("BEGIN; COMMIT; SELECT 1", "CCTDCZ(I)"),
    ("SELECT 1; BEGIN; SELECT 2", "TDCCTDCZ(T)"),
    ("SELECT 1 WHERE false", "TCZ(I)"),
    ("SELECT", "TDCZ(I)"),
    ("SET work_mem = '5MB'; SELECT 1; RESET work_mem", "CTDCCZ(I)"),
])
def test_answers(server, sql, expected):
    # A failing division is found before or after RowDescription, as the server's planner likes.
    assert shape(server.wire().query(sql)).replace("TEZ", "EZ") == expected.replace("TEZ", "EZ")


def test_statements_of_one_string_are_one_transaction(server, fresh):
    connection = server.wire()
    connection.query("INSERT INTO kv VALUES (100001, 'a'); SELECT 1/0")
    assert connection.rows("SELECT * FROM kv WHERE k = 100001") == []


def test_failed_transaction(server):
    connection = server.wire()
    connection.query("BEGIN")
    assert shape(connection.query("SELECT 1/0"))[-5:] == "EZ(E)"
    messages = connection.query("SELECT 1")
    assert w.sqlstates(messages) == ["25P02"]
    assert messages[-1].status == "E"
    assert w.tags(connection.query("COMMIT")) == ["ROLLBACK"]
    assert connection.rows("SELECT 1") == [("1",)]


def test_commit_and_chain(server):
    connection = server.wire()
    connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
    connection.query("SELECT 1 FROM kv WHERE k = 1")
    assert shape(connection.query("COMMIT AND CHAIN")) == "CZ(T)"
    assert connection.rows("SHOW transaction_isolation") == [("repeatable read",)]
    assert shape(connection.query("ROLLBACK")) == "CZ(I)"


def test_commit_without_begin_warns(server):
    connection = server.wire()
    connection.send(w.query("COMMIT"))
    messages = connection.read_until("Z")
    assert [m.sqlstate for m in messages if m.type == "N"] == ["25P01"]
    assert w.tags(messages) == ["COMMIT"]


def test_begin_twice_warns(server):
    connection = server.wire()
    connection.query("BEGIN")
    connection.send(w.query("BEGIN"))
    messages = connection.read_until("Z")
    assert [m.sqlstate for m in messages if m.type == "N"] == ["25001"]
    assert messages[-1].status == "T"


def test_savepoints(server, fresh):
    connection = server.wire()
    connection.query("BEGIN")
    connection.query("INSERT INTO kv VALUES (100002, 'kept')")
    connection.query("SAVEPOINT a")
    connection.query("INSERT INTO kv VALUES (100002, 'twice')")
    assert shape(connection.query("ROLLBACK TO a")) == "CZ(T)"
    connection.query("UPDATE kv SET v = 'changed' WHERE k = 100002")
    connection.query("RELEASE a")
    assert w.tags(connection.query("COMMIT")) == ["COMMIT"]
    assert connection.rows("SELECT v FROM kv WHERE k = 100002") == [("changed",)]


def test_savepoint_before_the_first_table(server):
    connection = server.wire()
    assert shape(connection.query("BEGIN; SAVEPOINT a")) == "CCZ(T)"
    assert shape(connection.query("SELECT 1/0"))[-5:] == "EZ(E)"
    assert shape(connection.query("ROLLBACK TO a")) == "CZ(T)"
    assert connection.rows("SELECT v FROM kv WHERE k = 1") == [("value 1",)]
    assert shape(connection.query("COMMIT")) == "CZ(I)"


def test_prepare_transaction_by_the_client(server):
    """Right, or refused: the proxy keeps such names for itself."""
    connection = server.wire()
    connection.query("BEGIN")
    connection.query("SELECT 1 FROM kv WHERE k = 1")
    messages = connection.query("PREPARE TRANSACTION 'mine'")
    if server.name == "meridian" and w.sqlstates(messages) == ["0A000"]:
        assert messages[-1].status == "E"
        return
    assert shape(messages) == "CZ(I)"
    assert shape(connection.query("ROLLBACK PREPARED 'mine'")) == "CZ(I)"


def test_notices_come_in_their_place(server):
    connection = server.wire()
    connection.send(w.query("DO $$ BEGIN RAISE NOTICE 'first'; RAISE WARNING 'second'; END $$"))
    messages = connection.read_until("Z")
    assert shape(messages) == "NNCZ(I)"
    assert [m.fields()["M"] for m in messages if m.type == "N"] == ["first", "second"]


def test_simple_query_between_extended_messages_without_sync(server):
    connection = server.wire()
    connection.send(w.parse("SELECT 1"), w.query("SELECT 2"))
    assert w.types(connection.until_ready()) == "1TDCZ"
    assert connection.rows("SELECT 3") == [("3",)]


def test_error_fields_are_postgresqls(cluster, server, fresh):
    connection = server.wire()
    fields = [m.fields() for m in connection.query("INSERT INTO kv VALUES (1, 'again')")
              if m.type == "E"][0]
    assert fields["C"] == "23505"
    assert fields["t"] == "kv"
    assert fields["n"] == "kv_pkey"
    assert fields["D"] == "Key (k)=(1) already exists."
    fields = [m.fields() for m in connection.query("SELECT nope FROM kv WHERE k = 1")
              if m.type == "E"][0]
    assert (fields["C"], fields["P"]) == ("42703", "8")


def test_syntax_errors_are_postgresqls(server):
    connection = server.wire()
    for sql in ("SELEC 1", "SELECT 'unterminated", "SELECT (", "SELECT 1 /* open", "'", "\\d"):
        messages = connection.query(sql)
        assert w.sqlstates(messages) == ["42601"], sql
        assert messages[-1].status == "I"


def test_text_that_is_not_utf8(server):
    connection = server.wire()
    assert w.sqlstates(connection.query(b"SELECT '\xff'")) == ["22021"]
    assert connection.rows("SELECT 1") == [("1",)]


def test_a_long_statement(server):
    connection = server.wire()
    if server.name == "meridian":  # text beyond max_statement_size is not parsed
        connection.query("SET meridian.shard = 's1'")
    text = "x" * 3_000_000
    assert connection.rows(f"SELECT length('{text}')") == [("3000000",)]


def test_a_large_value(server):
    connection = server.wire()
    rows = connection.rows("SELECT repeat('y', 50000000)")
    assert len(rows[0][0]) == 50_000_000


def test_many_columns(server):
    columns = ", ".join(str(number) for number in range(1600))
    assert len(server.wire().rows(f"SELECT {columns}")[0]) == 1600


def test_function_call_protocol(server):
    """'F': lo_creat and friends are called so by libpq and JDBC."""
    import struct
    connection = server.wire()
    oid = int(connection.rows("SELECT 'int4pl'::regproc::oid")[0][0])
    call = struct.pack("!IHHHi4si4sH", oid, 1, 1, 2, 4, struct.pack("!i", 20), 4,
                       struct.pack("!i", 22), 1)
    messages = connection.ask(w.message("F", call))
    if server.name == "meridian" and w.sqlstates(messages) == ["0A000"]:
        return
    assert w.types(messages) == "VZ"
    assert messages[0].body == struct.pack("!ii", 4, 42)
