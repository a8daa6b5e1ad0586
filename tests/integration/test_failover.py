"""Primaries die, hang, are replaced and come back: clients wait a moment, those in the middle of
something are told, and nothing that was acknowledged is lost where replication is synchronous."""

import signal
import threading
import time

import psycopg
import pytest

import wire as w
from cluster.cluster import Cluster
from cluster.process import go_on, hang, wait_for

CLIENTS = 6
# What a driver takes for "the connection is gone" or "the server goes away".
LOST = ("08006", "08007", "57P01", "57P02", "57P03")


@pytest.fixture
def shop():
    """One shard with a replica that has all that was acknowledged."""
    with Cluster(shards=1, oracle=False, replicas=1,
                 server_settings={"synchronous_commit": "on", "wal_sender_timeout": "'2s'"}) as made:
        primary = made.shards[0]
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        with made.connect() as connection:
            connection.execute("CREATE TABLE t (id bigint PRIMARY KEY, client int)")
        wait_for(lambda: primary.execute("SELECT sync_state FROM pg_stat_replication")[0][0] == "sync",
                 "replication is synchronous")
        wait_for(lambda: any(row["serves_reads"]
                             for row in made.proxy.admin_rows("SHOW REPLICATION")), "it is read from")
        yield made


def node(cluster, server) -> dict:
    return next(row for row in cluster.proxy.admin_rows("SHOW NODES") if row["port"] == server.port)


def promote(server):
    server.execute("SELECT pg_promote(true)")


class Load:
    """Clients insert rows one by one while the body runs, and remember which were acknowledged."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._stop = threading.Event()
        self.acknowledged = []
        self.errors = []
        self.longest = 0.0

    def _client(self, number: int):
        connection = None
        row = number
        acknowledged_at = time.monotonic()
        while not self._stop.is_set():
            row += CLIENTS
            try:
                if connection is None:
                    connection = self._cluster.connect(connect_timeout=20)
                connection.execute("INSERT INTO t VALUES (%s, %s)", [row, number])
                self.acknowledged.append(row)
                now = time.monotonic()
                self.longest = max(self.longest, now - acknowledged_at)
                acknowledged_at = now
            except psycopg.Error as error:
                self.errors.append(error)
                if connection is not None:
                    connection.close()
                connection = None

    def __enter__(self):
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        wait_for(lambda: len(self.acknowledged) > 50, "rows are inserted")
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def check(self, server, cluster):
        """Nothing acknowledged is missing, and each client has had its error at most once."""
        rows = {row[0] for row in server.execute("SELECT id FROM t", cluster.database)}
        assert set(self.acknowledged) <= rows
        assert len(self.errors) <= CLIENTS, self.errors
        for error in self.errors:
            assert error.sqlstate in LOST or "closed" in str(error), (error.sqlstate, error)


class TestFailover:
    def test_kill_and_promote_under_load(self, shop):
        primary, replica = shop.shards[0], shop.replicas["s1"][0]
        with Load(shop) as load:
            time.sleep(0.5)
            primary.stop(signal.SIGKILL)
            time.sleep(0.3)
            promote(replica)
            before = len(load.acknowledged)
            wait_for(lambda: len(load.acknowledged) > before + 100, "rows are inserted again")
        load.check(replica, shop)
        print(f"longest pause: {load.longest:.2f} s")
        assert node(shop, replica)["role"] == "primary"
        metrics = shop.proxy.metrics()
        assert "\nmeridian_failovers_total 1\n" in metrics
        assert "\nmeridian_shards_without_primary 0\n" in metrics
        seconds = next(line for line in metrics.splitlines()
                       if line.startswith("meridian_without_primary_seconds_total "))
        assert 0 < float(seconds.split()[1]) < 10

    def test_idle_sessions_do_not_notice(self, shop):
        primary, replica = shop.shards[0], shop.replicas["s1"][0]
        with shop.connect() as connection:
            connection.execute("INSERT INTO t VALUES (1, 1)")
            primary.stop(signal.SIGKILL)
            done = []
            waiting = threading.Thread(target=lambda: done.append(
                connection.execute("INSERT INTO t VALUES (2, 1) RETURNING id").fetchone()))
            waiting.start()
            time.sleep(0.5)
            assert not done
            promote(replica)
            waiting.join(20)
            assert done == [(2,)]
            assert connection.execute("SELECT id FROM t ORDER BY id").fetchall() == [(1,), (2,)]

    def test_who_connects_meanwhile_waits_as_well(self, shop):
        primary, replica = shop.shards[0], shop.replicas["s1"][0]
        primary.stop(signal.SIGKILL)
        connected = []
        waiting = [threading.Thread(target=lambda zone=zone: connected.append(shop.connect(
            options=f"-c TimeZone={zone}").execute("SHOW TimeZone").fetchone()[0]))
            for zone in ("UTC", "Asia/Tokyo")]  # one start is known from before
        for thread in waiting:
            thread.start()
        time.sleep(0.5)
        promote(replica)
        for thread in waiting:
            thread.join(20)
        assert sorted(connected) == ["Asia/Tokyo", "UTC"]

    def test_a_primary_that_comes_back_is_waited_for(self, shop):
        primary = shop.shards[0]
        with shop.connect() as connection:
            connection.execute("INSERT INTO t VALUES (1, 1)")
            primary.stop(signal.SIGKILL)
            waiting = threading.Thread(
                target=connection.execute, args=("INSERT INTO t VALUES (2, 1)",))
            waiting.start()
            time.sleep(0.5)
            primary.start()
            waiting.join(20)
            assert connection.execute("SELECT id FROM t ORDER BY id").fetchall() == [(1,), (2,)]

    def test_transactions_are_told(self, shop):
        primary, replica = shop.shards[0], shop.replicas["s1"][0]
        wire = w.Wire("127.0.0.1", shop.proxy.port)
        wire.login("app", "app", shop.database)
        wire.query("BEGIN")
        wire.query("INSERT INTO t VALUES (1, 1)")
        primary.stop(signal.SIGKILL)
        promote(replica)
        wire.send(w.query("COMMIT"))
        assert wire.read_until("E")[-1].sqlstate in LOST
        with pytest.raises(w.Closed):
            wire.read_until("Z")
        with shop.connect() as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_a_primary_that_hangs_is_cut_off_when_it_was_replaced(self, shop):
        primary, replica = shop.shards[0], shop.replicas["s1"][0]
        wire = w.Wire("127.0.0.1", shop.proxy.port)
        wire.login("app", "app", shop.database)
        wire.query("INSERT INTO t VALUES (1, 1)")
        pids = hang(primary)
        try:
            wire.send(w.query("INSERT INTO t VALUES (2, 1)"))
            time.sleep(0.5)
            promote(replica)
            assert wire.read_until("E")[-1].sqlstate in LOST
            with shop.connect() as other:
                other.execute("INSERT INTO t VALUES (3, 1)")
        finally:
            go_on(pids)
        # It believes that it is the primary still, and nobody is sent there.
        wait_for(lambda: "replaced" in (node(shop, primary)["last_error"] or ""),
                 "the old primary is refused")
        with shop.connect() as other:
            other.execute("INSERT INTO t VALUES (4, 1)")
        assert {3, 4} <= {row[0] for row in replica.execute("SELECT id FROM t", shop.database)}
        assert not {3, 4} & {row[0] for row in primary.execute("SELECT id FROM t", shop.database)}

    def test_switchover_under_load_and_back(self, shop):
        """The old primary is stopped in order, and comes back as a replica; then the same again."""
        first, second = shop.shards[0], shop.replicas["s1"][0]
        for old, new in ((first, second), (second, first)):
            with Load(shop) as load:
                load.acknowledged.clear()
                old.stop(signal.SIGINT)
                promote(new)
                old.follow(new)
                old.start()
                before = len(load.acknowledged)
                wait_for(lambda: len(load.acknowledged) > before + 100, "rows are inserted again")
            load.check(new, shop)
            wait_for(lambda: node(shop, old)["role"] == "replica" and node(shop, old)["in_use"],
                     "the old primary is taken in as a replica")
            with shop.connect(options="-c meridian.read_consistency=eventual") as connection:
                wait_for(lambda: connection.execute("SELECT pg_is_in_recovery() FROM t LIMIT 1")
                         .fetchone()[0], "it is read from")
            with shop.connect() as connection:
                connection.execute("TRUNCATE t")

    def test_another_replica_is_used_when_it_follows_the_new_primary(self, shop):
        primary, promoted = shop.shards[0], shop.replicas["s1"][0]
        other = shop.add_replica(primary, "s1r2")
        shop.replicas["s1"].append(other)
        shop.admin(f"ALTER SHARD s1 ADD HOST '{other.address}'")
        wait_for(lambda: node(shop, other)["in_use"], "it is in use")
        with shop.connect() as connection:
            connection.execute("INSERT INTO t VALUES (1, 1)")
        primary.stop(signal.SIGKILL)
        promote(promoted)
        wait_for(lambda: "does not follow the new primary" in (node(shop, other)["last_error"] or ""),
                 "it is left out")
        with shop.connect(options="-c meridian.read_consistency=eventual") as connection:
            assert connection.execute("SELECT pg_is_in_recovery(), id FROM t").fetchall() == [(False, 1)]
            other.follow(promoted)
            other.stop(signal.SIGINT)
            other.start()
            wait_for(lambda: node(shop, other)["in_use"], "it is in use again")
            wait_for(lambda: connection.execute("SELECT pg_is_in_recovery() FROM t").fetchone()[0],
                     "it is read from")

    def test_waiting_is_bounded(self, shop):
        shop.proxy.configure({"failover_timeout": "500ms"})
        shop.proxy.reload()
        primary = shop.shards[0]
        with shop.connect(prepare_threshold=None) as connection:
            connection.execute("INSERT INTO t VALUES (1, 1)")
            # The replicas have it, and the proxy knows the table.
            wait_for(lambda: primary.execute("SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) FROM"
                                             " pg_stat_replication")[0][0], "the replicas have it")
            connection.execute("SET meridian.read_consistency = 'eventual'")
            wait_for(lambda: connection.execute("SELECT pg_is_in_recovery() FROM t").fetchone()[0],
                     "the replica is read from before")
            primary.stop(signal.SIGKILL)
            time.sleep(0.1)
            for _ in range(2):
                with pytest.raises(psycopg.Error) as raised:
                    connection.execute("INSERT INTO t VALUES (2, 1)")
                assert raised.value.sqlstate in ("08006", "57P03")
            # Reads that a replica may serve go on, as long as it answers in time itself.
            def is_read() -> bool:
                try:
                    return connection.execute("SELECT id FROM t").fetchall() == [(1,)]
                except psycopg.errors.ConnectionFailure:
                    return False
            wait_for(is_read, "the replica is read from")

    def test_a_statement_that_waits_can_be_cancelled(self, shop):
        with shop.connect() as connection:
            connection.execute("INSERT INTO t VALUES (1, 1)")
            shop.shards[0].stop(signal.SIGKILL)
            threading.Timer(0.3, connection.cancel).start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("INSERT INTO t VALUES (2, 1)")
