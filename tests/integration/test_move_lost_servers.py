"""Servers of a move die, freeze, or cut the connections of those that move; afterwards it goes on."""

import signal
import threading
import time

import pytest

import moves
from bank import Bank
from cluster.cluster import Cluster
from cluster.process import wait_for
from movers import Movers, check, end, movers  # noqa: F401


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
