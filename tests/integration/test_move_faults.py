"""At each step of a move that is written down, the proxy that moves dies, or falls asleep and wakes up when
another has gone on; clients of a third proxy transfer money all the time. Afterwards the range has one owner,
every row is there once, no acknowledged write is lost, and nothing is left on the shards. `-s` prints what
was found for each step."""

import re
import signal
import time

import pytest

import moves
from bank import Bank
from cluster.process import ROOT, wait_for
from movers import check, end, movers  # noqa: F401

POINTS = re.findall(r'"(move\.\w+)"', (ROOT / "metrics" / "fault_points.h").read_text())
CANCELLING = {"move.cancelling", "move.undo_end"}
REVERSIBLE = {"move.reversible"}  # test_move_reverse.py
UNDOING = {"move.undoing", "move.undone"}


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
