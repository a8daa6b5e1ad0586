"""Replicas that die, hang, lag, cancel or do not know yet: the client does not notice."""

import signal
import threading
import time

import psycopg
import pytest

from cluster.process import wait_for
from replica_shop import all_usable, connect_at, connect_strong, in_use, reads, shop  # noqa: F401


class TestTroubleWithReplicas:
    def test_a_replica_that_dies_is_left_out_and_taken_in_again(self, shop):
        late_ones = [shop.replicas[shard.name][1] for shard in shop.shards]
        replica = shop.replicas["s1"][0]
        for late in late_ones:
            late.execute("SELECT pg_wal_replay_pause()")
        try:
            with shop.connect() as connection:
                connection.execute("SELECT v FROM prefix")
                replica.stop(signal.SIGKILL)
                wait_for(lambda: in_use(shop, replica) is False, "it is left out")
                for _ in range(20):
                    assert len(connection.execute("SELECT v FROM prefix").fetchall()) == 2
                replica.start()
                wait_for(lambda: in_use(shop, replica), "it is taken in again")
                before = reads(shop)
                wait_for(lambda: connection.execute("SELECT pg_is_in_recovery() FROM prefix")
                         .fetchone()[0], "it is read from")
                assert reads(shop) > before
        finally:
            for late in late_ones:
                late.execute("SELECT pg_wal_replay_resume()")

    STATEMENTS = {
        "simple": ("SELECT v FROM prefix", None),
        "extended": ("SELECT v FROM prefix WHERE k < %s", [9]),
        "fan-out": ("SELECT k FROM kv", None),
        "fan-out, extended": ("SELECT k FROM kv WHERE k < %s", [9]),
        "fan-out, no rows": ("SELECT k FROM kv WHERE k < 0", None),
    }

    @pytest.mark.parametrize("crash", [False, True], ids=["terminated", "crash"])
    @pytest.mark.parametrize("statement", STATEMENTS)
    def test_a_read_whose_replica_dies_goes_to_the_primary(self, shop, statement, crash):
        """The replicas of s1, whichever it reads from; there it waits for a lock."""
        sql, parameters = self.STATEMENTS[statement]
        victims = shop.replicas["s1"]
        wait_for(lambda: all_usable(shop), "all replicas are in use")
        with connect_at(shop, "eventual", prepare_threshold=None) as connection, \
                connect_strong(shop) as writer:
            expected = sorted(connection.execute(sql, parameters).fetchall())
            writer.execute("BEGIN")
            writer.execute("LOCK TABLE kv IN ACCESS EXCLUSIVE MODE")
            writer.execute("LOCK TABLE prefix IN ACCESS EXCLUSIVE MODE")
            wait_for(lambda: all(victim.execute("SELECT count(*) > 0 FROM pg_locks WHERE mode = "
                                                "'AccessExclusiveLock'")[0][0]
                                 for victim in victims + shop.replicas["s2"]), "all have the lock")
            rows = []
            reading = threading.Thread(target=lambda: rows.append(
                sorted(connection.execute(sql, parameters).fetchall())))
            reading.start()
            wait_for(lambda: any(victim.execute("SELECT count(*) > 0 FROM pg_locks"
                                                " WHERE NOT granted")[0][0] for victim in victims),
                     "it waits")
            for victim in victims:
                if crash:
                    victim.stop(signal.SIGKILL)
                else:
                    victim.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                   " WHERE usename = 'app'")
            writer.execute("ROLLBACK")
            reading.join(20)
            for victim in victims:
                if not victim.running():
                    victim.start()
            assert rows == [expected]
            # The session is as it was.
            assert connection.execute("SELECT 1").fetchone() == (1,)
            assert sorted(connection.execute(sql, parameters).fetchall()) == expected

    def test_a_read_that_its_replica_cancels_for_the_replay(self, shop):
        replicas = shop.replicas["s1"]
        for replica in replicas:
            replica.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
            replica.execute("SELECT pg_reload_conf()")

        def conflicts() -> int:
            return sum(replica.execute("SELECT sum(confl_lock) FROM pg_stat_database_conflicts")[0][0]
                       for replica in replicas)
        try:
            wait_for(lambda: all_usable(shop), "all replicas are in use")
            with connect_at(shop, "eventual") as connection, connect_strong(shop) as writer:
                before = conflicts()
                assert connection.execute("SELECT pg_is_in_recovery() FROM prefix").fetchone()[0]
                rows = []
                reading = threading.Thread(target=lambda: rows.append(
                    connection.execute("SELECT v, pg_sleep(1) FROM prefix").fetchall()))
                reading.start()
                time.sleep(0.3)
                writer.execute("LOCK TABLE prefix IN ACCESS EXCLUSIVE MODE; UPDATE prefix SET v = 5")
                reading.join(20)
                assert len(rows[0]) == 2
                wait_for(lambda: conflicts() > before, "the replica has cancelled it")
        finally:
            for replica in replicas:
                replica.execute("ALTER SYSTEM RESET max_standby_streaming_delay")
                replica.execute("SELECT pg_reload_conf()")

    def test_a_table_that_replicas_do_not_know_yet(self, shop):
        for shard in shop.shards:
            for replica in shop.replicas[shard.name]:
                replica.execute("SELECT pg_wal_replay_pause()")
        try:
            with connect_strong(shop) as writer, connect_at(shop, "eventual") as connection:
                writer.execute("CREATE TABLE new (v int)")
                writer.execute("INSERT INTO new VALUES (1)")
                wait_for(lambda: connection.execute("SELECT v FROM new").fetchall() == [(1,)],
                         "it is read from the primary")
                assert connection.execute("SELECT v FROM new WHERE v = %s", [1]).fetchall() == [(1,)]
                with pytest.raises(psycopg.errors.DivisionByZero):
                    connection.execute("SELECT 1 / (k - k) FROM prefix")
                with pytest.raises(psycopg.errors.DivisionByZero):
                    connection.execute("SELECT %s / (k - k) FROM kv", [1])
                writer.execute("DROP TABLE new")
        finally:
            for shard in shop.shards:
                for replica in shop.replicas[shard.name]:
                    replica.execute("SELECT pg_wal_replay_resume()")

    def test_cancel_and_time_outs_are_the_clients(self, shop):
        wait_for(lambda: all_usable(shop), "all replicas are in use")
        with connect_at(shop, "eventual") as connection:
            connection.execute("SET statement_timeout = '200ms'")
            before = reads(shop)
            with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
                connection.execute("SELECT v, pg_sleep(5) FROM prefix")
            connection.execute("RESET statement_timeout")
            threading.Timer(0.2, connection.cancel).start()
            with pytest.raises(psycopg.errors.QueryCanceled, match="user request"):
                connection.execute("SELECT v, pg_sleep(%s) FROM prefix", [5])
            assert reads(shop) > before

    def test_a_replica_that_cannot_be_logged_in_to_costs_nobody_an_error(self, shop):
        replica = shop.replicas["s1"][0]
        conf = replica.data / "pg_hba.conf"
        lines = conf.read_text()
        conf.write_text("host shop app 127.0.0.1/32 reject\n" + lines)
        try:
            replica.execute("SELECT pg_reload_conf()")
            replica.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE usename = 'app'")
            time.sleep(0.2)
            for _ in range(10):
                with connect_at(shop, "eventual") as connection:
                    for _ in range(10):
                        assert len(connection.execute("SELECT v FROM prefix").fetchall()) == 2
        finally:
            conf.write_text(lines)
            replica.execute("SELECT pg_reload_conf()")

    def test_a_replica_too_far_behind_is_not_used(self, shop):
        shop.proxy.configure({"replicas": {"max_lag": "1s"}})
        shop.proxy.reload()
        quick = shop.replicas["s1"][0]
        late = shop.replicas["s1"][1]
        try:
            for replica in (quick, late):
                replica.execute("SELECT pg_wal_replay_pause()")
            with connect_at(shop, "eventual") as connection:

                def on_primary() -> bool:
                    connection.execute("UPDATE prefix SET v = v + 1 WHERE k = 1")
                    return not connection.execute(
                        "SELECT pg_is_in_recovery() FROM prefix").fetchone()[0]
                wait_for(on_primary, "no replica is used", pause=0.1)
                quick.execute("SELECT pg_wal_replay_resume()")
                wait_for(lambda: not on_primary(), "the quick one is used again", pause=0.1)
        finally:
            for replica in (quick, late):
                replica.execute("SELECT pg_wal_replay_resume()")
            shop.proxy.configure({"replicas": {"max_lag": "30s"}})
            shop.proxy.reload()
