"""Tables without a key by which their rows could be told apart move with REPLICA IDENTITY FULL, which they have
for the time of the move."""

import collections
import random
import threading
import time

import pytest

import moves
from cluster import process
from cluster.cluster import Cluster
from cluster.meridian import Meridian

SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}
FULL = "replica_identity full"


@pytest.fixture(scope="module")
def cluster():
    """Three tables without a usable identity, each in its way; keys below 100 are on s1. Another proxy moves."""
    settings = {"control": {"mover_lease": "0"}, "workers": 1}
    with Cluster(shards=2, oracle=False, server_settings=SERVERS, proxy_settings=settings) as made:
        made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint",
                   "CREATE KEY RANGE low FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION d",
                   "CREATE KEY RANGE high FROM 100 ROUTE TO s2 FOR DISTRIBUTION d")
        with made.connect() as connection:
            connection.execute("CREATE TABLE events (k bigint NOT NULL, v integer, doc json)")
            connection.execute("CREATE TABLE parts (k bigint NOT NULL, v integer, PRIMARY KEY (k, v))"
                               " PARTITION BY LIST (v)")
            connection.execute("CREATE TABLE parts_0 PARTITION OF parts DEFAULT")
            connection.execute("ALTER TABLE parts_0 REPLICA IDENTITY NOTHING")
            connection.execute("CREATE TABLE keyed (k bigint PRIMARY KEY)")
        made.admin(*(f"ALTER DISTRIBUTION d ATTACH TABLE {table} DISTRIBUTION KEY k"
                     for table in ("events", "parts", "keyed")))
        made.shard("s2").execute("ALTER TABLE parts_0 REPLICA IDENTITY NOTHING", made.database)
        made.mover = Meridian(made.directory, "mover", made.shards[0],
                              {"control": {"mover_lease": "1s"}, "workers": 1}, made.database)
        made.mover.start()
        yield made
        made.mover.stop()


def identities(cluster) -> list:
    return [shard.execute("SELECT relname, relreplident::text FROM pg_class WHERE relname IN ('events', 'parts',"
                          " 'parts_0', 'keyed') ORDER BY 1", cluster.database) for shard in cluster.shards]


BEFORE = [[("events", "d"), ("keyed", "d"), ("parts", "d"), ("parts_0", "n")]] * 2


class Writer(threading.Thread):
    """Writes rows of which many are the same, and knows what there must be."""

    def __init__(self, cluster: Cluster, seed: int):
        super().__init__()
        self.cluster, self.random, self.stopped = cluster, random.Random(seed), threading.Event()
        self.rows = collections.Counter()
        self.key = 200 + seed if seed % 2 else seed
        self.error = None
        self.statements = 0

    def run(self):
        try:
            with self.cluster.connect() as connection:
                while not self.stopped.is_set():
                    self.write(connection)
                    self.statements += 1
                    time.sleep(0.002)
        except Exception as error:  # noqa: BLE001: told by the test
            self.error = error

    def write(self, connection):
        value = self.random.randrange(4)
        kind = self.random.randrange(4) if sum(self.rows.values()) < 30 else 3
        if kind < 2:
            count = self.random.randrange(1, 4)
            connection.execute("INSERT INTO events SELECT %s, %s, '{\"a\":  [1.0]}' FROM generate_series(1, %s)",
                               (self.key, value, count))
            self.rows[value] += count
        elif kind == 2:
            other = (value + 1) % 4
            changed = connection.execute("UPDATE events SET v = %s WHERE k = %s AND v = %s",
                                         (other, self.key, value)).rowcount
            assert changed == self.rows[value]
            self.rows[other] += self.rows.pop(value, 0)
        else:
            deleted = connection.execute("DELETE FROM events WHERE k = %s AND ctid IN (SELECT ctid FROM events WHERE"
                                         " k = %s AND v = %s LIMIT 3)", (self.key, self.key, value)).rowcount
            assert deleted == min(3, self.rows[value])
            self.rows[value] -= deleted

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()

    def check(self):
        assert self.error is None and self.statements > 20, (self.error, self.statements)
        with self.cluster.connect() as connection:
            found = collections.Counter(v for v, in connection.execute("SELECT v FROM events WHERE k = %s",
                                                                       (self.key,)).fetchall())
        assert +found == +self.rows
        with self.cluster.connect() as connection:  # for the next one
            connection.execute("DELETE FROM events WHERE k = %s", (self.key,))


def other_shard(cluster) -> str:
    return {"s1": "s2", "s2": "s1"}[moves.owner(cluster, "low")]


def test_it_has_to_be_asked_for(cluster):
    row = moves.wait_for_end(cluster, moves.ask(cluster, "low", other_shard(cluster)))
    assert row["phase"] == "failed", row
    assert "the replica identity of table public.events does not tell rows apart" in row["message"]
    assert "replica_identity full" in row["message"] and row["replica_identity"] == "default"
    assert identities(cluster) == BEFORE


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", ", reversible"])
def test_there_and_back_while_clients_write(cluster, options):
    with Writer(cluster, 0) as low, Writer(cluster, 1) as high, Writer(cluster, 2) as third:
        for _ in range(2):
            move = moves.ask(cluster, "low", other_shard(cluster), FULL + options)
            if options:
                moves.wait_for_phase(cluster, move, "reversible")
                assert identities(cluster)[0][0] == identities(cluster)[1][0] == ("events", "f")
                before = low.statements
                process.wait_for(lambda: low.statements > before + 20, "clients write")
                cluster.admin(f"REVERSE MOVE {move}")
                assert moves.wait_for_phase(cluster, move, "reversed")["message"] is None
            else:
                assert moves.wait_for_end(cluster, move)["phase"] == "done"
    for writer in (low, high, third):
        writer.check()
    assert identities(cluster) == BEFORE
    moves.assert_nothing_left(cluster)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["move.copying", "move.copied", "move.switched", "move.removed", "move.undo_end"])
def test_the_mover_dies(cluster, point):
    with Writer(cluster, 4) as writer:
        cluster.mover.set_fault_points(f"{point}=kill")
        move = moves.ask(cluster, "low", other_shard(cluster), FULL + ", reversible off")
        if point == "move.undo_end":
            moves.wait_for_phase(cluster, move, "copying", "following")
            cluster.admin(f"CANCEL MOVE {move}")
        process.wait_for(lambda: not cluster.mover.running(), f"the mover dies at {point}")
        cluster.mover.configure({"debug": {"fault_points": ""}})
        cluster.mover.restart()
        assert moves.wait_for_end(cluster, move)["phase"] == ("cancelled" if "undo" in point else "done")
    writer.check()
    assert identities(cluster) == BEFORE
    moves.assert_nothing_left(cluster)


def test_a_table_that_is_full_for_another_move_is_not_relied_on(cluster):
    """It would get its identity back in the middle of this one."""
    move = moves.ask(cluster, "low", other_shard(cluster), FULL + ", reversible")
    moves.wait_for_phase(cluster, move, "reversible")
    row = moves.wait_for_end(cluster, moves.ask(cluster, "high", "s1"))
    assert row["phase"] == "failed" and "does not tell rows apart" in row["message"], row
    second = moves.ask(cluster, "high", "s1", FULL)
    moves.wait_for_phase(cluster, second, "done")
    assert identities(cluster)[0][0] == ("events", "f")
    cluster.admin(f"FINISH MOVE {move}")
    assert moves.wait_for_end(cluster, move)["phase"] == "done"
    assert identities(cluster) == BEFORE
    moves.do(cluster, "high", "s2", FULL)
