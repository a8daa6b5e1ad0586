"""Bounded memory: results and COPY larger than memory stream through; idle clients are cheap."""

import resource
import socket
import struct
import threading
import time

import pytest

import wire as w
from cluster.cluster import Cluster

pytestmark = pytest.mark.slow

LIMIT_KIB = 64 * 1024
ROW_BYTES = 1 << 20
TOTAL_BYTES = 2 << 30
IDLE_CLIENTS = 10_000
# RSS per idle client that has logged in and run a statement; PgBouncer: about 1 KiB.
IDLE_CLIENT_LIMIT_KIB = 3


@pytest.fixture(scope="module")
def small():
    """Without an oracle, with room for many clients, trusting them: SCRAM is not what is measured.
    A client that is trusted proves nothing that the proxy could log in with, so the shards trust,
    too."""
    with Cluster(shards=2, oracle=False, hba=["local all all trust", "host all all all trust"],
                 proxy_settings={"max_client_connections": IDLE_CLIENTS + 100,
                                 "auth": {"tcp": "trust"}}) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE big (k bigint PRIMARY KEY, v text)")
            connection.execute("ALTER TABLE big ALTER v SET STORAGE EXTERNAL")
        made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2)",
                   "ALTER DISTRIBUTION d ATTACH TABLE big DISTRIBUTION KEY k")
        yield made


def login(cluster) -> w.Wire:
    connection = w.Wire("127.0.0.1", cluster.proxy.port)
    connection.login("app", "app", cluster.database)
    return connection


def drain(connection: w.Wire, pause: float = 0) -> int:
    """Reads up to the end of the answer without keeping it; the number of bytes."""
    sock = connection.raw_socket
    buffer = bytearray(1 << 20)
    total = 0
    tail = b""
    while not tail.endswith(b"Z\0\0\0\5I"):
        count = sock.recv_into(buffer)
        assert count, "closed by the server"
        total += count
        tail = (tail + bytes(buffer[max(0, count - 6):count]))[-6:]
        if pause:
            time.sleep(pause)
    return total


def assert_small(cluster):
    assert cluster.proxy.memory_kib("VmHWM") < LIMIT_KIB


def test_a_large_result(small):
    small.proxy.reset_memory_peak()
    connection = login(small)
    connection.send(w.query(f"SELECT repeat('x', {ROW_BYTES}) FROM generate_series(1, "
                            f"{TOTAL_BYTES // ROW_BYTES})"))
    assert drain(connection) > TOTAL_BYTES
    assert_small(small)


def test_a_large_row(small):
    """One DataRow of 300 MB."""
    small.proxy.reset_memory_peak()
    connection = login(small)
    connection.send(w.query("SELECT repeat(repeat('x', 1000000), 300)"))
    assert drain(connection) > 300_000_000
    assert_small(small)


def test_a_slow_reader_does_not_make_us_buffer(small):
    small.proxy.reset_memory_peak()
    slow = login(small)
    slow.send(w.query(f"SELECT repeat('x', {ROW_BYTES}) FROM generate_series(1, 300)"))
    time.sleep(1)
    assert_small(small)
    # It does not hold up the others.
    other = login(small)
    start = time.monotonic()
    for _ in range(100):
        other.rows("SELECT 1")
    assert time.monotonic() - start < 2
    assert drain(slow, pause=0.001) > 300 * ROW_BYTES
    assert_small(small)


def test_copy_out(small):
    small.proxy.reset_memory_peak()
    connection = login(small)
    connection.send(w.query(f"COPY (SELECT repeat('x', {ROW_BYTES}) FROM generate_series(1, 500)) "
                            "TO STDOUT"))
    assert drain(connection) > 500 * ROW_BYTES
    assert_small(small)


@pytest.mark.parametrize("row_bytes", [200, ROW_BYTES])
def test_copy_in_split_by_key(small, row_bytes):
    """The rows fail a check at the end, so that the shards need not keep them."""
    small.proxy.reset_memory_peak()
    connection = login(small)
    connection.send(w.query("COPY big FROM STDIN"))
    assert connection.read().type == "G"
    value = b"x" * row_bytes
    total = 400 << 20
    rows_per_message = max(1, 60_000 // row_bytes)
    for number in range(total // (row_bytes * rows_per_message)):
        first = number * rows_per_message
        connection.send(w.copy_data(b"".join(b"%d\t%s\n" % (first + i, value)
                                             for i in range(rows_per_message))))
    messages = connection.ask(w.copy_fail("that was enough"))
    assert w.sqlstates(messages) == ["57014"]
    assert_small(small)


def test_a_large_statement_costs_a_few_times_its_size(small):
    """It is routed by its parameters, so it must be there as a whole; a second time it waits for the
    server's socket. Then the memory is free again."""
    small.proxy.reset_memory_peak()
    connection = login(small)
    before = small.proxy.memory_kib()
    connection.query("SET meridian.shard = 's1'")
    value = "x" * 12_000_000
    messages = connection.ask(w.parse("SELECT length($1)"), w.bind([value]), w.execute(), w.SYNC)
    assert messages[2].values() == [b"12000000"]
    assert_small(small)
    assert small.proxy.memory_kib() < before + 4096


def test_ten_thousand_idle_clients(small):
    """Measured with SO_RCVBUF as it is: kernel memory is not the proxy's."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < IDLE_CLIENTS + 500:
        pytest.fail(f"RLIMIT_NOFILE is {hard}: raise it to run the tests")
    resource.setrlimit(resource.RLIMIT_NOFILE, (IDLE_CLIENTS + 500, hard))
    login(small).rows("SELECT 1")
    before = small.proxy.memory_kib()
    startup = w.startup_packet({"user": "app", "database": small.database})
    clients = [None] * IDLE_CLIENTS

    def open_clients(part: range):
        for number in part:
            clients[number] = socket.create_connection(("127.0.0.1", small.proxy.port), 60)
            clients[number].sendall(startup)
        for number in part:
            wait_ready(clients[number])
            clients[number].sendall(w.query("SELECT 1"))
        for number in part:
            wait_ready(clients[number])

    threads = [threading.Thread(target=open_clients, args=(range(first, IDLE_CLIENTS, 4),))
               for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(clients)
    per_client = (small.proxy.memory_kib() - before) / IDLE_CLIENTS
    print(f"RSS per idle client: {per_client:.2f} KiB")
    try:
        assert login(small).rows("SELECT 'served'") == [("served",)]
        assert per_client < IDLE_CLIENT_LIMIT_KIB
    finally:
        for client in clients:
            client.close()


def wait_ready(sock: socket.socket):
    data = b""
    while not data.endswith(b"Z" + struct.pack("!i", 5) + b"I"):
        part = sock.recv(8192)
        assert part, "closed by the server"
        data += part
