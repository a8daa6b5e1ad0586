"""Sizes, misbehaving clients, dying servers, cancellation."""

import struct
import threading
import time

import pytest

import wire as w
from cluster.process import wait_for


def ends(connection: w.Wire) -> list:
    """What comes before the server closes."""
    messages = []
    try:
        while True:
            messages.append(connection.read())
    except w.Closed:
        return messages


@pytest.mark.parametrize("length", [0, 3, -1, -2147483648])
def test_impossible_message_length_closes(server, length):
    connection = server.wire()
    connection.send(b"Q" + struct.pack("!i", length) + b"xxxx")
    assert all(m.type == "E" for m in ends(connection))


@pytest.mark.parametrize("kind", "DECXHS")
def test_small_messages_have_a_small_limit(server, kind):
    connection = server.wire()
    connection.send(kind.encode() + struct.pack("!i", 20_000))
    assert all(m.type == "E" for m in ends(connection))


def test_no_memory_for_an_announced_length(cluster, meridian):
    before = cluster.proxy.memory_kib()
    connections = [meridian.wire() for _ in range(20)]
    for connection in connections:
        connection.send(b"Q" + struct.pack("!i", 1 << 29) + b"only these bytes")
    time.sleep(0.3)
    assert cluster.proxy.memory_kib() - before < 20_000


def test_too_long_query_closes(server):
    connection = server.wire()
    connection.send(b"Q" + struct.pack("!i", 0x7FFFFFFF))
    assert all(m.type == "E" for m in ends(connection))


@pytest.mark.parametrize("kind", ["m", "\0", "\xff", "p", "R", "v"])
def test_unknown_message_type(server, kind):
    connection = server.wire()
    connection.send(kind.encode("latin-1") + struct.pack("!i", 4))
    messages = [m for m in ends(connection) if m.type == "E"]
    assert [(m.fields()["S"], m.sqlstate) for m in messages] == [("FATAL", "08P01")]


BIND_ONE = w.parse("SELECT $1::int")


@pytest.mark.parametrize("messages", [
    w.message("Q", b"no terminator"), w.message("P", b"") + w.SYNC, w.message("B", b"\0") + w.SYNC,
    w.message("D", b"X\0") + w.SYNC, w.message("E", b"\0") + w.SYNC, w.message("C", b"?\0") + w.SYNC,
    w.message("P", b"\0SELECT 1\0\0\5") + w.SYNC,
    BIND_ONE + w.message("B", b"\0\0\xff\xff") + w.SYNC,
    BIND_ONE + w.message("B", b"\0\0\0\0\0\1\x7f\xff\xff\xff") + w.SYNC,
    BIND_ONE + w.message("B", b"\0\0\0\0\0\1\xff\xff\xff\x00") + w.SYNC,
    BIND_ONE + w.message("B", b"\0\0\0\0\0\1\0\0\0\1" + b"1\0\0more") + w.SYNC])
def test_malformed_message(server, messages):
    connection = server.wire()
    connection.send(messages)
    assert connection.read_until("E")[-1].sqlstate == "08P01"
    # Usable or closed, nothing in between.
    try:
        connection.until_ready()
        assert connection.rows("SELECT 1") == [("1",)]
    except w.Closed:
        pass


def test_terminate_at_any_point(meridian):
    for sent in (b"", w.query("BEGIN"), w.parse("SELECT 1"), w.query("COPY kv FROM STDIN"),
                 w.query("SELECT g FROM generate_series(1, 1000000) g")):
        connection = meridian.wire()
        connection.send(sent + w.TERMINATE)
        connection.close()
    assert meridian.wire().rows("SELECT 1") == [("1",)]


def test_the_answer_is_delivered_after_half_close(meridian):
    connection = meridian.wire()
    connection.send(w.query("SELECT pg_sleep(0.2), 'done'"))
    connection.half_close()
    messages = connection.read_until("Z", "E")
    assert messages[-1].type == "Z"


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("sent", [
    w.query("UPDATE kv SET v = 'left behind' WHERE k = 1; SELECT pg_sleep(5)"),
    w.query("BEGIN; UPDATE kv SET v = 'left behind' WHERE k = 1"),
    w.query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"),
    w.query("COPY kv FROM STDIN") + w.copy_data(b"1\tleft behind\t1\n"),
    w.query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT"),
    w.query("SELECT 1")[:-3],
    w.parse("SELECT 1") + w.bind(),
])
def test_a_client_that_vanishes_leaves_nothing(cluster, meridian, how, sent):
    connection = meridian.wire(application_name="vanishing")
    connection.send(sent)
    time.sleep(0.1)
    getattr(connection, how)()
    other = meridian.wire()
    assert other.rows("SELECT v FROM kv WHERE k = 1") == [("value 1",)]
    # The statement is cancelled rather than run to its end.
    running = ("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vanishing' "
               "AND state <> 'idle'")
    for shard in cluster.shards:
        wait_for(lambda s=shard: s.execute(running, "shop")[0][0] == 0, "nothing runs on", 4)


def test_a_lost_connection_ends_its_statement_at_once(cluster, meridian):
    """Another than one that was closed in order: that client may still read."""
    connection = meridian.wire(application_name="lost")
    connection.send(w.query("SELECT pg_sleep(20)"))
    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lost' AND state = 'active'"
    wait_for(lambda: cluster.shards[0].execute(running, "shop")[0][0] == 1, "it runs", 5)
    connection.reset()
    wait_for(lambda: cluster.shards[0].execute(running, "shop")[0][0] == 0, "nothing runs on", 1)


def test_no_client_gets_the_answer_of_another(meridian):
    """Clients that leave in the middle of everything, and others that check what they get."""
    stop = threading.Event()
    wrong = []

    def leave():
        number = 0
        while not stop.is_set():
            number += 1
            connection = meridian.wire()
            connection.send(w.query(f"SELECT 'gone' FROM generate_series(1, {number % 7 * 1000})"))
            connection.reset()

    def check(seed):
        connection = meridian.wire()
        for number in range(300):
            expected = f"{seed}-{number}"
            rows = connection.rows(f"SELECT '{expected}'")
            if rows != [(expected,)]:
                wrong.append((expected, rows))

    leaver = threading.Thread(target=leave)
    checkers = [threading.Thread(target=check, args=(seed,)) for seed in range(4)]
    for thread in [leaver, *checkers]:
        thread.start()
    for thread in checkers:
        thread.join()
    stop.set()
    leaver.join()
    assert wrong == []


class TestCancel:
    def cancel(self, server, packet: bytes):
        connection = server.wire_before_login()
        connection.send(packet)
        assert connection.closed_by_server()

    def test_running_query(self, server):
        connection = server.wire()
        connection.send(w.query("SELECT pg_sleep(30)"))
        time.sleep(0.2)
        self.cancel(server, connection.cancel_packet())
        messages = connection.until_ready()
        assert w.sqlstates(messages) == ["57014"]
        assert connection.rows("SELECT 1") == [("1",)]

    def test_in_a_transaction(self, server):
        connection = server.wire()
        connection.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        connection.send(w.query("SELECT pg_sleep(30)"))
        time.sleep(0.2)
        self.cancel(server, connection.cancel_packet())
        assert connection.until_ready()[-1].status == "E"

    def test_late_cancel_harms_nobody(self, meridian):
        first = meridian.wire()
        others = [meridian.wire() for _ in range(8)]
        for other in others:
            other.send(w.query("SELECT pg_sleep(0.7), 'unharmed'"))
        time.sleep(0.1)
        for _ in range(10):
            assert first.rows("SELECT 1") == [("1",)]
            self.cancel(meridian, first.cancel_packet())
        for other in others:
            assert [m.values()[1] for m in other.until_ready() if m.type == "D"] == [b"unharmed"]

    def test_wrong_keys_are_ignored(self, meridian):
        connection = meridian.wire()
        connection.send(w.query("SELECT pg_sleep(0.7), 'unharmed'"))
        time.sleep(0.1)
        key = bytearray(connection.key)
        for position in range(len(key)):
            changed = bytearray(key)
            changed[position] ^= 0x55
            self.cancel(meridian, struct.pack("!ii", len(key) + 8, w.CANCEL_REQUEST) + bytes(changed))
        self.cancel(meridian, struct.pack("!ii", 8, w.CANCEL_REQUEST))
        self.cancel(meridian, struct.pack("!ii", 12, w.CANCEL_REQUEST) + bytes(4))
        assert w.types(connection.until_ready()) == "TDCZ"

    def test_query_of_several_shards_gets_one_error(self, meridian):
        connection = meridian.wire()
        connection.send(w.query("SELECT k, pg_sleep(1) FROM kv"))
        time.sleep(0.3)
        self.cancel(meridian, connection.cancel_packet())
        messages = connection.until_ready()
        assert w.sqlstates(messages) in (["57014"], ["0A000"])
        assert connection.rows("SELECT 1") == [("1",)]

    def test_copy_in(self, server):
        connection = server.wire()
        connection.send(w.query("COPY kv FROM STDIN"))
        connection.read()
        connection.send(w.copy_data(b"300001\tx\t1\n"))
        self.cancel(server, connection.cancel_packet())
        time.sleep(0.1)
        messages = connection.ask(w.copy_data(b"300002\tx\t1\n"), w.COPY_DONE)
        assert w.sqlstates(messages) == ["57014"]
        assert connection.rows("SELECT k FROM kv WHERE k = 300001") == []


class TestDyingServers:
    def terminate(self, cluster, application: str):
        for shard in cluster.shards:
            shard.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                          f"application_name = '{application}'")

    def test_in_the_middle_of_a_statement(self, cluster, meridian):
        connection = meridian.wire(application_name="doomed")
        connection.send(w.query("SELECT pg_sleep(30)"))
        time.sleep(0.3)
        self.terminate(cluster, "doomed")
        messages = connection.read_until("E")
        assert messages[-1].sqlstate == "57P01"
        assert meridian.wire().rows("SELECT 1") == [("1",)]

    def test_in_a_transaction(self, cluster, meridian):
        connection = meridian.wire(application_name="doomed")
        connection.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        self.terminate(cluster, "doomed")
        time.sleep(0.1)
        try:
            connection.send(w.query("SELECT 2 FROM kv WHERE k = 1"))
            messages = connection.read_until("E")
            assert messages[-1].sqlstate in ("57P01", "08006")
        except (w.Closed, ConnectionResetError, BrokenPipeError):
            pass

    def test_idle_clients_do_not_notice(self, cluster, meridian):
        connection = meridian.wire(application_name="calm")
        connection.rows("SELECT 1 FROM kv WHERE k = 1")
        self.terminate(cluster, "calm")
        time.sleep(0.2)
        assert connection.rows("SELECT v FROM kv WHERE k = 1") == [("value 1",)]

    def test_idle_in_transaction_timeout(self, meridian):
        connection = meridian.wire(idle_in_transaction_session_timeout="300ms")
        connection.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        messages = connection.read_until("E")
        assert (messages[-1].fields()["S"], messages[-1].sqlstate) == ("FATAL", "25P03")

    def test_statement_timeout(self, server):
        connection = server.wire(statement_timeout="200ms")
        assert w.sqlstates(connection.query("SELECT pg_sleep(5)")) == ["57014"]
        assert connection.rows("SELECT 1") == [("1",)]
