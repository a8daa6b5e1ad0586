"""Proxies that serve clients sleep over the swap of a move, or die meanwhile: what they send by the old map meets
the fence."""

import pathlib
import signal
import threading

import pytest

import moves
import wire as w
from bank import ACCOUNTS, RANGES, Bank
from cluster.meridian import Meridian
from cluster.process import wait_for
from movers import movers  # noqa: F401


@pytest.mark.slow
def test_a_serving_proxy_sleeps_over_the_swap(movers):
    """What it was sent meanwhile finds the new owner, with what others have written there. Until it wakes up
    the source keeps the rows, since it may have statements under way that began with the old map."""
    cluster = movers.cluster
    move = movers.begin("move.following", "pause", ", verify off")
    moves.wait_for_phase(cluster, move, "following")
    with cluster.connect() as sleeping, movers.proxies[0].connect() as other:
        sleeping.execute("UPDATE accounts SET note = 'before' WHERE id = 3")
        cluster.proxy.signal(signal.SIGSTOP)
        wait_for(lambda: "\nState:\tT" in pathlib.Path(f"/proc/{cluster.proxy.pid}/status").read_text(),
                 "it has stopped")
        try:
            sent = threading.Thread(
                target=lambda: sleeping.execute("UPDATE accounts SET note = note || ' sleeper' WHERE id = 3"))
            sent.start()
            movers.set_fault_points("")
            moves.wait_for_phase(cluster, move, "switched", proxy=movers.proxies[0])  # its lease has run out
            other.execute("UPDATE accounts SET note = note || ' other' WHERE id = 3")
            waits = moves.show(cluster, move, movers.proxies[0])
            wait_for(lambda: "does not answer" in (moves.show(cluster, move, movers.proxies[0])["message"] or ""),
                     "the move waits for the proxy")
            assert sent.is_alive() and waits["phase"] == "switched"
        finally:
            cluster.proxy.signal(signal.SIGCONT)
        sent.join()
        assert moves.wait_for_end(cluster, move)["phase"] == "done"
        assert other.execute("SELECT note FROM accounts WHERE id = 3").fetchone() == ("before other sleeper",)
    moves.assert_nothing_left(cluster)


LATE = "UPDATE accounts SET note = note || ' late' WHERE id = 3 RETURNING note"
BEHIND = "UPDATE accounts SET note = note || ' behind' WHERE id = 3 RETURNING note"


def extended(sql: str) -> bytes:
    return w.parse(sql) + w.bind() + w.describe("P") + w.execute() + w.message("S")


# What a client sends at once, and what comes of it. BESIDE is the key of a row that stays on the source.
BESIDE = "SELECT id FROM accounts WHERE id = {}"
LATE_WRITES = {
    "by the simple protocol": ([w.query, LATE], [b"before other late"]),
    "by the extended protocol": ([extended, LATE], [b"before other late"]),
    "others behind it": ([w.query, LATE, w.query, BESIDE, extended, BEHIND],
                         [b"before other late", BESIDE, b"before other late behind"]),
    "others behind an extended one": ([extended, LATE, extended, BESIDE, w.query, BEHIND],
                                      [b"before other late", BESIDE, b"before other late behind"]),
    "in a transaction": ([w.query, "BEGIN", w.query, LATE, w.query, "ROLLBACK", w.query, BEHIND],
                         ["40001", b"before other behind"]),
    "one of a batch": ([lambda sql: extended(sql)[:-5], LATE, extended, BEHIND], ["40001"]),
    "too large to be kept": ([lambda sql: w.parse(sql) + w.bind(["x" * 100_000]) + w.execute() + w.message("S"),
                              LATE.replace("' late'", "$1"), w.query, BEHIND], ["40001", b"before other behind"]),
}


def answers_behind_the_swap(movers, move: int, sleeping, sent: list, other) -> list:
    """The proxy sleeps over the swap between planning the first write of `sent` and sending it: rows and SQLSTATEs."""
    cluster = movers.cluster
    proxy = cluster.proxy
    source = cluster.shard(moves.owner(cluster, "r0"))
    refused = source.log.read_text(errors="replace").count("is no longer on this shard")
    other.execute("UPDATE accounts SET note = 'before' WHERE id = 3")
    paused = proxy.log_count("paused at a fault point")
    proxy.set_fault_points("write.planned=pause")
    sleeping.send(*sent)
    wait_for(lambda: proxy.log_count("paused at a fault point") > paused, "the write is planned")
    proxy.signal(signal.SIGSTOP)
    try:
        movers.set_fault_points("")
        moves.wait_for_phase(cluster, move, "switched", proxy=movers.proxies[0])
        other.execute("UPDATE accounts SET note = note || ' other' WHERE id = 3")
        proxy.configure({"debug": {"fault_points": ""}})
        proxy.reload()
    finally:
        proxy.signal(signal.SIGCONT)
    answers = []
    for _ in range(b"".join(sent).count(w.message("S")) + sum(part.startswith(b"Q") for part in sent)):
        for message in sleeping.until_ready():
            if message.type == "D":
                answers += message.values()
            elif message.type == "E":
                answers.append(message.sqlstate)
    assert source.log.read_text(errors="replace").count("is no longer on this shard") > refused
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(LATE_WRITES))
def test_a_planned_write_meets_the_fence(movers, kind):
    """A proxy sleeps between planning a write and sending it, over the swap: the source refuses it. It runs at the
    new owner then, and what the client has sent behind it runs after it; in a transaction, or where it is too
    large to be kept, the client is told."""
    cluster = movers.cluster
    source = moves.owner(cluster, "r0")
    move = movers.begin("move.following", "pause", ", verify off")
    moves.wait_for_phase(cluster, move, "following", proxy=movers.proxies[0])
    beside = {"s1": 2, "s2": 1}[source] * ACCOUNTS // RANGES
    sent, expected = LATE_WRITES[kind]
    sent = [say(sql.format(beside)) for say, sql in zip(sent[::2], sent[1::2])]
    expected = [str(beside).encode() if answer == BESIDE else answer for answer in expected]
    with w.Wire("127.0.0.1", cluster.proxy.port) as sleeping, movers.proxies[0].connect() as other:
        sleeping.login("app", "app", cluster.database)
        answers = answers_behind_the_swap(movers, move, sleeping, sent, other)
        assert answers == expected
        last = answers[-1].decode() if answers[-1] != "40001" else "before other"
        assert other.execute("SELECT note FROM accounts WHERE id = 3").fetchone() == (last,)
    assert moves.wait_for_end(cluster, move)["phase"] == "done"
    moves.assert_nothing_left(cluster)


@pytest.mark.slow
@pytest.mark.parametrize("call", ["CALL note_twice({})", "DO $$BEGIN CALL note_twice({}); END$$"])
def test_what_has_committed_is_not_run_again(movers, call):
    """A procedure commits before it meets the fence: the client is told, and nothing has happened twice."""
    cluster = movers.cluster
    source = moves.owner(cluster, "r0")
    beside = {"s1": 2, "s2": 1}[source] * ACCOUNTS // RANGES
    with w.Wire("127.0.0.1", cluster.proxy.port) as sleeping, movers.proxies[0].connect() as other:
        other.execute("""CREATE OR REPLACE PROCEDURE note_twice(beside bigint) LANGUAGE plpgsql AS $$BEGIN
            UPDATE accounts SET note = note || ' once' WHERE id = beside; COMMIT;
            UPDATE accounts SET note = note || ' late' WHERE id = 3; END$$""")
        other.execute("UPDATE accounts SET note = 'beside' WHERE id = %s", (beside,))
        move = movers.begin("move.following", "pause", ", verify off")
        moves.wait_for_phase(cluster, move, "following", proxy=movers.proxies[0])
        sleeping.login("app", "app", cluster.database)
        sleeping.send(w.query("SET meridian.distribution_key = '3'"))
        sleeping.until_ready()
        answers = answers_behind_the_swap(movers, move, sleeping, [w.query(call.format(beside))], other)
        assert answers == ["40001"]
        notes = other.execute("SELECT note FROM accounts WHERE id IN (3, %s)", (beside,)).fetchall()
        assert sorted(notes) == [("before other",), ("beside once",)]
        assert moves.wait_for_end(cluster, move)["phase"] == "done"
        other.execute("DROP PROCEDURE note_twice")
    moves.assert_nothing_left(cluster)


@pytest.mark.slow
def test_a_serving_proxy_dies(movers):
    """In the middle of a move: nobody waits for it for longer than its lease."""
    cluster = movers.cluster
    third = Meridian(cluster.directory, "third", cluster.shards[0], {"control": {"mover_lease": "0"}},
                     cluster.database)
    third.start()
    with Bank(cluster, clients=2, readers=1) as bank:
        move = movers.begin("move.announced", "pause")
        moves.wait_for_phase(cluster, move, "announced")
        third.stop()
        movers.set_fault_points("")
        assert moves.wait_for_end(cluster, move)["phase"] == "done"
    assert bank.errors == []
    bank.assert_books()
