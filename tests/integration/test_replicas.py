"""Reads from replicas. Each level of meridian.read_consistency keeps what it promises, seen by
sessions that read and write at random over one replica that is quick and one that is late; what a
level does not promise is seen to be broken, so the checker can fail."""

import bisect
import random
import re
import signal
import threading
import time

import psycopg
import pytest

from cluster.cluster import Cluster
from cluster.meridian import Meridian
from cluster.process import go_on, hang, wait_for

DELAY_MS = 400  # of the late replicas
STALENESS_SECONDS = 0.7
SECONDS = 3
SESSIONS = 6  # each with a key of its own
LEVELS = ["strong", "read_your_writes", "monotonic", "bounded", "eventual"]


@pytest.fixture(scope="module")
def shop():
    """Table kv over two shards, prefix on the first; each shard has a quick replica and a late one."""
    with Cluster(shards=2, oracle=False, replicas=2) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE kv (k int PRIMARY KEY, v bigint NOT NULL)")
            connection.execute("CREATE TABLE prefix (k int PRIMARY KEY, v bigint NOT NULL)")
            connection.execute("CREATE TABLE everywhere (k int PRIMARY KEY, v bigint NOT NULL)")
            connection.execute("CREATE SEQUENCE counter")
            connection.execute("CREATE UNLOGGED TABLE fleeting (k int)")
            made.admin("CREATE DISTRIBUTION d COLUMN TYPES integer HASH SHARDS (s1, s2)",
                       "ALTER DISTRIBUTION d ATTACH TABLE kv DISTRIBUTION KEY k",
                       "CREATE REFERENCE TABLE everywhere")
            connection.execute("INSERT INTO everywhere VALUES (1, 0)")
            for key in range(SESSIONS):
                connection.execute("INSERT INTO kv VALUES (%s, 0)", [key])
            connection.execute("INSERT INTO prefix VALUES (1, 0), (2, 0)")
        assert min(made.rows_per_shard("kv").values()) > 0
        for shard in made.shards:
            set_delay(made.replicas[shard.name][1], DELAY_MS)
        wait_for(lambda: connect_strong(made).execute("SELECT 1").fetchone(), "it serves")
        wait_for(lambda: all(all_have(made, name) for name in ("s1", "s2")), "replicas have all")
        yield made


@pytest.fixture
def settled(shop):
    wait_for(lambda: all_usable(shop), "all replicas are in use")


def set_delay(replica, milliseconds: int):
    replica.execute(f"ALTER SYSTEM SET recovery_min_apply_delay = {milliseconds}")
    replica.execute("SELECT pg_reload_conf()")


def all_have(cluster, shard: str) -> bool:
    end = cluster.shard(shard).execute("SELECT pg_current_wal_lsn()::text")[0][0]
    return all(node.execute(f"SELECT pg_last_wal_replay_lsn() >= '{end}'")[0][0]
               for node in cluster.replicas[shard])


def connect_at(cluster, level: str, **options):
    return cluster.connect(options=f"-c meridian.read_consistency={level} -c meridian.max_staleness="
                           f"{int(STALENESS_SECONDS * 1000)}ms", **options)


def connect_strong(cluster):
    return connect_at(cluster, "strong")


def reads(cluster, place: str = "replica") -> int:
    line = next(line for line in cluster.proxy.metrics().splitlines()
                if line.startswith(f'meridian_reads_total{{place="{place}"}}'))
    return int(float(line.split()[1]))


class Acknowledged:
    """When which value of a key was acknowledged to its writer."""

    def __init__(self):
        self._times = [0.0]
        self._values = [0]

    def add(self, moment: float, value: int):
        self._values.append(value)
        self._times.append(moment)

    def at(self, moment: float) -> int:
        times = self._times[:]
        return self._values[bisect.bisect_right(times, moment) - 1]


class Checker:
    """Counts what sessions of one level see that they should not, by name of the promise."""

    def __init__(self, cluster, level: str):
        self._cluster = cluster
        self._level = level
        self._stop = threading.Event()
        self._acknowledged = [Acknowledged() for _ in range(SESSIONS)]
        self.broken = dict.fromkeys(["own writes", "monotonic", "bounded", "strong", "prefix"], 0)
        self.read = 0
        self.errors = []

    def _session(self, number: int):
        chance = random.Random(number)
        own = 0
        seen = [0] * SESSIONS
        with connect_at(self._cluster, self._level) as connection:
            while not self._stop.is_set():
                if chance.random() < 0.15:
                    own = connection.execute("UPDATE kv SET v = v + 1 WHERE k = %s RETURNING v",
                                             [number]).fetchone()[0]
                    self._acknowledged[number].add(time.monotonic(), own)
                    continue
                started = time.monotonic()
                if chance.random() < 0.3:
                    rows = connection.execute("SELECT k, v FROM kv").fetchall()
                    assert len(rows) == SESSIONS
                else:
                    key = chance.choice([number, chance.randrange(SESSIONS)])
                    rows = connection.execute(f"SELECT k, v FROM kv WHERE k = {key}").fetchall()
                for key, value in rows:
                    acknowledged = self._acknowledged[key]
                    self.broken["own writes"] += key == number and value < own
                    self.broken["monotonic"] += value < seen[key]
                    self.broken["strong"] += value < acknowledged.at(started)
                    self.broken["bounded"] += value < acknowledged.at(started - STALENESS_SECONDS)
                    seen[key] = max(seen[key], value)
                self.read += 1
                time.sleep(0.002)

    def _prefix_writer(self):
        with self._cluster.connect() as connection:
            while not self._stop.is_set():
                for key in (1, 2):
                    connection.execute(f"UPDATE prefix SET v = v + 1 WHERE k = {key}")

    def _prefix_reader(self):
        with connect_at(self._cluster, self._level) as connection:
            while not self._stop.is_set():
                (first,), (second,) = connection.execute("SELECT v FROM prefix ORDER BY k")
                self.broken["prefix"] += not second <= first <= second + 1

    def _guard(self, run, *arguments):
        try:
            run(*arguments)
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
            self._stop.set()

    def run(self):
        with connect_strong(self._cluster) as connection:
            connection.execute("UPDATE kv SET v = 0")
            connection.execute("UPDATE prefix SET v = 0")
        wait_for(lambda: all(all_have(self._cluster, name) for name in ("s1", "s2")), "all is 0")
        threads = [threading.Thread(target=self._guard, args=(self._session, number))
                   for number in range(SESSIONS)]
        threads += [threading.Thread(target=self._guard, args=(run,))
                    for run in (self._prefix_writer, self._prefix_reader)]
        for thread in threads:
            thread.start()
        self._stop.wait(SECONDS)
        self._stop.set()
        for thread in threads:
            thread.join()
        assert self.errors == []
        assert self.read > 100


class TestConsistency:
    @pytest.mark.parametrize("level, promised", [
        ("strong", ["own writes", "monotonic", "bounded", "strong", "prefix"]),
        ("read_your_writes", ["own writes", "prefix"]),
        ("monotonic", ["own writes", "monotonic", "prefix"]),
        ("bounded", ["own writes", "bounded", "prefix"]),
    ])
    def test_level_keeps_its_promises(self, shop, level, promised):
        before = reads(shop)
        checker = Checker(shop, level)
        checker.run()
        assert {name: checker.broken[name] for name in promised} == dict.fromkeys(promised, 0)
        assert (reads(shop) > before) == (level != "strong")

    def test_checker_can_fail(self, shop):
        checker = Checker(shop, "eventual")
        checker.run()
        for name in ("own writes", "monotonic", "strong"):
            assert checker.broken[name] > 0, checker.broken
        assert checker.broken["prefix"] == 0
        checker = Checker(shop, "read_your_writes")
        checker.run()
        assert checker.broken["monotonic"] > 0, checker.broken

    def test_multi_shard_writes_are_seen(self, shop):
        with connect_at(shop, "read_your_writes") as connection:
            for number in range(40):
                connection.execute("BEGIN")
                connection.execute(f"UPDATE kv SET v = {number}")
                connection.execute("COMMIT")
                assert set(connection.execute("SELECT v FROM kv")) == {(number,)}
                time.sleep(random.Random(number).random() * 0.1)


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


class TestCausalityToken:
    @pytest.fixture(scope="class")
    def second(self, shop):
        """Another proxy."""
        made = Meridian(shop.directory, "second", shop.shards[0], None, shop.database)
        made.start()
        try:
            yield made
        finally:
            made.stop()

    def test_another_session_finds_it(self, shop, second):
        """Only the late replicas are there: what they have is told by their delay."""
        quick = [shop.replicas[name][0] for name in ("s1", "s2")]
        for replica in quick:
            replica.execute("SELECT pg_wal_replay_pause()")
        try:
            missed = 0
            with shop.connect() as writer, second.connect() as reader, second.connect() as other:
                for number in range(1000, 1010):
                    writer.execute("UPDATE kv SET v = %s", [number])
                    token = writer.execute("SHOW meridian.causality_token").fetchone()[0]
                    assert token.count("@") == 2
                    reader.execute(f"SET meridian.causality_token = '{token}'")
                    assert set(reader.execute("SELECT v FROM kv")) == {(number,)}
                    assert reader.execute("SHOW meridian.causality_token").fetchone()[0] == token
                    other.execute("SET meridian.read_consistency = 'eventual'")
                    missed += set(other.execute("SELECT v FROM kv")) != {(number,)}
                with second.connect(options=f"-c meridian.causality_token={token}") as late:
                    assert set(late.execute("SELECT v FROM kv")) == {(1009,)}
            assert missed > 0  # without the token
        finally:
            for replica in quick:
                replica.execute("SELECT pg_wal_replay_resume()")

    def test_monotonic_sessions_tell_what_they_have_seen(self, shop, second):
        with connect_strong(shop) as writer:
            writer.execute("UPDATE prefix SET v = v + 1")
            value = writer.execute("SELECT v FROM prefix WHERE k = 1").fetchone()[0]
        with connect_at(shop, "monotonic") as seeing:
            wait_for(lambda: seeing.execute("SELECT v FROM prefix WHERE k = 1").fetchone()[0] == value,
                     "it is seen")
            token = seeing.execute("SHOW meridian.causality_token").fetchone()[0]
        for _ in range(10):
            with second.connect() as reader:
                reader.execute(f"SET meridian.causality_token = '{token}'")
                assert reader.execute("SELECT v FROM prefix WHERE k = 1").fetchone()[0] == value

    def test_odd_tokens(self, shop):
        with shop.connect() as connection:
            assert connection.execute("SHOW meridian.causality_token").fetchone() == ("",)
            for bad in ("x", "0/1", "0/1@s1,", "0/123456789@s1"):
                with pytest.raises(psycopg.errors.InvalidParameterValue):
                    connection.execute(f"SET meridian.causality_token = '{bad}'")
                with pytest.raises(psycopg.OperationalError, match="causality_token"):
                    shop.connect(options=f"-c meridian.causality_token={bad}")
            connection.execute("SET meridian.causality_token = '0/1@no_such_shard'")
            connection.execute("SET meridian.causality_token = ''")
            connection.execute("RESET meridian.causality_token")
            # Of a log that never comes so far: the primary answers.
            connection.execute("SET meridian.causality_token = 'FFFFFFFF/FFFFFFFF@s1'")
            assert not connection.execute("SELECT pg_is_in_recovery() FROM prefix").fetchone()[0]

    def test_it_can_be_cancelled(self, shop):
        with shop.connect() as connection:
            connection.execute("UPDATE prefix SET v = v + 1")
            pids = hang(shop.shards[0])
            try:
                threading.Timer(0.3, connection.cancel).start()
                with pytest.raises(psycopg.errors.QueryCanceled):
                    connection.execute("SHOW meridian.causality_token")
            finally:
                go_on(pids)


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


def configured(cluster, settings: dict):
    count = cluster.proxy.log_count("configuration reloaded")
    cluster.proxy.configure(settings)
    cluster.proxy.reload()
    wait_for(lambda: cluster.proxy.log_count("configuration reloaded") > count, "it is reloaded")


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


def all_usable(cluster) -> bool:
    return all(row["serves_reads"] for row in cluster.proxy.admin_rows("SHOW REPLICATION")
               if row["role"] != "primary")


def in_use(cluster, node) -> bool:
    return next(row["in_use"] for row in cluster.proxy.admin_rows("SHOW NODES")
                if row["port"] == node.port)
