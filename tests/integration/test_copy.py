"""COPY. PostgreSQL passes the same tests: it is the specification."""

import pytest

import wire as w

# Two keys that lie on different shards, whatever the hash: some of the first twenty do.
KEYS = range(300001, 300021)
ROWS = "".join(f"{key}\trow {key}\t\\N\n" for key in KEYS).encode()


@pytest.fixture(autouse=True)
def _clean(fresh):
    pass


def count_rows(connection: w.Wire) -> int:
    return len(connection.rows("SELECT k FROM kv WHERE k > 300000"))


def test_copy_in(server):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    assert connection.read().type == "G"
    messages = connection.ask(w.copy_data(ROWS), w.COPY_DONE)
    assert w.types(messages) == "CZ"
    assert w.tags(messages) == [f"COPY {len(KEYS)}"]
    assert count_rows(connection) == len(KEYS)


def test_rows_cut_anywhere_by_messages(server):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    connection.read()
    connection.send(*[w.copy_data(ROWS[i:i + 3]) for i in range(0, len(ROWS), 3)],
                    w.copy_data(b""), w.COPY_DONE)
    assert w.tags(connection.until_ready()) == [f"COPY {len(KEYS)}"]


def test_data_ahead_of_the_answer(server):
    messages = server.wire()
    messages.send(w.query("COPY kv FROM STDIN"), w.copy_data(ROWS), w.COPY_DONE)
    assert w.types(messages.until_ready()) == "GCZ"


def test_copy_fail(server):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    connection.read()
    messages = connection.ask(w.copy_data(ROWS), w.copy_fail("changed my mind"))
    assert w.types(messages) == "EZ"
    assert messages[0].sqlstate == "57014"
    assert "changed my mind" in messages[0].fields()["M"]
    assert count_rows(connection) == 0


def test_wrong_row(server):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    connection.read()
    messages = connection.ask(w.copy_data(ROWS + b"not a number\tx\t1\n"), w.copy_data(ROWS),
                              w.COPY_DONE, )
    assert w.sqlstates(messages) == ["22P02"]
    assert messages[-1].status == "I"
    # What the client sent on is not taken for the next conversation.
    assert connection.rows("SELECT 1") == [("1",)]
    assert count_rows(connection) == 0


def test_wrong_row_on_one_shard_undoes_all(server):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    connection.read()
    messages = connection.ask(w.copy_data(ROWS + b"1\texists already\t1\n"), w.COPY_DONE)
    assert w.sqlstates(messages) == ["23505"]
    assert count_rows(connection) == 0


@pytest.mark.parametrize("line,sqlstate", [
    (b"300001\n", "22P04"), (b"300001\ta\t1\textra\n", "22P04"), (b"\\N\ta\t1\n", "23502"),
    (b"\n", "22P02"), (b"300001\t\xff\t1\n", "22021")])
def test_malformed_rows(server, line, sqlstate):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    connection.read()
    messages = connection.ask(w.copy_data(line), w.COPY_DONE)
    assert w.sqlstates(messages) == [sqlstate]


def test_end_of_data_marker(server):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    connection.read()
    messages = connection.ask(w.copy_data(b"300001\ta\t1\n\\.\nignored\n"), w.COPY_DONE)
    assert w.tags(messages) == ["COPY 1"]


def test_flush_and_sync_during_copy_in_are_ignored(server):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    connection.read()
    messages = connection.ask(w.SYNC, w.FLUSH, w.copy_data(ROWS), w.SYNC, w.COPY_DONE)
    assert w.types(messages) == "CZ"
    assert connection.rows("SELECT 1") == [("1",)]


def test_copy_in_by_the_extended_protocol(server):
    connection = server.wire()
    connection.send(w.parse("COPY kv FROM STDIN"), w.bind(), w.describe("P"), w.execute(), w.FLUSH)
    assert w.types(connection.read_until("G")) == "12nG"
    messages = connection.ask(w.copy_data(ROWS), w.COPY_DONE, w.SYNC)
    assert w.types(messages) == "CZ"
    assert count_rows(connection) == len(KEYS)


def test_extended_copy_in_with_sync_sent_ahead(server):
    """libpq's pipelines and some drivers send Sync right behind Execute: the server ignores it while
    it reads rows, and the one behind CopyDone ends the conversation."""
    connection = server.wire()
    connection.send(w.parse("COPY kv FROM STDIN"), w.bind(), w.execute(), w.SYNC)
    assert connection.read_until("G")[-1].type == "G"
    messages = connection.ask(w.copy_data(ROWS), w.COPY_DONE, w.SYNC)
    assert w.types(messages) == "CZ"
    assert connection.rows("SELECT 1") == [("1",)]


def test_error_in_extended_copy_in_skips_to_sync(server):
    connection = server.wire()
    connection.send(w.parse("COPY kv FROM STDIN"), w.bind(), w.execute(), w.FLUSH)
    connection.read_until("G")
    messages = connection.ask(w.copy_data(b"x\n"), w.copy_data(ROWS), w.COPY_DONE, w.SYNC)
    assert w.types(messages) == "EZ"
    assert connection.rows("SELECT 1") == [("1",)]


def test_copy_messages_outside_copy_are_ignored(server):
    connection = server.wire()
    connection.send(w.copy_data(b"stray"), w.COPY_DONE, w.copy_fail("stray"))
    assert connection.rows("SELECT 1") == [("1",)]


def test_another_message_during_copy_in(server):
    connection = server.wire()
    connection.send(w.query("COPY kv FROM STDIN"))
    connection.read()
    connection.send(w.copy_data(ROWS), w.query("SELECT 1"))
    messages = connection.read_until("Z", "E")
    assert messages[-1].sqlstate == "08P01"


@pytest.mark.parametrize("options", ["", "(FORMAT csv)", "(FORMAT binary)", "(FORMAT csv, HEADER)"])
def test_copy_out_of_one_key(server, options):
    connection = server.wire()
    messages = connection.query(f"COPY (SELECT * FROM orders WHERE customer_id = 3 ORDER BY order_id) "
                                f"TO STDOUT {options}")
    assert w.types(messages).strip("d") == "HcCZ" or w.types(messages).replace("d", "") == "HcCZ"
    assert w.tags(messages) == ["COPY 3"]


def test_copy_of_a_table_out_is_complete_or_refused(server):
    connection = server.wire()
    messages = connection.query("COPY kv TO STDOUT")
    if server.name == "meridian" and w.sqlstates(messages) == ["0A000"]:
        return
    assert len([m for m in messages if m.type == "d"]) == 1000
    assert w.tags(messages) == ["COPY 1000"]


def test_copy_out_and_in_again(server):
    connection = server.wire()
    for fmt in ("text", "csv", "binary"):
        rows = connection.query(f"COPY (SELECT * FROM kv WHERE k = 4) TO STDOUT (FORMAT {fmt})")
        data = b"".join(m.body for m in rows if m.type == "d")
        connection.query("DELETE FROM kv WHERE k = 4")
        connection.send(w.query(f"COPY kv FROM STDIN (FORMAT {fmt})"))
        connection.read()
        assert w.tags(connection.ask(w.copy_data(data), w.COPY_DONE)) == ["COPY 1"]
        assert connection.rows("SELECT * FROM kv WHERE k = 4") == [("4", "value 4", "4")]


def test_copy_in_a_transaction_that_rolls_back(server):
    connection = server.wire()
    connection.query("BEGIN")
    connection.send(w.query("COPY kv FROM STDIN"))
    answer = connection.read()
    if server.name == "meridian" and answer.type == "E":
        assert answer.sqlstate == "0A000"
        return
    messages = connection.ask(w.copy_data(ROWS), w.COPY_DONE)
    if server.name == "meridian" and w.sqlstates(messages) == ["0A000"]:
        return
    assert messages[-1].status == "T"
    connection.query("ROLLBACK")
    assert count_rows(connection) == 0


def test_copy_to_a_table_that_is_not_there(server):
    assert w.sqlstates(server.wire().query("COPY missing FROM STDIN")) == ["42P01"]
