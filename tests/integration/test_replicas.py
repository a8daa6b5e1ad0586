"""Which reads go to replicas, to which, and what is shown of them."""

import re
import time

import psycopg
import pytest

from cluster.process import wait_for
from replica_shop import (  # noqa: F401
    all_have, configured, connect_at, connect_strong, LEVELS, reads, SESSIONS, settled, shop,
    STALENESS_SECONDS)

IN_RECOVERY = "SELECT pg_is_in_recovery(), k FROM kv WHERE k = 1"


@pytest.mark.usefixtures("settled")
class TestWhichReads:
    @pytest.mark.parametrize("statement, place", [
        ("SELECT v FROM kv WHERE k = 1", "replica"),
        ("SELECT k, v FROM kv", "replica"),
        ("SELECT count(*) FROM prefix", "replica"),
        ("WITH a AS (SELECT * FROM prefix) SELECT random() FROM a", "replica"),
        ("COPY (SELECT * FROM prefix) TO STDOUT", "replica"),
        ("TABLE prefix", "replica"),
        ("SELECT * FROM kv WHERE k = 1 FOR UPDATE", None),
        ("SELECT nextval('counter') FROM prefix", None),
        ("SELECT last_value FROM counter", None),
        ("SELECT * FROM fleeting", None),
        ("SELECT pg_advisory_xact_lock(1) FROM prefix", None),
        ("WITH w AS (UPDATE prefix SET v = v RETURNING v) SELECT * FROM w", None),
        ("SELECT 1", None),
        ("SHOW transaction_read_only", None),
        ("EXPLAIN SELECT * FROM prefix", None),
        ("BEGIN; SELECT * FROM prefix; COMMIT", None),
    ])
    def test_by_statement(self, shop, statement, place):
        with connect_at(shop, "eventual") as connection:
            before = reads(shop)
            if statement.startswith("COPY"):
                with connection.cursor().copy(statement) as copy:
                    assert len(list(copy)) == 2
            else:
                connection.execute(statement)
            assert (reads(shop) > before) == (place == "replica")

    def test_reference_tables_in_monotonic(self, shop):
        """A session that has seen a row on one shard finds it on others as well."""
        with connect_strong(shop) as writer, connect_at(shop, "monotonic") as reader:
            for number in range(1, 30):
                writer.execute(f"UPDATE everywhere SET v = {number}")
                seen = [reader.execute(f"SELECT (SELECT v FROM everywhere) FROM kv WHERE k = {key}").fetchone()[0]
                        for key in range(SESSIONS)]
                assert seen == sorted(seen), seen
        with connect_at(shop, "eventual") as reader:
            before = reads(shop)
            reader.execute("SELECT v FROM everywhere")
            assert reads(shop) > before

    def test_functions_of_users_by_their_word(self, shop):
        """STABLE and IMMUTABLE ones are reads; where one is none after all, the primary is asked."""
        with shop.connect() as connection:
            for sql in ("CREATE SEQUENCE numbers", "CREATE UNLOGGED TABLE fast (v int)", "INSERT INTO fast VALUES (7)",
                        "CREATE FUNCTION looks(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT max(v) FROM kv'",
                        "CREATE FUNCTION acts(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
                        "CREATE FUNCTION draws() RETURNS int STABLE LANGUAGE plpgsql AS"
                        " 'BEGIN RETURN nextval(''numbers''); END'",
                        "CREATE FUNCTION needs_fast() RETURNS int STABLE LANGUAGE plpgsql AS"
                        " 'BEGIN RETURN (SELECT v FROM fast); END'"):
                connection.execute(sql)
        wait_for(lambda: all(all_have(shop, name) for name in ("s1", "s2")), "replicas have the functions")
        with connect_at(shop, "eventual") as connection:
            def goes_to_replica(sql: str) -> bool:
                before = reads(shop)
                connection.execute(sql)
                return reads(shop) > before
            wait_for(lambda: goes_to_replica("SELECT looks(k) FROM prefix"), "the proxy knows the function")
            assert not goes_to_replica("SELECT acts(k) FROM prefix")
            assert not goes_to_replica("SELECT looks(acts(k)) FROM prefix")
            assert connection.execute("SELECT draws() FROM prefix LIMIT 1").fetchone() == (1,)
            assert connection.execute("SELECT needs_fast() FROM prefix LIMIT 1").fetchone() == (7,)

    def test_a_pipeline_may_go_on_with_a_write(self, shop):
        with connect_at(shop, "eventual") as connection:
            with connection.pipeline():
                first = connection.execute("SELECT v FROM kv WHERE k = %s", [1])
                connection.execute("UPDATE kv SET v = 77 WHERE k = %s", [1])
                second = connection.execute("SELECT v FROM kv WHERE k = %s", [1])
                assert second.fetchone() == (77,)
                first.fetchone()

    def test_a_write_right_behind_a_read(self, shop):
        with connect_at(shop, "eventual") as connection:
            for number in range(20):
                connection.execute("SELECT v FROM prefix")
                connection.execute("UPDATE prefix SET v = %s WHERE k = 1", [number])
            with connect_strong(shop) as other:
                assert other.execute("SELECT v FROM prefix WHERE k = 1").fetchone() == (19,)

    def test_a_session_with_a_temporary_table_reads_it(self, shop):
        with connect_at(shop, "eventual") as connection:
            connection.execute("SET meridian.shard = 's1'")
            connection.execute("CREATE TEMP TABLE prefix AS SELECT 5 AS v")
            assert connection.execute("SELECT v FROM prefix").fetchall() == [(5,)]

    def test_settings_hold_on_replicas(self, shop):
        with connect_at(shop, "eventual") as connection:
            connection.execute("SET extra_float_digits = 0; SET timezone = 'Asia/Tokyo'")
            row = connection.execute(
                "SELECT pg_is_in_recovery(), current_setting('timezone') FROM prefix").fetchone()
            assert row == (True, "Asia/Tokyo")

    def test_level_is_a_setting(self, shop):
        with shop.connect() as connection:
            assert connection.execute("SHOW meridian.read_consistency").fetchone() == (
                "read_your_writes",)
            for level in LEVELS:
                connection.execute(f"SET meridian.read_consistency = '{level}'")
                assert connection.execute("SHOW meridian.read_consistency").fetchone() == (level,)
            for value, shown in (("500ms", "500ms"), ("2s", "2000ms"), ("250", "250ms")):
                connection.execute(f"SET meridian.max_staleness = '{value}'")
                assert connection.execute("SHOW meridian.max_staleness").fetchone() == (shown,)
            for bad in ("SET meridian.read_consistency = 'weak'", "SET meridian.max_staleness = '-1s'",
                        "SET meridian.max_staleness = '1 fortnight'",
                        "SET meridian.max_staleness = '99999999999999999999h'"):
                with pytest.raises(psycopg.errors.InvalidParameterValue):
                    connection.execute(bad)
            connection.execute("BEGIN")
            connection.execute("SET LOCAL meridian.read_consistency = 'strong'")
            connection.execute("COMMIT")
            assert connection.execute("SHOW meridian.read_consistency").fetchone() == ("eventual",)


    def test_level_by_configuration(self, shop):
        """The user's beats the database's, and what a session says beats both."""
        def level(**options) -> str:
            with shop.connect(**options) as connection:
                found = connection.execute("SHOW meridian.read_consistency").fetchone()[0]
                connection.execute("SET meridian.read_consistency = 'strong'")
                connection.execute("RESET meridian.read_consistency")
                assert connection.execute("SHOW meridian.read_consistency").fetchone()[0] == found
                return found
        shop.proxy.configure({"user": [{"name": "app", "read_consistency": "eventual"}]})
        shop.proxy.reload()
        try:
            wait_for(lambda: level() == "eventual", "the configuration is reloaded")
            assert level(user="other", password="other pass") == "read_your_writes"
            assert level(options="-c meridian.read_consistency=monotonic") == "monotonic"
            assert any(row["name"] == "user.app.read_consistency" for row in shop.proxy.admin_rows("SHOW SETTINGS"))
        finally:
            shop.proxy.configure({"user": []})
            shop.proxy.reload()
        wait_for(lambda: level() == "read_your_writes", "the configuration is as before")


@pytest.mark.usefixtures("settled")
class TestReadOnlyTransactions:
    def test_all_of_it_is_on_one_replica(self, shop):
        with connect_at(shop, "eventual") as connection:
            for begin in ("BEGIN READ ONLY", "START TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY",
                          "BEGIN; SET TRANSACTION READ ONLY"):
                connection.execute(begin)
                ports = set()
                for _ in range(10):
                    row = connection.execute(
                        "SELECT pg_is_in_recovery(), inet_server_port() FROM kv WHERE k = 1").fetchone()
                    assert row[0]
                    ports.add(row[1])
                assert len(ports) == 1
                connection.execute("DECLARE c CURSOR FOR SELECT v FROM kv WHERE k = 1")
                assert len(connection.execute("FETCH ALL FROM c").fetchall()) == 1
                assert len(connection.execute("SELECT k FROM kv").fetchall()) == SESSIONS
                connection.execute("COMMIT")

    def test_session_that_only_reads(self, shop):
        with connect_at(shop, "eventual") as connection:
            connection.execute("SET default_transaction_read_only = on")
            connection.execute("BEGIN")
            assert connection.execute(IN_RECOVERY).fetchone()[0]
            connection.execute("COMMIT")
            for begin in ("BEGIN READ WRITE", "BEGIN; SET LOCAL transaction_read_only = off"):
                connection.execute(begin)
                assert not connection.execute(IN_RECOVERY).fetchone()[0]
                connection.execute("COMMIT")

    @pytest.mark.parametrize("statement, sqlstate", [
        ("UPDATE prefix SET v = 1 WHERE k = 1", "25006"),
        ("SELECT * FROM prefix WHERE k = 1 FOR UPDATE", "0A000"),
        ("SELECT nextval('counter') FROM prefix", "0A000"),
        ("SELECT pg_advisory_xact_lock(k) FROM prefix", "0A000"),
        ("SELECT last_value FROM counter", "0A000"),
        ("SELECT * FROM fleeting", "0A000"),
        ("NOTIFY here", "0A000"),
        ("LISTEN here", "0A000"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT v FROM prefix", "0A000"),
        ("LOCK TABLE prefix IN ACCESS SHARE MODE", None),
        ("SELECT 1", None),
    ])
    def test_what_a_replica_cannot_do(self, shop, statement, sqlstate):
        with connect_at(shop, "eventual") as connection:
            connection.execute("BEGIN READ ONLY")
            assert connection.execute("SELECT pg_is_in_recovery() FROM prefix").fetchone()[0]
            if sqlstate is None:
                connection.execute(statement)
            else:
                with pytest.raises(psycopg.Error) as raised:
                    connection.execute(statement)
                assert raised.value.sqlstate == sqlstate, raised.value
            connection.execute("ROLLBACK")

    def test_what_was_written_is_found_though_an_old_replica_was_read_since(self, shop):
        """In eventual a replica was read that lacks it: that must not count as having seen it."""
        for replica in shop.replicas["s1"]:
            replica.execute("SELECT pg_wal_replay_pause()")
        try:
            with connect_at(shop, "eventual") as connection:
                connection.execute("UPDATE prefix SET v = 4711")
                connection.execute("BEGIN READ ONLY")
                row = connection.execute("SELECT pg_is_in_recovery(), v FROM prefix").fetchone()
                assert row[0] and row[1] != 4711
                connection.execute("SET meridian.read_consistency = 'monotonic'")
                connection.execute("COMMIT")
                for _ in range(10):
                    assert connection.execute("SELECT v FROM prefix").fetchone() == (4711,)
                    time.sleep(0.1)
        finally:
            for replica in shop.replicas["s1"]:
                replica.execute("SELECT pg_wal_replay_resume()")

    def test_more_is_asked_for_than_the_replica_has(self, shop):
        for replica in shop.replicas["s1"]:
            replica.execute("SELECT pg_wal_replay_pause()")
        try:
            with connect_strong(shop) as writer:
                writer.execute("UPDATE prefix SET v = 4712")
                token = writer.execute("SHOW meridian.causality_token").fetchone()[0]
            for ask in ("SET meridian.read_consistency = 'strong'",
                        "SET LOCAL meridian.read_consistency = 'strong'",
                        "SET meridian.read_consistency = 'bounded'",
                        f"SET meridian.read_consistency = 'monotonic';"
                        f"SET meridian.causality_token = '{token}'"):
                with connect_at(shop, "eventual") as connection:
                    connection.execute("BEGIN READ ONLY")
                    assert connection.execute("SELECT pg_is_in_recovery() FROM prefix").fetchone()[0]
                    connection.execute(ask)
                    time.sleep(STALENESS_SECONDS + 0.3)
                    with pytest.raises(psycopg.Error) as raised:
                        connection.execute("SELECT v FROM prefix")
                    assert raised.value.sqlstate in ("0A000", "40001"), raised.value
                    connection.execute("ROLLBACK")
        finally:
            for replica in shop.replicas["s1"]:
                replica.execute("SELECT pg_wal_replay_resume()")

    def test_serializable_and_repeatable_read_are_as_before(self, shop):
        with connect_at(shop, "eventual") as connection:
            for level in ("SERIALIZABLE", "REPEATABLE READ"):
                connection.execute(f"BEGIN READ ONLY ISOLATION LEVEL {level}")
                assert not connection.execute(IN_RECOVERY).fetchone()[0]
                connection.execute("COMMIT")
            connection.execute("SET meridian.snapshot = 'local'")
            connection.execute("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ")
            assert connection.execute(IN_RECOVERY).fetchone()[0]
            connection.execute("COMMIT")
            connection.execute("SET default_transaction_isolation = 'serializable'")
            assert not connection.execute(IN_RECOVERY).fetchone()[0]


@pytest.mark.usefixtures("settled")
class TestChoice:
    def shares(self, shop) -> dict:
        """How many of 300 reads went to which port."""
        shares = {node.port: 0 for node in [shop.shards[0], *shop.replicas["s1"]]}
        with connect_at(shop, "eventual") as connection:
            for _ in range(300):
                shares[connection.execute("SELECT inet_server_port() FROM prefix")
                       .fetchone()[0]] += 1
        return shares

    def test_weights_and_zones(self, shop):
        primary, (quick, late) = shop.shards[0], shop.replicas["s1"]
        try:
            even = self.shares(shop)
            assert even[primary.port] == 0 and min(even[quick.port], even[late.port]) > 90, even
            configured(shop, {"node": [{"address": quick.address, "weight": 9, "zone": "a"},
                                       {"address": late.address, "zone": "b"}]})
            weighted = self.shares(shop)
            assert weighted[primary.port] == 0 and 0 < weighted[late.port] < 75, weighted
            configured(shop, {"replicas": {"zone": "b"}})
            assert self.shares(shop)[late.port] == 300
            configured(shop, {"replicas": {"zone": "elsewhere"}})
            assert self.shares(shop)[quick.port] > 200
        finally:
            configured(shop, {"node": [], "replicas": {"zone": ""}})

    def test_a_read_may_wait_for_a_replica(self, shop):
        configured(shop, {"replicas": {"wait": "10s"}})
        try:
            before = {place: reads(shop, place) for place in ("replica", "behind")}
            with connect_at(shop, "read_your_writes") as connection:
                for number in range(5):
                    connection.execute("UPDATE prefix SET v = %s", [number])
                    rows = connection.execute("SELECT v, pg_is_in_recovery() FROM prefix").fetchall()
                    assert rows == [(number, True)] * 2
            assert reads(shop, "replica") == before["replica"] + 5
            assert reads(shop, "behind") == before["behind"]
            configured(shop, {"replicas": {"wait": "100ms"}})
            for replica in shop.replicas["s1"]:
                replica.execute("SELECT pg_wal_replay_pause()")
            with connect_at(shop, "read_your_writes") as connection:
                connection.execute("UPDATE prefix SET v = 9")
                rows = connection.execute("SELECT v, pg_is_in_recovery() FROM prefix").fetchall()
                assert rows == [(9, False)] * 2
        finally:
            for replica in shop.replicas["s1"]:
                replica.execute("SELECT pg_wal_replay_resume()")
            configured(shop, {"replicas": {"wait": "0"}})


class TestWhatIsShown:
    def test_show_replication(self, shop):
        with connect_strong(shop) as connection:
            connection.execute("UPDATE prefix SET v = v + 1 WHERE k = 1")

        def rows() -> dict:
            return {row["port"]: row for row in shop.proxy.admin_rows("SHOW REPLICATION")}
        primary, (quick, late) = shop.shards[0], shop.replicas["s1"]
        wait_for(lambda: rows()[quick.port]["lag_bytes"] == 0 and rows()[late.port]["lag_bytes"] > 0,
                 "the quick one has it, the late one not yet")
        seen = rows()
        assert seen[primary.port]["role"] == "primary" and not seen[primary.port]["serves_reads"]
        assert seen[quick.port]["serves_reads"] and seen[late.port]["serves_reads"]
        assert seen[primary.port]["lag_ms"] is None
        assert all(re.fullmatch("[0-9A-F]+/[0-9A-F]+", row["lsn"]) for row in seen.values())
        wait_for(lambda: rows()[late.port]["lag_bytes"] == 0, "the late one has it, too")
        assert 0 <= rows()[late.port]["lag_ms"] < 5000

    def test_metrics(self, shop):
        text = shop.proxy.metrics()
        for node, role in ((shop.shards[0], "primary"), (shop.replicas["s1"][0], "replica")):
            labels = f'{{shard="s1",node="{node.address}",role="{role}"}}'
            assert f"meridian_node_used{labels} 1\n" in text
            assert (f"meridian_node_lag_bytes{labels} " in text) == (role == "replica")
            assert (f"meridian_node_lag_seconds{labels} " in text) == (role == "replica")
            count = f'\nmeridian_node_reads_total{{shard="s1",node="{node.address}"}} '
            assert (count + "0\n" in text) == (role == "primary")
            assert count in text
