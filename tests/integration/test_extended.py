"""The extended query protocol. PostgreSQL passes the same tests: it is the specification."""

import struct

import pytest

import wire as w

INT8 = 20


def test_one_round(server):
    messages = server.wire().ask(w.parse("SELECT v, n FROM kv WHERE k = $1"), w.describe("S"),
                                 w.bind([3]), w.describe("P"), w.execute(), w.SYNC)
    assert w.types(messages) == "1tT2TDCZ"
    assert messages[5].values() == [b"value 3", b"3"]


def test_empty_query(server):
    messages = server.wire().ask(w.parse(""), w.bind(), w.describe("P"), w.execute(), w.SYNC)
    assert w.types(messages) == "12nIZ"


def test_sync_alone(server):
    assert w.types(server.wire().ask(w.SYNC)) == "Z"


def test_an_error_skips_to_sync(server):
    messages = server.wire().ask(w.parse("SELEC"), w.parse("SELECT 1"), w.bind(), w.execute(),
                                 w.SYNC)
    assert w.types(messages) == "EZ"


def test_each_sync_has_its_ready(server):
    connection = server.wire()
    ok = [w.parse("SELECT 1"), w.bind(), w.execute(), w.SYNC]
    bad = [w.parse("SELECT 1/0"), w.bind(), w.execute(), w.SYNC]
    connection.send(*ok, *bad, *ok, w.SYNC)
    shapes = [w.types(connection.until_ready()) for _ in range(4)]
    assert shapes[0] == shapes[2] == "12DCZ"
    assert shapes[1] in ("12EZ", "1EZ")
    assert shapes[3] == "Z"


def test_flush_delivers_what_is_there(server):
    connection = server.wire()
    connection.send(w.parse("SELECT 7"), w.FLUSH)
    assert connection.read().type == "1"
    connection.send(w.bind(), w.describe("P"), w.FLUSH)
    assert w.types([connection.read(), connection.read()]) == "2T"
    connection.send(w.execute(), w.FLUSH)
    assert w.types([connection.read(), connection.read()]) == "DC"
    connection.send(w.SYNC)
    assert connection.read().type == "Z"


@pytest.mark.parametrize("between", ["DEALLOCATE ALL", "ROLLBACK", "RESET ALL", "COMMIT"])
def test_a_write_is_undone_by_a_later_error_of_its_pipeline(server, fresh, between):
    connection = server.wire()

    def run(sql):
        return w.parse(sql) + w.bind() + w.execute()

    connection.ask(run("INSERT INTO kv VALUES (900001, 'undone')"), run(between),
                   run("SELECT 1/0"), w.SYNC)
    assert len(connection.rows("SELECT v FROM kv WHERE k = 900001")) == (between == "COMMIT")


def test_flush_delivers_an_error(server):
    connection = server.wire()
    connection.send(w.parse("SELEC"), w.FLUSH)
    assert connection.read().sqlstate == "42601"
    connection.send(w.SYNC)
    assert connection.read().type == "Z"


def test_row_limit_suspends_the_portal(server):
    connection = server.wire()
    connection.send(w.query("BEGIN"))
    connection.until_ready()
    messages = connection.ask(
        w.parse("SELECT g FROM generate_series(1, 5) g"), w.bind(portal="p"),
        w.execute("p", 2), w.execute("p", 2), w.execute("p", 2), w.SYNC)
    assert w.types(messages) == "12DDsDDsDCZ"
    messages = connection.ask(w.execute("p", 2), w.SYNC)
    assert w.types(messages) == "CZ"
    connection.query("COMMIT")
    assert w.sqlstates(connection.ask(w.execute("p"), w.SYNC)) == ["34000"]


def test_row_limit_over_syncs_in_a_transaction(server):
    connection = server.wire()
    connection.query("BEGIN")
    connection.ask(w.parse("SELECT * FROM orders WHERE customer_id = $1 ORDER BY order_id", "s"),
                   w.bind([3], "s", "p"), w.SYNC)
    for expected in ("DsZ", "DsZ", "DsZ", "CZ"):
        assert w.types(connection.ask(w.execute("p", 1), w.SYNC)) == expected
    connection.query("COMMIT")


def test_a_write_on_several_shards_runs_once_per_bind(server, fresh):
    connection = server.wire()
    before = connection.rows("SELECT v FROM by_number WHERE k = 10")
    messages = connection.ask(w.parse("UPDATE by_number SET v = v || '+'"), w.bind(), w.execute(),
                              w.execute(), w.SYNC)
    assert (w.tags(messages), w.sqlstates(messages)) == (["UPDATE 100"], ["55000"])
    assert connection.rows("SELECT v FROM by_number WHERE k = 10") == before
    messages = connection.ask(w.parse("UPDATE by_number SET v = v || '+'"), w.bind(), w.execute(),
                              w.bind(), w.execute(), w.SYNC)
    assert w.tags(messages) == ["UPDATE 100", "UPDATE 100"]
    assert connection.rows("SELECT v FROM by_number WHERE k = 10") == [("number 10++",)]


def test_portal_ends_with_sync_outside_a_transaction(server):
    connection = server.wire()
    assert w.types(connection.ask(w.parse("SELECT 1"), w.bind(portal="p"), w.SYNC)) == "12Z"
    assert w.sqlstates(connection.ask(w.execute("p"), w.SYNC)) == ["34000"]


def test_describe_before_bind(server):
    connection = server.wire()
    messages = connection.ask(w.parse("SELECT k, v FROM kv WHERE k = $1", "s"), w.describe("S", "s"),
                              w.SYNC)
    assert w.types(messages) == "1tTZ"
    assert struct.unpack("!HI", messages[1].body) == (1, INT8)
    assert messages[2].columns() == [("k", INT8, 0), ("v", 25, 0)]


def test_describe_of_a_statement_without_rows(server):
    messages = server.wire().ask(w.parse("UPDATE kv SET n = n WHERE k = $1"), w.describe("S"), w.SYNC)
    assert w.types(messages) == "1tnZ"


def test_describe_in_a_later_round(server):
    connection = server.wire()
    connection.ask(w.parse("SELECT v FROM kv WHERE k = $1", "later"), w.SYNC)
    for key in (1, 2, 3, 4):
        assert w.types(connection.ask(w.describe("S", "later"), w.SYNC)) == "tTZ"
        messages = connection.ask(w.bind([key], "later"), w.execute(), w.SYNC)
        assert messages[1].values() == [f"value {key}".encode()]


def test_a_failed_parse_leaves_no_name(server):
    connection = server.wire()
    assert w.sqlstates(connection.ask(w.parse("SELEC", "n"), w.SYNC)) == ["42601"]
    assert w.sqlstates(connection.ask(w.bind(statement="n"), w.SYNC)) == ["26000"]
    assert w.types(connection.ask(w.parse("SELECT 1", "n"), w.SYNC)) == "1Z"
    assert w.types(connection.ask(w.bind(statement="n"), w.execute(), w.SYNC)) == "2DCZ"


def test_a_parse_that_the_server_refuses_leaves_no_name(server):
    connection = server.wire()
    sql = "SELECT no_such_column FROM kv WHERE k = $1"
    assert w.sqlstates(connection.ask(w.parse(sql, "n"), w.SYNC)) == ["42703"]
    assert w.sqlstates(connection.ask(w.bind([1], "n"), w.SYNC)) == ["26000"]
    assert w.types(connection.ask(w.parse("SELECT v FROM kv WHERE k = $1", "n"), w.SYNC)) == "1Z"


def test_parse_in_a_failed_transaction(server):
    connection = server.wire()
    connection.query("BEGIN")
    connection.query("SELECT 1/0")
    assert w.sqlstates(connection.ask(w.parse("SELECT 1", "n"), w.SYNC)) == ["25P02"]
    connection.query("ROLLBACK")
    assert w.sqlstates(connection.ask(w.bind(statement="n"), w.SYNC)) == ["26000"]


def test_duplicate_names(server):
    connection = server.wire()
    assert w.types(connection.ask(w.parse("SELECT 1", "n"), w.SYNC)) == "1Z"
    assert w.sqlstates(connection.ask(w.parse("SELECT 2", "n"), w.SYNC)) == ["42P05"]
    messages = connection.ask(w.bind(statement="n"), w.execute(), w.SYNC)
    assert messages[1].values() == [b"1"]
    for sql in ("SELECT 3", "SELECT 4"):
        messages = connection.ask(w.parse(sql), w.bind(), w.execute(), w.SYNC)
        assert w.types(messages) == "12DCZ"
        assert messages[2].values() == [sql[-1].encode()]


@pytest.mark.parametrize("request_bytes,sqlstate", [
    (w.bind(statement="missing"), "26000"),
    (w.describe("S", "missing"), "26000"),
    (w.describe("P", "missing"), "34000"),
    (w.execute("missing"), "34000"),
])
def test_unknown_names(server, request_bytes, sqlstate):
    connection = server.wire()
    messages = connection.ask(request_bytes, w.SYNC)
    assert w.types(messages) == "EZ"
    assert w.sqlstates(messages) == [sqlstate]
    assert connection.rows("SELECT 1") == [("1",)]


def test_close_of_a_missing_name_is_no_error(server):
    messages = server.wire().ask(w.close("S", "missing"), w.close("P", "missing"), w.SYNC)
    assert w.types(messages) == "33Z"


def test_close_frees_the_name(server):
    connection = server.wire()
    connection.ask(w.parse("SELECT 1", "n"), w.SYNC)
    assert w.types(connection.ask(w.close("S", "n"), w.SYNC)) == "3Z"
    assert w.sqlstates(connection.ask(w.bind(statement="n"), w.SYNC)) == ["26000"]
    messages = connection.ask(w.parse("SELECT 2", "n"), w.bind(statement="n"), w.execute(), w.SYNC)
    assert messages[2].values() == [b"2"]


def test_close_and_reuse_in_one_batch(server):
    connection = server.wire()
    connection.ask(w.parse("SELECT 1", "n"), w.SYNC)
    messages = connection.ask(w.close("S", "n"), w.parse("SELECT 2", "n"), w.bind(statement="n"),
                              w.execute(), w.SYNC)
    assert w.types(messages) == "312DCZ"
    assert messages[3].values() == [b"2"]


def test_two_statements_in_one_parse(server):
    assert w.sqlstates(server.wire().ask(w.parse("SELECT 1; SELECT 2"), w.SYNC)) == ["42601"]


def test_pipeline_to_several_keys_keeps_its_order(server):
    connection = server.wire()
    connection.ask(w.parse("SELECT k FROM kv WHERE k = $1", "s"), w.SYNC)
    keys = list(range(1, 200))
    connection.send(*[part for key in keys
                      for part in (w.bind([key], "s"), w.execute(), w.SYNC)])
    for key in keys:
        messages = connection.until_ready()
        assert w.types(messages) == "2DCZ"
        assert messages[1].values() == [str(key).encode()]


def test_several_keys_before_one_sync(server):
    """One implicit transaction; over two shards it may be refused, never half answered."""
    connection = server.wire()
    connection.ask(w.parse("SELECT k FROM kv WHERE k = $1", "s"), w.SYNC)
    keys = list(range(1, 20))
    messages = connection.ask(*[part for key in keys
                                for part in (w.bind([key], "s"), w.execute())], w.SYNC)
    if server.name == "meridian" and w.sqlstates(messages) == ["0A000"]:
        return
    assert [m.values()[0] for m in messages if m.type == "D"] == [str(k).encode() for k in keys]


def test_writes_before_one_sync_are_atomic(server, fresh):
    connection = server.wire()
    connection.ask(w.parse("INSERT INTO kv VALUES ($1, 'x')", "s"), w.SYNC)
    messages = connection.ask(w.bind([200001], "s"), w.execute(), w.bind([1], "s"), w.execute(), w.SYNC)
    assert len(w.sqlstates(messages)) == 1
    assert connection.rows("SELECT v FROM kv WHERE k = 200001") == []


def test_a_client_that_writes_much_before_it_reads(server):
    connection = server.wire()
    connection.ask(w.parse("SELECT repeat('r', 20000), length($1)", "s"), w.SYNC)
    batch = w.bind(["w" * 20000], "s") + w.execute() + w.SYNC
    import threading
    count = 300
    writer = threading.Thread(target=connection.send, args=(batch * count,))
    writer.start()
    for _ in range(count):
        messages = connection.until_ready()
        assert messages[1].values()[1] == b"20000"
    writer.join()


@pytest.mark.parametrize("formats", [[0], [1], [0, 1], [1, 0]])
def test_result_formats(server, formats):
    messages = server.wire().ask(
        w.parse("SELECT k, n FROM kv WHERE k = 3"), w.bind(result_formats=formats), w.describe("P"),
        w.execute(), w.SYNC)
    per_column = formats if len(formats) == 2 else formats * 2
    assert [c[2] for c in messages[2].columns()] == per_column
    expected = [struct.pack("!q", 3) if per_column[0] else b"3",
                struct.pack("!i", 3) if per_column[1] else b"3"]
    assert messages[3].values() == expected


@pytest.mark.parametrize("type_oid,value", [
    (20, struct.pack("!q", 5)), (23, struct.pack("!i", 5)), (21, struct.pack("!h", 5))])
def test_binary_keys(server, type_oid, value):
    messages = server.wire().ask(w.parse("SELECT v FROM kv WHERE k = $1", types=[type_oid]),
                                 w.bind([value], formats=[1]), w.execute(), w.SYNC)
    assert messages[2].values() == [b"value 5"]


@pytest.mark.parametrize("text", ["5", " 5", "5 ", "05", "+5"])
def test_text_keys_are_read_as_postgresql_reads_them(server, text):
    messages = server.wire().ask(w.parse("SELECT v FROM kv WHERE k = $1"), w.bind([text]),
                                 w.execute(), w.SYNC)
    assert [m.values() for m in messages if m.type == "D"] == [[b"value 5"]]


@pytest.mark.parametrize("text", ["", "x", "5.0", "99999999999999999999", "0x5", "1_000"])
def test_wrong_text_keys(server, text):
    messages = server.wire().ask(w.parse("SELECT v FROM kv WHERE k = $1"), w.bind([text]),
                                 w.execute(), w.SYNC)
    assert w.sqlstates(messages) == ["22003" if text.startswith("9") else "22P02"]


def test_null_key_finds_nothing(server):
    messages = server.wire().ask(w.parse("SELECT v FROM kv WHERE k = $1"), w.bind([None]),
                                 w.execute(), w.SYNC)
    assert w.types(messages) == "12CZ"


@pytest.mark.parametrize("values,formats", [([], []), ([1, 2], []), ([1], [0, 0])])
def test_wrong_number_of_parameters(server, values, formats):
    messages = server.wire().ask(w.parse("SELECT v FROM kv WHERE k = $1"),
                                 w.bind(values, formats=formats), w.execute(), w.SYNC)
    assert w.sqlstates(messages) == ["08P01"]
    assert messages[-1].type == "Z"


def test_too_few_parameters_for_an_insert_on_several_shards(server, fresh):
    rows = ", ".join(f"({900000 + row}, ${row})" for row in range(1, 9))
    connection = server.wire()
    messages = connection.ask(w.parse(f"INSERT INTO kv VALUES {rows}"), w.bind(["a", "b"]),
                              w.execute(), w.SYNC)
    assert w.sqlstates(messages) == ["08P01"]
    assert connection.rows("SELECT v FROM kv WHERE k = 900001") == []


def test_many_parameters(server):
    count = 65535
    sql = "SELECT " + " + ".join(f"${i + 1}::int" for i in range(100))
    connection = server.wire()
    messages = connection.ask(w.parse(sql), w.bind([1] * 100), w.execute(), w.SYNC)
    assert messages[2].values() == [b"100"]
    sql = "SELECT $%d::int" % count
    messages = connection.ask(w.parse(sql, types=[23] * count), w.bind([1] * count), w.execute(),
                              w.SYNC)
    assert messages[2].values() == [b"1"]


def test_long_names(server):
    connection = server.wire()
    name = "n" * 70_000
    messages = connection.ask(w.parse("SELECT 1", name), w.bind(statement=name), w.execute(), w.SYNC)
    assert w.types(messages) == "12DCZ"


def test_a_large_parameter(server):
    messages = server.wire().ask(w.parse("SELECT length($1)"), w.bind(["z" * 30_000_000]),
                                 w.execute(), w.SYNC)
    assert messages[2].values() == [b"30000000"]


def test_changed_result_type_is_told(server):
    """0A000 "cached plan must not change result type" is PostgreSQL's own; a driver knows it."""
    connection = server.wire()
    connection.query("DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int)")
    connection.ask(w.parse("SELECT * FROM changing", "s"), w.SYNC)
    assert w.types(connection.ask(w.bind(statement="s"), w.execute(), w.SYNC)) == "2CZ"
    connection.query("ALTER TABLE changing ADD b text")
    messages = connection.ask(w.bind(statement="s"), w.execute(), w.SYNC)
    assert w.sqlstates(messages) == ["0A000"]
    assert "cached plan" in messages[0].fields()["M"]
    connection.ask(w.close("S", "s"), w.parse("SELECT * FROM changing", "s"), w.SYNC)
    assert w.types(connection.ask(w.bind(statement="s"), w.execute(), w.SYNC)) == "2CZ"
    connection.query("DROP TABLE changing")


def test_statements_of_two_clients_do_not_meet(server):
    first, second = server.wire(), server.wire()
    first.ask(w.parse("SELECT 'first'", "same"), w.SYNC)
    second.ask(w.parse("SELECT 'second'", "same"), w.SYNC)
    for _ in range(5):
        for connection, expected in ((first, b"first"), (second, b"second")):
            messages = connection.ask(w.bind(statement="same"), w.execute(), w.SYNC)
            assert messages[1].values() == [expected]


def test_statements_outlive_many_others(meridian):
    """More statements than a server connection keeps: the oldest is prepared again."""
    connection = meridian.wire()
    count = 1500
    for number in range(count):
        assert w.types(connection.ask(w.parse(f"SELECT {number}", f"s{number}"), w.SYNC)) == "1Z"
    for number in (0, 1, count // 2, count - 1, 0):
        messages = connection.ask(w.bind(statement=f"s{number}"), w.execute(), w.SYNC)
        assert messages[1].values() == [str(number).encode()]


def test_transaction_by_extended_messages(server, fresh):
    connection = server.wire()
    def run(sql, values=()):
        return connection.ask(w.parse(sql), w.bind(values), w.execute(), w.SYNC)
    assert run("BEGIN")[-1].status == "T"
    assert w.tags(run("UPDATE kv SET v = 'new' WHERE k = $1", [1])) == ["UPDATE 1"]
    assert run("COMMIT")[-1].status == "I"
    assert connection.rows("SELECT v FROM kv WHERE k = 1") == [("new",)]


def test_begin_and_statement_in_one_batch(server):
    connection = server.wire()
    messages = connection.ask(
        w.parse("BEGIN"), w.bind(), w.execute(),
        w.parse("SELECT v FROM kv WHERE k = $1"), w.bind([2]), w.execute(), w.SYNC)
    assert w.types(messages) == "12C12DCZ"
    assert messages[-1].status == "T"
    assert connection.query("ROLLBACK")[-1].status == "I"


def test_unnamed_statement_is_gone_after_a_simple_query(server):
    connection = server.wire()
    connection.ask(w.parse("SELECT 1"), w.SYNC)
    connection.query("SELECT 2")
    assert w.sqlstates(connection.ask(w.bind(), w.execute(), w.SYNC)) == ["26000"]
