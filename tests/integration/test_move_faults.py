"""At each step of a move that is written down, the proxy that moves dies, or falls asleep and wakes up when
another has gone on; clients of a third proxy transfer money all the time. Afterwards the range has one owner,
every row is there once, no acknowledged write is lost, and nothing is left on the shards. `-s` prints what
was found for each step."""

import re
import signal
import time

import pytest

import moves
from bank import Bank, make_bank
from cluster.cluster import Cluster
from cluster.meridian import Meridian
from cluster.process import ROOT, wait_for

POINTS = re.findall(r'"(move\.\w+)"', (ROOT / "metrics" / "fault_points.h").read_text())
CANCELLING = {"move.cancelling", "move.undo_end"}
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
@pytest.mark.parametrize("point", [p for p in POINTS if p not in CANCELLING | UNDOING])
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
@pytest.mark.parametrize("point", [p for p in POINTS if p not in CANCELLING | UNDOING])
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
