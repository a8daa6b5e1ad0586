"""Moves that can be taken back after their range has changed owner: REVERSE MOVE, FINISH MOVE; and several moves
at a time."""

import re
import time

import psycopg
import pytest

import moves
from bank import Bank, make_bank
from cluster.cluster import Cluster
from cluster.meridian import Meridian
from cluster.process import ROOT, wait_for

SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}
POINTS = re.findall(r'"(move\.\w+)"', (ROOT / "metrics" / "fault_points.h").read_text())
BACK = ["move.reversible", "move.verified", "move.held", "move.drained", "move.fenced", "move.swap", "move.switched",
        "move.cleaning", "move.removed", "move.end"]


@pytest.fixture(scope="module")
def bank():
    settings = {"control": {"mover_lease": "0"}, "workers": 1}
    with Cluster(shards=4, oracle=False, server_settings=SERVERS, proxy_settings=settings) as made:
        make_bank(made)
        made.mover = Meridian(made.directory, "mover", made.shards[0],
                              {"control": {"mover_lease": "1s"}, "workers": 1}, made.database)
        made.mover.start()
        yield made
        made.mover.stop()


def begin(cluster: Cluster, options: str = "") -> tuple[int, str, str]:
    """A reversible move of r0 in its phase `reversible`, and from where to where."""
    source = moves.owner(cluster, "r0")
    target = {"s1": "s2", "s2": "s1"}[source]
    move = moves.ask(cluster, "r0", target, "reversible on" + options)
    moves.wait_for_phase(cluster, move, "reversible")
    assert moves.owner(cluster, "r0") == target
    return move, source, target


def check(cluster: Cluster):
    moves.assert_nothing_left(cluster)
    for table, key in (("accounts", "id"), ("ledger", "account")):
        moves.assert_rows_where_they_belong(cluster, table, key)


@pytest.mark.slow
def test_back_under_load(bank):
    with Bank(bank, clients=8, readers=2) as clients:
        for _ in range(2):
            move, source, _ = begin(bank)
            before = len(clients.acknowledged)
            wait_for(lambda: len(clients.acknowledged) > before + 20, "clients work")
            bank.admin(f"REVERSE MOVE {move}")
            row = moves.wait_for_phase(bank, move, "reversed")
            assert (row["state"], row["cutovers"]) == ("reversed", 2) and row["pause_ms"], row
            assert moves.owner(bank, "r0") == source
    assert clients.errors == []
    clients.assert_books()
    check(bank)


@pytest.mark.slow
def test_finish_under_load(bank):
    with Bank(bank, clients=4, readers=1) as clients:
        move, _, target = begin(bank)
        before = len(clients.acknowledged)
        wait_for(lambda: len(clients.acknowledged) > before + 20, "clients work")
        bank.admin(f"FINISH MOVE {move}")
        assert moves.wait_for_end(bank, move)["phase"] == "done"
        assert moves.owner(bank, "r0") == target
    assert clients.errors == []
    clients.assert_books()
    check(bank)


@pytest.mark.parametrize("writes", [0, 1, 300])
def test_what_was_written_comes_back(bank, writes):
    move, source, target = begin(bank)
    with bank.connect() as connection:
        for n in range(writes):
            connection.execute("UPDATE accounts SET note = %s WHERE id = %s", (f"{move} {n}", n % 100))
        row = moves.show(bank, move)
        assert (row["state"], row["reversible"]) == ("reversible", True), row
        # Both shards have the rows, nobody sees them twice.
        assert len(connection.execute("SELECT id FROM accounts").fetchall()) == 400
        bank.admin(f"REVERSE MOVE {move}")
        assert moves.wait_for_phase(bank, move, "reversed")["message"] is None
        notes = connection.execute("SELECT note FROM accounts WHERE id < 100 AND note LIKE %s",
                                   (f"{move} %",)).fetchall()
        expected = {n % 100: f"{move} {n}" for n in range(writes)}
        assert sorted(note for note, in notes) == sorted(expected.values())
    assert moves.owner(bank, "r0") == source != target
    check(bank)


def test_what_can_be_said_when(bank):
    def refused(sql: str, message: str):
        with pytest.raises(psycopg.Error, match=message) as error:
            bank.admin(sql)
        assert error.value.sqlstate in ("55000", "55006", "42704"), error.value.sqlstate
    refused("REVERSE MOVE 999999", "does not exist")
    refused("FINISH MOVE 999999", "does not exist")
    source = moves.owner(bank, "r0")
    bank.mover.set_fault_points("move.following=pause")
    move = moves.ask(bank, "r0", {"s1": "s2", "s2": "s1"}[source], "reversible on, verify off")
    moves.wait_for_phase(bank, move, "following")
    refused(f"REVERSE MOVE {move}", "cannot be reversed: it is following")
    refused(f"FINISH MOVE {move}", "cannot be finished: it is following")
    bank.mover.set_fault_points("")
    moves.wait_for_phase(bank, move, "reversible")
    refused(f"CANCEL MOVE {move}", "cannot be cancelled or paused")
    refused(f"PAUSE MOVE {move}", "cannot be cancelled or paused")
    refused("SPLIT KEY RANGE x FROM r0 BY 50", "on the move")
    with bank.connect() as connection, bank.connect(autocommit=False) as writer:
        with pytest.raises(psycopg.Error, match="on the move"):
            connection.execute("ALTER TABLE accounts ADD COLUMN more int")
        # A reversal that waits can be taken back; then it is as it was.
        bank.admin(f"ALTER MOVE {move} SET (cutover_timeout '200ms')")
        writer.execute("UPDATE accounts SET note = 'open' WHERE id = 1")
        bank.admin(f"REVERSE MOVE {move}")
        wait_for(lambda: moves.show(bank, move)["cutovers"] > 1, "a cut-over is tried")
        wait_for(lambda: moves.show(bank, move)["phase"] == "reversible", "and undone")
        bank.admin(f"RESUME MOVE {move}")
        writer.commit()
        wait_for(lambda: moves.show(bank, move)["state"] == "reversible", "it rests again")
        assert moves.owner(bank, "r0") != source
        assert connection.execute("SELECT note FROM accounts WHERE id = 1").fetchone() == ("open",)
    bank.admin(f"FINISH MOVE {move}")
    assert moves.wait_for_end(bank, move)["phase"] == "done"
    refused(f"REVERSE MOVE {move}", "has ended: done")
    check(bank)


def test_a_direct_client_meets_the_fence(bank):
    """Who bypasses Meridian can write to the owner alone, on the way there, between, and back."""
    move, source, target = begin(bank)

    def accepts(shard: str) -> bool:
        with bank.shard(shard).connect(bank.database) as direct:
            try:
                return direct.execute("UPDATE accounts SET note = 'direct' WHERE id = 7").rowcount == 1
            except psycopg.Error as error:
                assert error.sqlstate == "M0002", error
                return False
    assert not accepts(source) and accepts(target)
    bank.mover.set_fault_points("move.cleaning=pause")
    bank.admin(f"REVERSE MOVE {move}")
    moves.wait_for_phase(bank, move, "cleaning")
    assert accepts(source) and not accepts(target)
    bank.mover.set_fault_points("")
    moves.wait_for_phase(bank, move, "reversed")
    check(bank)


def test_a_fence_that_was_left_open_is_closed_before_rows_are_removed(bank):
    """As by a way back that could not be undone on the former owner, which was down."""
    move, source, target = begin(bank)
    former = bank.shard(source)
    wait_for(lambda: moves.show(bank, move)["lag_bytes"] is not None, "the way back is followed")
    (fence,), = former.execute("SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'meridian'"
                               "::regnamespace AND relname ~ '^meridian_.*_move_'", bank.database)
    former.execute(f"SELECT setval('meridian.{fence}', 1)", bank.database)
    bank.mover.set_fault_points("move.removed=pause")
    bank.admin(f"FINISH MOVE {move}")
    moves.wait_for_phase(bank, move, "cleaning")
    wait_for(lambda: former.execute("SELECT 1 FROM accounts WHERE id < 100", bank.database) == [], "rows are removed")
    with former.connect(bank.database) as direct, pytest.raises(psycopg.Error, match="no longer on this shard"):
        direct.execute("INSERT INTO accounts VALUES (7, 1, 'direct')")
    bank.mover.set_fault_points("")
    assert moves.wait_for_phase(bank, move, "done")["phase"] == "done"
    assert moves.owner(bank, "r0") == target
    check(bank)


def test_a_lost_slot_is_told(bank):
    """As after a failover of the target: it cannot be reversed any more, but finished."""
    move, _, target = begin(bank)
    server = bank.shard(target)

    def drop():
        server.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots")
        server.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
        return server.execute("SELECT 1 FROM pg_replication_slots") == []
    wait_for(drop, "the slot is gone")
    wait_for(lambda: "does not exist" in (moves.show(bank, move)["message"] or "") or
             "slot is gone" in (moves.show(bank, move)["message"] or ""), "that is told")
    bank.admin(f"REVERSE MOVE {move}")
    time.sleep(1)
    assert moves.show(bank, move)["phase"] == "reversible" and moves.owner(bank, "r0") == target
    bank.admin(f"RESUME MOVE {move}")
    bank.admin(f"FINISH MOVE {move}")
    assert moves.wait_for_phase(bank, move, "done")["phase"] == "done"
    check(bank)


@pytest.mark.slow
@pytest.mark.parametrize("point", BACK)
def test_the_mover_dies_on_the_way_back(bank, point):
    assert point in POINTS
    with Bank(bank, clients=3, readers=1) as clients:
        move, source, _ = begin(bank, ", cutover_timeout '500ms'")
        bank.mover.set_fault_points(f"{point}=kill")
        bank.admin(f"REVERSE MOVE {move}")
        wait_for(lambda: not bank.mover.running(), f"the mover dies at {point}")
        bank.mover.configure({"debug": {"fault_points": ""}})
        bank.mover.restart()
        row = moves.wait_for_phase(bank, move, "reversed")
    assert clients.errors == []
    clients.assert_books()
    assert moves.owner(bank, "r0") == source
    check(bank)
    print(f"{point}: {row['phase']}, {row['cutovers']} cut-overs, {len(clients.acknowledged)} transfers")


@pytest.mark.slow
@pytest.mark.parametrize("point", ["move.undoing", "move.undone"])
def test_the_mover_dies_while_it_undoes_the_way_back(bank, point):
    with Bank(bank, clients=3, readers=1) as clients:
        move, source, _ = begin(bank, ", cutover_timeout '300ms', verify off")
        with bank.connect(autocommit=False) as idle:
            idle.execute("UPDATE accounts SET note = 'y' WHERE id = 1")
            bank.mover.set_fault_points(f"{point}=kill")
            bank.admin(f"REVERSE MOVE {move}")
            wait_for(lambda: not bank.mover.running(), f"the mover dies at {point}")
            bank.mover.configure({"debug": {"fault_points": ""}})
            bank.mover.restart()
            wait_for(lambda: moves.show(bank, move)["cutovers"] > 2, "it tries again")
            idle.rollback()
        moves.wait_for_phase(bank, move, "reversed")
    assert clients.errors == []
    clients.assert_books()
    assert moves.owner(bank, "r0") == source
    check(bank)


def test_two_moves_at_a_time(bank):
    """Of different shards: r0 between s1 and s2, r2 between s3 and s4."""
    assert moves.owner(bank, "r2") == "s3"
    bank.mover.set_fault_points("move.following=pause")
    first = moves.ask(bank, "r0", {"s1": "s2", "s2": "s1"}[moves.owner(bank, "r0")])
    second = moves.ask(bank, "r2", "s4")
    third = moves.ask(bank, "r3", "s1")
    for move in (first, second):
        moves.wait_for_phase(bank, move, "following")
    assert moves.show(bank, third)["phase"] == "queued"
    with Bank(bank, clients=3, readers=1) as clients:
        bank.mover.set_fault_points("")
        for move in (first, second, third):
            assert moves.wait_for_end(bank, move)["phase"] == "done"
    assert clients.errors == []
    clients.assert_books()
    check(bank)
    for name, shard in (("r2", "s3"), ("r3", "s4")):
        moves.do(bank, name, shard)


def test_others_move_beside_one_that_is_reversible(bank):
    move, source, target = begin(bank)
    moves.do(bank, "r1", {"s2": "s1", "s1": "s2"}[moves.owner(bank, "r1")])
    bank.admin(f"REVERSE MOVE {move}")
    moves.wait_for_phase(bank, move, "reversed")
    moves.do(bank, "r1", "s2")
    check(bank)
