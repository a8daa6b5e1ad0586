"""At each step of a move that is written down, the proxy that moves dies, or falls asleep and wakes up when
another has gone on; clients of a third proxy transfer money all the time. Afterwards the range has one owner,
every row is there once, no acknowledged write is lost, and nothing is left on the shards. `-s` prints what
was found for each step."""

import pathlib
import re
import signal
import threading
import time

import pytest

import moves
import wire as w
from bank import ACCOUNTS, RANGES, Bank, make_bank
from cluster.cluster import Cluster
from cluster.meridian import Meridian
from cluster.process import ROOT, wait_for

POINTS = re.findall(r'"(move\.\w+)"', (ROOT / "metrics" / "fault_points.h").read_text())
CANCELLING = {"move.cancelling", "move.undo_end"}
REVERSIBLE = {"move.reversible"}  # test_move_reverse.py
UNDOING = {"move.undoing", "move.undone"}
MOVER = {"control": {"mover_lease": "1s"}, "workers": 1}
SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}


class Movers:
    """A cluster whose first proxy serves clients, and two others that move."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.proxies = [Meridian(cluster.directory, f"mover{n}", cluster.shards[0], dict(MOVER),
                                 cluster.database) for n in range(2)]
        for proxy in self.proxies:
            proxy.start()

    def set_fault_points(self, text: str):
        for proxy in self.proxies:
            if proxy.running():
                proxy.set_fault_points(text)

    def restart_dead(self):
        for proxy in self.proxies:
            if not proxy.running():
                proxy.restart()

    def stop(self):
        for proxy in self.proxies:
            proxy.stop()

    def begin(self, point: str, what: str, options: str = "") -> int:
        """Asks for a move of r0 to where it is not, with the fault at this point."""
        self.set_fault_points(f"{point}={what}")
        target = {"s1": "s2", "s2": "s1"}[moves.owner(self.cluster, "r0")]
        return moves.ask(self.cluster, "r0", target, "cutover_timeout '500ms'" + options)


@pytest.fixture(scope="module")
def movers():
    settings = {"control": {"mover_lease": "0"}, "workers": 1}
    with Cluster(shards=2, oracle=False, proxy_settings=settings, server_settings=SERVERS) as cluster:
        make_bank(cluster)
        made = Movers(cluster)
        yield made
        made.stop()


def end(movers: Movers, move: int, bank: Bank) -> dict:
    row = moves.wait_for_end(movers.cluster, move)
    movers.restart_dead()
    assert bank.errors == []
    return row


@pytest.mark.slow
@pytest.mark.parametrize("point", [p for p in POINTS if p not in CANCELLING | UNDOING | REVERSIBLE])
def test_the_mover_dies(movers, point):
    with Bank(movers.cluster, clients=3, readers=1) as bank:
        move = movers.begin(point, "kill")
        wait_for(lambda: not all(p.running() for p in movers.proxies), f"the mover dies at {point}")
        movers.set_fault_points("")
        row = end(movers, move, bank)
    assert row["phase"] == "done", row
    check(movers, row, bank, point)


def check(movers: Movers, row: dict, bank: Bank, point: str):
    bank.assert_books()
    moves.assert_nothing_left(movers.cluster)
    for table, key in (("accounts", "id"), ("ledger", "account")):
        moves.assert_rows_where_they_belong(movers.cluster, table, key)
    where = row["target"] if row["phase"] == "done" else row["source"]
    assert moves.owner(movers.cluster, "r0") == where
    print(f"{point}: {row['phase']}, {row['copies']} copies, {row['cutovers']} cut-overs, "
          f"{len(bank.acknowledged)} transfers")


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(UNDOING))
def test_the_mover_dies_while_it_undoes(movers, point):
    """A transaction that has written to the range stays open: the cut-over does not come to its end. (The
    comparison of all rows would wait for it, too, before.)"""
    with Bank(movers.cluster, clients=3, readers=1) as bank:
        with movers.cluster.connect(autocommit=False) as idle:
            move = movers.begin("move.following", "pause", ", verify off")
            moves.wait_for_phase(movers.cluster, move, "following")
            idle.execute("UPDATE accounts SET note = 'y' WHERE id = 1")
            movers.set_fault_points(f"{point}=kill")
            wait_for(lambda: not all(p.running() for p in movers.proxies), f"the mover dies at {point}")
            movers.set_fault_points("")
            idle.rollback()
        row = end(movers, move, bank)
    assert row["phase"] == "done" and row["cutovers"] > 1, row
    check(movers, row, bank, point)


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(CANCELLING))
def test_the_mover_dies_while_it_cancels(movers, point):
    with Bank(movers.cluster, clients=3, readers=1) as bank:
        move = movers.begin("move.following", "pause")
        moves.wait_for_phase(movers.cluster, move, "following")
        movers.cluster.admin(f"CANCEL MOVE {move}")
        movers.set_fault_points(f"{point}=kill")
        wait_for(lambda: not all(p.running() for p in movers.proxies), f"the mover dies at {point}")
        movers.set_fault_points("")
        row = end(movers, move, bank)
    assert row["phase"] == "cancelled", row
    check(movers, row, bank, point)


@pytest.mark.slow
@pytest.mark.parametrize("point", [p for p in POINTS if p not in CANCELLING | UNDOING | REVERSIBLE])
def test_the_mover_sleeps(movers, point):
    """As long as another takes to go on, and then it goes on itself, where it was."""
    with Bank(movers.cluster, clients=3, readers=1) as bank:
        paused = {proxy: proxy.log_count("paused at a fault point") for proxy in movers.proxies}
        move = movers.begin(point, "pause")
        wait_for(lambda: any(p.log_count("paused at a fault point") > paused[p] for p in movers.proxies),
                 f"the mover is at {point}")
        sleeper = next(p for p in movers.proxies if p.log_count("paused at a fault point") > paused[p])
        sleeper.configure({"debug": {"fault_points": ""}})
        sleeper.signal(signal.SIGSTOP)
        movers.proxies[1 - movers.proxies.index(sleeper)].set_fault_points("")
        time.sleep(2.5)  # the lease and a moment for the other
        sleeper.reload()
        sleeper.signal(signal.SIGCONT)
        row = end(movers, move, bank)
    assert row["phase"] == "done", row
    check(movers, row, bank, point)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["move.swap", "move.undoing", "move.switched", "move.end"])
def test_the_catalog_is_lost(movers, point):
    """All of Meridian's own connections to the server that has the catalog, s1, are cut just before the step is
    written down: what was asked for and not answered is looked up, or undone. Clients notice nothing."""
    cluster = movers.cluster
    with Bank(cluster, clients=3, readers=1) as bank:
        what = ", verify off" if point == "move.undoing" else ""
        move = movers.begin("move.following" if what else point, "pause", what)
        paused = {proxy: proxy.log_count("paused at a fault point") for proxy in movers.proxies}
        if what:
            moves.wait_for_phase(cluster, move, "following")
            idle = cluster.connect(autocommit=False)
            idle.execute("UPDATE accounts SET note = 'y' WHERE id = 1")
            movers.set_fault_points(f"{point}=pause")
            wait_for(lambda: any(p.log_count("paused at a fault point") > paused[p] for p in movers.proxies),
                     f"the mover is at {point}")
            idle.rollback()
            idle.close()
        else:
            wait_for(lambda: any(p.log_count("paused at a fault point") for p in movers.proxies)
                     and moves.show(cluster, move)["phase"] in ("switching", "switched", "cleaning"), f"{point}")
        cluster.shards[0].execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> 'app'"
                                  " AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
        movers.set_fault_points("")
        row = end(movers, move, bank)
    assert row["phase"] == "done", row
    check(movers, row, bank, point)


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


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["source", "target"])
def test_a_server_dies(movers, victim):
    """It starts again, and the move goes on."""
    cluster = movers.cluster
    source = cluster.shard(moves.owner(cluster, "r0"))
    target = next(shard for shard in cluster.shards if shard is not source)
    move = movers.begin("move.following", "pause")
    moves.wait_for_phase(cluster, move, "following")
    server = source if victim == "source" else target
    server.stop(signal.SIGKILL)
    movers.set_fault_points("")
    time.sleep(1)
    server.start()
    row = moves.wait_for_end(cluster, move)
    assert row["phase"] == "done", row
    with Bank(cluster, clients=1, readers=0) as bank:
        wait_for(lambda: len(bank.acknowledged) > 5, "clients work")
    bank.assert_books()
    moves.assert_nothing_left(cluster)
    moves.assert_rows_where_they_belong(cluster, "accounts", "id")


class Lost:
    """s2 dies or freezes for a while; s1 has the catalog."""

    def __init__(self, cluster: Cluster, how: str):
        self.server = cluster.shard("s2")
        self.how = how

    def __enter__(self):
        if self.how == "dies":
            self.server.stop(signal.SIGKILL)
        else:
            self.server.freeze()

    def __exit__(self, *_):
        if self.how == "dies":
            self.server.start()
        else:
            self.server.thaw()


def held_write(movers: Movers, source: str, point: str) -> tuple:
    """A move of r0 from this shard, paused at this point, and a write that waits for it."""
    if moves.owner(movers.cluster, "r0") != source:
        moves.do(movers.cluster, "r0", source, "verify off")
    move = movers.begin(point, "pause", ", verify off")
    moves.wait_for_phase(movers.cluster, move, "switching")
    answers = []

    def send():
        with movers.cluster.connect() as client:
            answers.append(client.execute("UPDATE accounts SET note = 'held' WHERE id = 2 RETURNING note").fetchall())
    write = threading.Thread(target=send)
    write.start()
    return move, write, answers


def ends_well(movers: Movers, move: int):
    assert moves.wait_for_end(movers.cluster, move)["phase"] == "done"
    moves.assert_nothing_left(movers.cluster)
    moves.assert_rows_where_they_belong(movers.cluster, "accounts", "id")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["dies", "freezes"])
@pytest.mark.parametrize("point", ["move.held", "move.drained", "move.fenced"])
def test_the_target_is_lost_while_the_range_is_held(movers, point, how):
    """Clients of the range go on at the source before the target is back."""
    move, write, answers = held_write(movers, "s1", point)
    with Lost(movers.cluster, how):
        movers.set_fault_points("")
        write.join(20)
        assert answers == [[("held",)]]
    ends_well(movers, move)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["dies", "freezes"])
@pytest.mark.parametrize("point", ["move.drained", "move.fenced"])
def test_the_source_is_lost_while_the_range_is_held(movers, point, how):
    """Its clients go on when it is back, or at the target where that has all of the stream already."""
    move, write, answers = held_write(movers, "s2", point)
    with Lost(movers.cluster, how):
        movers.set_fault_points("")
        time.sleep(4)
    write.join(20)
    assert answers == [[("held",)]]
    ends_well(movers, move)


@pytest.mark.slow
@pytest.mark.parametrize("point", [p for p in POINTS if p not in CANCELLING | UNDOING | REVERSIBLE])
def test_a_step_fails(movers, point):
    """It is tried again until it does not, and the move says so."""
    with Bank(movers.cluster, clients=3, readers=1) as bank:
        move = movers.begin(point, "fail")
        wait_for(lambda: point in (moves.show(movers.cluster, move)["message"] or ""), f"{point} is told")
        movers.set_fault_points("")
        row = end(movers, move, bank)
    assert row["phase"] == "done", row
    check(movers, row, bank, point)


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(CANCELLING | UNDOING))
def test_a_step_back_fails(movers, point):
    """Undoing a cut-over (that fails at first), and cancelling."""
    with Bank(movers.cluster, clients=3, readers=1) as bank:
        move = movers.begin(point, f"fail,move.{'fenced=fail' if point in UNDOING else 'following=pause'}")
        if point in CANCELLING:
            moves.wait_for_phase(movers.cluster, move, "following")
            movers.cluster.admin(f"CANCEL MOVE {move}")
            movers.set_fault_points(f"{point}=fail")
        wait_for(lambda: point in (moves.show(movers.cluster, move)["message"] or ""), f"{point} is told")
        movers.set_fault_points("")
        row = end(movers, move, bank)
    assert row["phase"] == ("cancelled" if point in CANCELLING else "done"), row
    check(movers, row, bank, point)
