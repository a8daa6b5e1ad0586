"""At each step of a commit in two phases something dies: the proxy, the server of a shard that has
prepared, the server of the lead. Afterwards every transaction is on all shards or on none, as its
client was told, and nothing stays prepared. `-s` prints what each client was told and what was found.

At each step and with each victim there is one transaction of every kind (shard_writes.py), each in a
worker of its own: the proxy stops them all there, then the victim dies."""

import re
import signal

import pytest

from cluster.cluster import Cluster
from cluster.process import ROOT, wait_for
from shard_writes import FAST_CONTROL, KINDS, Writes

POINTS = re.findall(r'"(commit\.\w+)"', (ROOT / "metrics" / "fault_points.h").read_text())
DECIDED = {"commit.decided", "commit.finish_sent", "commit.finished_one", "commit.finished"}
ANOTHER = "the server of another"
SERVERS = {"the server of the lead": "s1", ANOTHER: "s3"}
SERVER_DEATHS = [signal.SIGKILL, signal.SIGQUIT]  # in turn
TRANSACTIONS = 400


@pytest.fixture(scope="module")
def writes():
    # Twice as many: a client that has just left may still be counted where it was.
    settings = {"workers": 2 * len(KINDS), "control": FAST_CONTROL}
    # All that the proxies leave that are killed may be prepared at once.
    with Cluster(shards=3, oracle=False, proxy_settings=settings,
                 server_settings={"max_prepared_transactions": TRANSACTIONS}) as cluster:
        yield Writes(cluster, TRANSACTIONS)


def new_writes(writes: Writes, point: str, kinds=tuple(KINDS)) -> list:
    """Where nothing fails there is nothing to abort: there s2 fails, or the lead itself."""
    fails = {"commit.abort_sent": ("s2", "s1")}.get(point, (None,))
    return [writes.new(kind, fails[number % len(fails)]) for number, kind in enumerate(kinds)]


def stop_all_at(proxy, point: str, started: list):
    for write in started:
        write.begin(proxy)
    proxy.set_fault_points(f"{point}=pause")
    stopped = proxy.log_count("paused at a fault point")
    for write in started:
        write.commit()
    wait_for(lambda: proxy.log_count("paused at a fault point") == stopped + len(started),
             f"all transactions are at {point}")


def is_there(point: str, survivor: bool) -> bool | None:
    """Whether the transaction must be there. `survivor`: proxy and lead live on. None: it depends on
    how far the servers had come."""
    if point in DECIDED:
        return True
    if point in ("commit.begin", "commit.abort_sent"):
        return False
    if point == "commit.decide_sent":
        return None
    if not survivor:
        return False
    return True if point == "commit.prepared" else None


def check(writes: Writes, point: str, victim: str, ended: list):
    try:
        writes.check(*ended)
    finally:
        print()
        for write in ended:
            print(f"{point:20} {victim:24} {write}")
    must = is_there(point, survivor=victim == ANOTHER)
    if must is not None:
        assert {bool(write.found) for write in ended} == {must}


@pytest.fixture(scope="module")
def killed(writes):
    """All that were in the proxy when it was killed at a point, by the point. Another process of it
    finds what was left."""
    proxy = writes.cluster.proxy
    found = {}
    for number, point in enumerate(POINTS):
        kind = list(KINDS)[number % len(KINDS)]
        (alone,) = new_writes(writes, point, [kind])
        alone.begin(proxy)
        proxy.set_fault_points(f"{point}=kill")
        alone.commit()
        assert proxy.wait() == -signal.SIGKILL
        proxy.restart()
        together = new_writes(writes, point)
        stop_all_at(proxy, point, together)
        proxy.signal(signal.SIGKILL)
        proxy.wait()
        proxy.restart()
        found[point] = [alone, *together]
        for write in found[point]:
            write.finish()
    writes.wait_for_recovery()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_the_proxy_dies(writes, killed, point):
    check(writes, point, "the proxy", killed[point])
    early = {write.told for write in killed[point] if write.kind == "told when decided"}
    assert early <= ({"closed", "committed"} if point in DECIDED else {"closed"})
    assert {write.told for write in killed[point] if write.kind != "told when decided"} == {"closed"}


@pytest.mark.slow
@pytest.mark.parametrize("victim", SERVERS)
@pytest.mark.parametrize("point", POINTS)
def test_a_server_dies(writes, point, victim):
    proxy, server = writes.cluster.proxy, writes.cluster.shard(SERVERS[victim])
    # Each of the new ones needs a worker of its own.
    wait_for(lambda: proxy.admin_rows("SHOW CLIENTS WHERE user = 'app'") == [], "the others are gone")
    together = new_writes(writes, point)
    stop_all_at(proxy, point, together)
    server.stop(SERVER_DEATHS[POINTS.index(point) % 2])
    server.start()
    proxy.set_fault_points("")
    for write in together:
        write.finish()
    writes.wait_for_recovery()
    check(writes, point, victim, together)
    assert "closed" not in {write.told for write in together}
