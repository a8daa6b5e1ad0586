"""Large ranges move slice by slice, each with its own cut-over: what has moved stays moved, whatever happens to
the rest."""

import time

import psycopg
import pytest

import moves
from bank import Bank, make_bank
from cluster.cluster import Cluster
from cluster.meridian import Meridian
from cluster.process import wait_for

SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}
SLICES = "slice_size '300kB', cutover_timeout '500ms'"  # some three of the 800 kB that a range has


@pytest.fixture(scope="module")
def bank():
    settings = {"control": {"mover_lease": "0"}, "workers": 1}
    with Cluster(shards=2, oracle=False, server_settings=SERVERS, proxy_settings=settings) as made:
        make_bank(made)
        for shard in made.shards:
            shard.execute("UPDATE accounts SET note = (SELECT string_agg(md5(id::text || j), '') FROM"
                          " generate_series(1, 250) j)", made.database)
        made.mover = Meridian(made.directory, "mover", made.shards[0],
                              {"control": {"mover_lease": "1s"}, "workers": 1}, made.database)
        made.mover.start()
        yield made
        made.mover.stop()


def other(cluster: Cluster, name: str) -> str:
    return {"s1": "s2", "s2": "s1"}[moves.owner(cluster, name)]


def check(cluster: Cluster, clients: Bank):
    assert clients.errors == []
    clients.assert_books()
    moves.assert_nothing_left(cluster)
    for table, key in (("accounts", "id"), ("ledger", "account")):
        moves.assert_rows_where_they_belong(cluster, table, key)


def ranges(cluster: Cluster) -> list:
    return [(row["key_range"], row["lower"], row["upper"]) for row in cluster.proxy.admin_rows("SHOW KEY RANGES")]


@pytest.mark.slow
def test_under_load(bank):
    before = ranges(bank)
    with Bank(bank, clients=6, readers=2) as clients:
        for name in ("r0", "r3"):
            target = other(bank, name)
            row = moves.do(bank, name, target, SLICES)
            assert row["slices"] >= 1 and row["cutovers"] > row["slices"] and row["progress"] == 1.0, row
            assert moves.owner(bank, name) == target
    assert ranges(bank) == before
    check(bank, clients)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["move.announce", "move.copied", "move.switched", "move.end"])
def test_the_mover_dies_at_its_second_slice(bank, point):
    before = ranges(bank)
    with Bank(bank, clients=3, readers=1) as clients:
        target = other(bank, "r1")
        bank.mover.set_fault_points("move.removed=pause")
        move = moves.ask(bank, "r1", target, SLICES)
        moves.wait_for_phase(bank, move, "cleaning")
        bank.mover.set_fault_points("move.announce=pause")
        moves.wait_for_phase(bank, move, "queued")
        wait_for(lambda: 0.05 < moves.show(bank, move)["progress"] < 0.7, "one slice of several is told")
        row = moves.show(bank, move)
        assert 0 < row["rows_copied"] < row["rows_expected"] and row["eta_s"] >= 0, row
        bank.mover.set_fault_points(f"{point}=kill")
        wait_for(lambda: not bank.mover.running(), f"the mover dies at {point}")
        assert moves.show(bank, move)["slices"] == 1
        bank.mover.configure({"debug": {"fault_points": ""}})
        bank.mover.restart()
        row = moves.wait_for_end(bank, move)
        assert row["phase"] == "done" and row["slices"] >= 2, row
    assert moves.owner(bank, "r1") == target and ranges(bank) == before
    check(bank, clients)


@pytest.mark.parametrize("phase", ["cleaning", "queued", "announced", "following"])
def test_what_has_moved_stays_when_the_rest_is_cancelled(bank, phase):
    before = ranges(bank)
    source, target = moves.owner(bank, "r2"), other(bank, "r2")
    with Bank(bank, clients=2, readers=1) as clients:
        bank.mover.set_fault_points("move.removed=pause")
        move = moves.ask(bank, "r2", target, SLICES)
        moves.wait_for_phase(bank, move, "cleaning")
        point = {"cleaning": "move.removed", "queued": "move.announce", "announced": "move.announced",
                 "following": "move.following"}[phase]
        bank.mover.set_fault_points(f"{point}=pause")
        moves.wait_for_phase(bank, move, phase)
        bank.admin(f"CANCEL MOVE {move}")
        bank.mover.set_fault_points("")
        row = moves.wait_for_phase(bank, move, "cancelled")
    assert row["slices"] == 1 and row["message"] == f'what has moved stays: key range "r2_2" of shard "{target}"', row
    assert (moves.owner(bank, "r2_2"), moves.owner(bank, "r2")) == (target, source)
    check(bank, clients)
    moves.do(bank, "r2_2", source)
    bank.admin("UNITE KEY RANGE r2 WITH r2_2")
    assert ranges(bank) == before


def test_a_pause_between_slices_keeps_nothing(bank):
    target = other(bank, "r2")
    bank.mover.set_fault_points("move.removed=pause")
    move = moves.ask(bank, "r2", target, SLICES)
    moves.wait_for_phase(bank, move, "cleaning")
    bank.mover.set_fault_points("move.announce=pause")
    moves.wait_for_phase(bank, move, "queued")
    bank.admin(f"PAUSE MOVE {move}", f"ALTER MOVE {move} SET (slice_size 0)")
    bank.mover.set_fault_points("")
    wait_for(lambda: moves.show(bank, move)["state"] == "paused" and moves.show(bank, move)["phase"] in
             ("queued", "announced"), "it rests")
    for shard in bank.shards:
        assert shard.execute("SELECT 1 FROM pg_replication_slots", bank.database) == []
    # How long it has rested does not count for how long the rest takes.
    assert moves.show(bank, move)["eta_s"] is None
    began = "SELECT extract(epoch FROM began_at - asked_at) FROM meridian.moves WHERE move = " + str(move)
    (before,), = bank.shards[0].execute(began, bank.database)
    time.sleep(1.5)
    bank.admin(f"RESUME MOVE {move}")
    (after,), = bank.shards[0].execute(began, bank.database)
    assert before + 1 < after
    assert moves.wait_for_end(bank, move)["phase"] == "done"
    moves.assert_nothing_left(bank)


def test_reversible_moves_have_none(bank):
    with pytest.raises(psycopg.Error, match="a reversible move has no slices") as refused:
        bank.admin(f"MOVE KEY RANGE r0 TO {other(bank, 'r0')} WITH (reversible on, slice_size '1MB')")
    assert refused.value.sqlstate == "0A000"
    bank.mover.set_fault_points("move.announce=pause")
    move = moves.ask(bank, "r0", other(bank, "r0"), "reversible on")
    with pytest.raises(psycopg.Error, match=f"move {move} cannot have slices: it is reversible"):
        bank.admin(f"ALTER MOVE {move} SET (slice_size '1MB')")
    bank.admin(f"CANCEL MOVE {move}")
    bank.mover.set_fault_points("")
    moves.wait_for_phase(bank, move, "cancelled")
