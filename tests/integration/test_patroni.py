"""A shard that Patroni manages: its switchovers and failovers are followed, with nothing restarted and
nothing configured; no acknowledged row is lost with its synchronous mode."""

import pytest

from cluster.cluster import USERS
from cluster.meridian import CONTROL_PASSWORD, CONTROL_USER, Meridian
from cluster.patroni import Etcd, Member
from cluster.process import WorkDirectory, wait_for
from test_failover import Load

pytestmark = pytest.mark.slow


class Shop:
    """What Load wants of a cluster."""

    database = "shop"

    def __init__(self, directory, members):
        self.members = members
        leader = self.leader()
        leader.execute(f"CREATE ROLE {CONTROL_USER} SUPERUSER LOGIN PASSWORD '{CONTROL_PASSWORD}'")
        for name, password, attributes in USERS:
            leader.execute(f"CREATE ROLE {name} LOGIN {attributes} PASSWORD '{password}'")
        leader.execute(f"CREATE DATABASE {self.database} OWNER app")
        # The catalog is where the leader was first; the map goes on without it.
        self.proxy = Meridian(directory, "proxy", leader, None, self.database)
        self.proxy.start(serving=False)
        hosts = ", ".join(f"HOST '{member.address}'" for member in members)
        with self.proxy.admin() as admin:
            admin.execute(f"CREATE SHARD s1 OPTIONS ({hosts}, DBNAME '{self.database}')")
        self.proxy.wait_until_serving()

    def leader(self):
        return next(member for member in self.members if member.role() in ("master", "primary"))

    def connect(self, **options):
        return self.proxy.connect(**options)


@pytest.fixture
def shop():
    directory = WorkDirectory()
    etcd = Etcd(directory)
    members = [Member(directory, etcd, name) for name in ("a", "b")]
    made = None
    try:
        for member in members:
            member.start()
            wait_for(member.role, f"{member.name} runs", 60)
        made = Shop(directory, members)
        with made.connect() as connection:
            connection.execute("CREATE TABLE t (id bigint PRIMARY KEY, client int)")
        wait_for(made.leader().has_synchronous_replica, "replication is synchronous", 30)
        yield made
    finally:
        if made is not None:
            made.proxy.stop()
        for member in members:
            member.kill()
        etcd.stop()
        directory.remove()


def test_switchover_and_failover(shop):
    old = shop.leader()
    new = next(member for member in shop.members if member is not old)
    with Load(shop) as load:
        old.switch_over(new)
        before = len(load.acknowledged)
        wait_for(lambda: new.role() in ("master", "primary"), "the other leads", 30)
        wait_for(lambda: len(load.acknowledged) > before + 100, "rows are inserted again", 30)
        wait_for(lambda: old.role() == "replica", "the old leader follows", 60)
        wait_for(new.has_synchronous_replica, "replication is synchronous again", 60)
        switched = load.longest
        errors = len(load.errors)
        # The leader's machine dies: the other takes over when its lease has ended.
        shop.proxy.configure({"failover_timeout": "1min"})
        shop.proxy.reload()
        new.kill()
        before = len(load.acknowledged)
        wait_for(lambda: old.role() in ("master", "primary"), "the old one leads again", 60)
        wait_for(lambda: len(load.acknowledged) > before + 100, "rows are inserted again", 30)
    print(f"longest pauses: {switched:.1f} s in order, {load.longest:.1f} s after a crash;"
          f" errors: {errors}, then {len(load.errors) - errors}")
    rows = {row[0] for row in old.execute("SELECT id FROM t", shop.database)}
    assert set(load.acknowledged) <= rows
    new.start()
    wait_for(lambda: new.role() == "replica", "the dead one comes back as a replica", 60)
    wait_for(lambda: any(row["port"] == new.port and row["in_use"]
                         for row in shop.proxy.admin_rows("SHOW NODES")), "it is in use", 20)
