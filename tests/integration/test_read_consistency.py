"""Each level of meridian.read_consistency keeps what it promises, seen by sessions that read and write at
random on delayed replicas; and what the lower ones do not promise does happen, so the checker can fail."""

import bisect
import random
import threading
import time

import psycopg
import pytest

from cluster.meridian import Meridian
from cluster.process import go_on, hang, wait_for
from replica_shop import (  # noqa: F401
    all_have, connect_at, connect_strong, reads, SECONDS, SESSIONS, shop, STALENESS_SECONDS)


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
