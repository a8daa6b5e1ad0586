"""Several proxies recover what one of them has left: at once, one after the other's death, and not from
one that only is slow."""

import contextlib
import os
import signal
import time

import pytest

from cluster.cluster import Cluster
from cluster.meridian import Meridian
from cluster.process import wait_for
from shard_writes import FAST_CONTROL, Writes

AFTER_PREPARE = ["commit.prepare_sent", "commit.prepared_one", "commit.prepared",
                 "commit.decide_sent", "commit.decided", "commit.finish_sent",
                 "commit.finished_one", "commit.abort_sent"]


@pytest.fixture(scope="module")
def writes():
    with Cluster(shards=3, oracle=False, proxy_settings={"control": FAST_CONTROL}) as cluster:
        yield Writes(cluster, 100)


@pytest.fixture
def proxies(writes):
    """Starts more of them, by name."""
    with contextlib.ExitStack() as stack:
        def start(name: str, fault_points: str = "", recovers: bool = True, wait: bool = True):
            cluster = writes.cluster
            control = dict(FAST_CONTROL)
            if not recovers:
                control["transaction_recovery_interval"] = "10min"
            proxy = Meridian(cluster.directory, name, cluster.shards[0],
                             {"control": control, "debug": {"fault_points": fault_points}})
            stack.callback(proxy.stop)
            proxy.start() if wait else proxy.launch()
            return proxy
        yield start


def left_behind(writes, proxies, name: str, point: str):
    """The transaction of a proxy that was killed at the point."""
    proxy = proxies(name, f"{point}=kill")
    write = writes.new("transaction", "s2" if point == "commit.abort_sent" else None)
    write.begin(proxy)
    write.commit()
    assert proxy.wait() == -signal.SIGKILL
    write.finish()
    return write


def complaints(proxy) -> list:
    """What the log says beyond the start, when nodes are not checked yet."""
    lines = proxy.log.read_text().splitlines()
    return [line for line in lines if (" warning " in line or " error " in line) and
            "not checked yet" not in line and "paused at a fault point" not in line]


def shown(proxy) -> set:
    return {(row["prepared_name"], row["state"], row["reason"])
            for row in proxy.admin_rows("SHOW TRANSACTIONS")}


def test_two_recover_at_once(writes, proxies):
    """One has read the record and stops before it follows it; the other does all of it meanwhile."""
    slow = proxies("slow", "recovery.resolved=pause")
    left = []
    for attempt in range(6):  # the other may be the first each time
        left += [left_behind(writes, proxies, f"victim_{attempt}_{number}", point)
                 for number, point in enumerate(AFTER_PREPARE)]
        writes.wait_for_recovery()
        if slow.log_count("paused at a fault point") > 0:
            break
    writes.check(*left)
    assert slow.log_count("paused at a fault point") > 0
    slow.set_fault_points("")
    wait_for(lambda: slow.log_count("prepared transaction finished") > 0, "the slow one goes on")
    time.sleep(0.3)
    assert complaints(slow) == complaints(writes.cluster.proxy) == []
    writes.check(*left)


def test_who_recovers_may_die_at_it(writes, proxies):
    """The only one that recovers is killed when it has read a record; the next when it has followed
    one; the third ends it."""
    cluster = writes.cluster
    cluster.proxy.stop()
    left = [left_behind(writes, proxies, f"first_{number}", point)
            for number, point in enumerate(["commit.prepared", "commit.decided"])]
    before = writes.prepared()
    assert len(before) == 4
    resolving = proxies("resolving", "recovery.resolved=kill", wait=False)
    assert resolving.wait() == -signal.SIGKILL
    assert writes.prepared() == before
    finishing = proxies("finishing", "recovery.finished=kill", wait=False)
    assert finishing.wait() == -signal.SIGKILL
    assert 0 < len(writes.prepared()) < len(before)
    cluster.proxy.restart()
    writes.wait_for_recovery()
    writes.check(*left)
    assert [bool(write.found) for write in left] == [False, True]
    assert complaints(cluster.proxy) == []


class Committing:
    """A transaction of a proxy of its own, up to a point where it waits."""

    def __init__(self, writes, proxies, name: str, point: str | None):
        self.writes = writes
        self.name = name
        self.proxy = proxies(name, recovers=point is not None)
        self.write = writes.new("transaction")
        self.write.begin(self.proxy, application_name=name)
        before = writes.prepared()
        if point is None:
            self.signal_lead(signal.SIGSTOP)  # it will not hear of the decision
        else:
            self.proxy.set_fault_points(f"{point}=pause")
        self.write.commit()
        wait_for(lambda: len(writes.prepared()) == len(before) + 2, f"two of {name} have prepared")
        if point is not None:
            wait_for(lambda: self.proxy.log_count("paused at a fault point"), f"{name} waits")
        self.prepared = [gid for gid in writes.prepared() if gid not in before]
        self.recovery = "meridian recovery " + self.prepared[0].split("_")[1]

    def is_prepared(self) -> bool:
        return set(self.prepared) <= set(self.writes.prepared())

    def signal_lead(self, number):
        (row,) = self.writes.cluster.shard("s1").execute(
            f"SELECT pid FROM pg_stat_activity WHERE application_name = '{self.name}'")
        os.kill(row[0], number)

    def cut(self, *names: str, shards=("s1", "s2", "s3")):
        """Ends the sessions of these names."""
        for shard in shards:
            for name in names:
                self.writes.cluster.shard(shard).execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    f"WHERE application_name = '{name}'")

    def freeze(self):
        self.proxy.signal(signal.SIGSTOP)

    def go_on(self):
        self.proxy.signal(signal.SIGCONT)
        self.proxy.set_fault_points("")


def test_who_lives_is_not_robbed_and_who_seems_dead_is_told(writes, proxies):
    slow = Committing(writes, proxies, "slow_one", "commit.prepared")
    # Frozen and cut off, so that it seems dead; but for the lead's connection; and after the decision.
    frozen = Committing(writes, proxies, "frozen", "commit.prepared")
    led = Committing(writes, proxies, "led", "commit.prepared")
    decided = Committing(writes, proxies, "decided", "commit.decided")
    for one in (frozen, led, decided):
        one.freeze()
        one.cut(one.recovery)
        one.cut(one.name, shards=("s2", "s3") if one is led else ("s1", "s2", "s3"))
    # It lives, but the others cannot see that, and its lead has not decided yet.
    late = Committing(writes, proxies, "late", None)
    late.cut(late.recovery)

    gone = (frozen, decided, late)
    writes.wait_for_recovery([name for one in gone for name in one.prepared])
    time.sleep(0.5)
    assert slow.is_prepared() and led.is_prepared()
    wait_for(lambda: shown(writes.cluster.proxy) == {
        (slow.prepared[0], "prepared", "another proxy is committing it"),
        (led.prepared[0], "in doubt", 'its lead, shard "s1", has not decided yet')},
             "the others are known to wait")

    for one in (slow, frozen, led, decided):
        one.go_on()
    late.signal_lead(signal.SIGCONT)
    every = (slow, frozen, led, decided, late)
    for one in every:
        one.write.finish()
    writes.wait_for_recovery()
    writes.check(*[one.write for one in every])
    assert [one.write.told for one in (slow, led, decided, late)] == [
        "committed", "committed", "committed", "40001"]
    assert frozen.write.told not in ("committed", "closed")
    assert [bool(one.write.found) for one in every] == [True, False, True, True, False]
    assert complaints(writes.cluster.proxy) == []
