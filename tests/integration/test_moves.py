"""Key ranges move while clients work: nobody sees it but by some milliseconds in which statements wait."""

import os
import re

import psycopg
import pytest

import moves
from bank import Bank, make_bank
from cluster.cluster import Cluster
from cluster.meridian import Meridian
from cluster.process import wait_for

# How often ranges move to and fro; the whole of the issue takes minutes.
ROUNDS = int(os.environ.get("MERIDIAN_MOVE_ROUNDS", "4"))
SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}


@pytest.fixture(scope="module")
def bank_cluster():
    with Cluster(shards=2, oracle=False, server_settings=SERVERS) as made:
        make_bank(made)
        yield made


@pytest.mark.slow
def test_a_bank_goes_on(bank_cluster):
    pauses = []
    with Bank(bank_cluster, clients=16, readers=2) as bank:
        for number in range(ROUNDS):
            name = f"r{number % 4}"
            target = {"s1": "s2", "s2": "s1"}[moves.owner(bank_cluster, name)]
            pauses.append(moves.do(bank_cluster, name, target)["pause_ms"])
            assert bank.errors == []
    print("transfers", len(bank.acknowledged), "worst", bank.worst_ms, "pauses", sorted(pauses))
    assert bank.errors == []
    assert len(bank.acknowledged) > 100 and bank.reads > 3
    bank.assert_books()
    moves.assert_nothing_left(bank_cluster)
    for table, key in (("accounts", "id"), ("ledger", "account")):
        moves.assert_rows_where_they_belong(bank_cluster, table, key)


@pytest.fixture(scope="module")
def calm():
    """A bank where nobody works, and a proxy with one worker."""
    with Cluster(shards=2, oracle=False, server_settings=SERVERS, proxy_settings={"workers": 1}) as made:
        make_bank(made)
        yield made


@pytest.fixture
def paused(calm):
    """A move of r0 that stands still while it follows; `go()` lets it go on. Comparing all rows would wait
    for open transactions, so that is left out."""
    class Paused:
        cluster = calm

        def begin(self, options="verify off"):
            calm.proxy.set_fault_points("move.following=pause")
            self.target = {"s1": "s2", "s2": "s1"}[moves.owner(calm, "r0")]
            self.move = moves.ask(calm, "r0", self.target, options)
            moves.wait_for_phase(calm, self.move, "following")

        def go(self):
            calm.proxy.set_fault_points("")

        def is_done(self) -> bool:
            return moves.show(calm, self.move)["phase"] == "done"

        def wait(self):
            row = moves.wait_for_end(calm, self.move)
            assert row["phase"] == "done" and moves.owner(calm, "r0") == self.target, row
            moves.assert_nothing_left(calm)
            moves.assert_rows_where_they_belong(calm, "accounts", "id")
            return row

        def waits(self):
            """For somebody: the cut-over is tried, and undone."""
            self.go()
            wait_for(lambda: moves.show(calm, self.move)["cutovers"] > 1, "two cut-overs are tried")
            assert not self.is_done()
    made = Paused()
    yield made
    calm.proxy.set_fault_points("")


OPEN = {  # what a transaction has done that must end before the range has another owner
    "update": "UPDATE accounts SET note = 'y' WHERE id = 1",
    "lock": "SELECT * FROM accounts WHERE id = 2 FOR UPDATE",
    "insert": "INSERT INTO ledger VALUES (3, gen_random_uuid(), 1)",
    "delete on all shards": "DELETE FROM ledger",
    "lock on all shards": "SELECT id FROM accounts FOR SHARE",
}


@pytest.mark.parametrize("what", sorted(OPEN))
def test_open_transactions_are_waited_for(paused, what):
    paused.begin("verify off, cutover_timeout '300ms'")
    with paused.cluster.connect(autocommit=False) as open_one, paused.cluster.connect() as other:
        open_one.execute(OPEN[what])
        paused.waits()
        assert other.execute("SELECT balance FROM accounts WHERE id = 5").fetchone()  # is not held for ever
        assert open_one.execute("UPDATE accounts SET note = 'z' WHERE id = 4").rowcount == 1
        assert open_one.execute("UPDATE accounts SET note = 'z' WHERE id = 104").rowcount == 1
        open_one.commit()
    paused.wait()
    with paused.cluster.connect() as connection:
        notes = connection.execute("SELECT note FROM accounts WHERE id IN (4, 104)").fetchall()
        assert notes == [("z",), ("z",)]


@pytest.mark.parametrize("first", ["SELECT count(*) FROM accounts WHERE id = 1",
                                   "SELECT id FROM accounts", "SELECT id FROM accounts WHERE id = 300"])
def test_snapshots_are_waited_for(paused, first):
    """A REPEATABLE READ transaction sees to its end what it saw at first."""
    paused.begin("verify off, cutover_timeout '300ms'")
    with paused.cluster.connect() as reader, paused.cluster.connect() as writer:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute(first)
        before = reader.execute("SELECT id, note FROM accounts WHERE id < 100").fetchall()
        writer.execute("UPDATE accounts SET note = note || '!' WHERE id = 7")
        paused.waits()
        assert sorted(reader.execute("SELECT id, note FROM accounts WHERE id < 100").fetchall()) == sorted(before)
        reader.execute("COMMIT")
    paused.wait()


def test_reads_and_other_ranges_are_not_waited_for(paused):
    paused.begin("verify off, cutover_timeout '5s'")
    other_shard = "r2" if paused.target == "s2" else "r1"
    with paused.cluster.connect(autocommit=False) as reader, \
            paused.cluster.connect(autocommit=False) as writer:
        reader.execute("SELECT id FROM accounts").fetchall()
        reader.execute("SELECT id FROM accounts WHERE id = 1").fetchall()
        account = 250 if other_shard == "r2" else 150
        writer.execute("UPDATE accounts SET note = 'w' WHERE id = %s", (account,))
        paused.go()
        moves.wait_for_phase(paused.cluster, paused.move, "switched", "cleaning", "done")
        assert len(reader.execute("SELECT id FROM accounts").fetchall()) == 400
        assert moves.show(paused.cluster, paused.move)["cutovers"] == 1
    paused.wait()


def test_a_cursor_sees_what_it_saw(paused):
    """Its rows are on the shard that was the owner, and are not deleted before it ends."""
    paused.begin()
    with paused.cluster.connect(autocommit=False) as reader:
        reader.execute("DECLARE c CURSOR FOR SELECT id FROM accounts WHERE id BETWEEN 0 AND 99")
        assert len(reader.execute("FETCH 10 FROM c").fetchall()) == 10
        paused.go()
        moves.wait_for_phase(paused.cluster, paused.move, "switched", "cleaning", "done")
        assert len(reader.execute("FETCH ALL FROM c").fetchall()) == 90
        reader.commit()
    paused.wait()


def test_a_copy_in_progress(paused):
    paused.begin("verify off, cutover_timeout '300ms'")
    with paused.cluster.connect(autocommit=False) as writer:
        with writer.cursor().copy("COPY ledger FROM STDIN") as copy:
            copy.write_row((1, "00000000-0000-0000-0000-000000000001", 5))
            paused.waits()
            copy.write_row((2, "00000000-0000-0000-0000-000000000002", 5))
        writer.commit()
    paused.wait()
    with paused.cluster.connect() as connection:
        rows = connection.execute("SELECT account FROM ledger WHERE amount = 5").fetchall()
        assert sorted(rows) == [(1,), (2,)]
        connection.execute("DELETE FROM ledger")


def test_a_prepared_transaction(paused):
    """Of another system on the source itself: nobody but the fence knows of it."""
    paused.begin("verify off, cutover_timeout '300ms'")
    source = paused.cluster.shard({"s1": "s2", "s2": "s1"}[paused.target])
    with source.connect(paused.cluster.database) as direct:
        direct.execute("BEGIN")
        direct.execute("UPDATE accounts SET note = 'p' WHERE id = 9")
        direct.execute("PREPARE TRANSACTION 'foreign'")
    paused.waits()
    wait_for(lambda: "do not end (prepared transaction foreign, for " in
             (moves.show(paused.cluster, paused.move)["message"] or ""), "it tells for whom it waits")
    with source.connect(paused.cluster.database) as direct:
        direct.execute("COMMIT PREPARED 'foreign'")
    paused.wait()
    with paused.cluster.connect() as connection:
        assert connection.execute("SELECT note FROM accounts WHERE id = 9").fetchone() == ("p",)


def test_the_fence_refuses_who_bypasses(paused):
    paused.begin()
    source = paused.cluster.shard({"s1": "s2", "s2": "s1"}[paused.target])
    paused.cluster.proxy.set_fault_points("move.cleaning=pause")
    moves.wait_for_phase(paused.cluster, paused.move, "cleaning")
    with source.connect(paused.cluster.database) as direct:
        for sql in ("UPDATE accounts SET note = 'd' WHERE id = 1", "DELETE FROM accounts WHERE id = 2",
                    "INSERT INTO ledger VALUES (3, gen_random_uuid(), 1)"):
            with pytest.raises(psycopg.Error) as refused:
                direct.execute(sql)
            assert refused.value.sqlstate == "M0002"
            assert paused.target in refused.value.diag.message_detail
    with paused.cluster.connect() as stale:  # as a proxy would be that does not know of it yet
        stale.execute(f"SET meridian.shard = '{source.name}'")
        with pytest.raises(psycopg.errors.SerializationFailure) as refused:
            stale.execute("UPDATE accounts SET note = 'd' WHERE id = 1")
        assert paused.target in refused.value.diag.message_detail
        assert stale.execute("SELECT 1").fetchone() == (1,)
    paused.go()
    paused.wait()


REFUSED = ["ALTER TABLE accounts ADD COLUMN more text", "TRUNCATE ledger", "DROP TABLE ledger",
           "ALTER TABLE accounts RENAME TO other"]


def test_what_is_refused_meanwhile(paused):
    paused.begin()
    with paused.cluster.connect() as connection:
        for sql in REFUSED:
            with pytest.raises(psycopg.Error) as refused:
                connection.execute(sql)
            assert refused.value.sqlstate in ("55006", "0A000"), sql
        connection.execute("CREATE INDEX notes ON accounts (note)")
    for command in ("SPLIT KEY RANGE r9 FROM r0 BY 50", "UNITE KEY RANGE r0 WITH r1",
                    f"MOVE KEY RANGE r0 TO {paused.target}", "ALTER DISTRIBUTION bank DETACH TABLE ledger",
                    f"DROP SHARD {paused.target}"):
        with pytest.raises(psycopg.Error) as refused:
            paused.cluster.admin(command)
        assert refused.value.sqlstate == "55006", command
    paused.go()
    paused.wait()
    with paused.cluster.connect() as connection:
        connection.execute("ALTER TABLE accounts ADD COLUMN more text")
        connection.execute("ALTER TABLE accounts DROP COLUMN more")
        connection.execute("DROP INDEX notes")


def test_keys_change_over_shards_meanwhile(calm):
    """UPDATE of the key, into the range that moves and out of it, before it changes owner and behind that; refused
    only where the row is on the other shard of the move. r0 and r2 are on one shard, r1 and r3 on the other."""
    target = {"s1": "s2", "s2": "s1"}[moves.owner(calm, "r0")]
    elsewhere = {True: 150, False: 250}  # by whether the range has another owner: keys of another shard than its owner
    with calm.connect() as connection:
        for key in (1000, 1001):
            connection.execute("INSERT INTO accounts VALUES (%s, 5, repeat('x', 10000))", (key,))
        for phase in ("following", "cleaning"):
            before = phase == "following"
            calm.proxy.set_fault_points(f"move.{phase}=pause")
            if before:
                move = moves.ask(calm, "r0", target)
            moves.wait_for_phase(calm, move, phase)
            other = elsewhere[before]
            # Out of it and, from the shard that has strays of it, not into it.
            connection.execute("DELETE FROM accounts WHERE id = %s", (other,))
            assert connection.execute("UPDATE accounts SET id = %s, note = 'out' WHERE id = 5", (other,)).rowcount == 1
            assert connection.execute("SELECT id FROM accounts WHERE id IN (5, %s)", (other,)).fetchall() == [(other,)]
            with pytest.raises(psycopg.Error, match="are being moved between shards") as refused:
                connection.execute("UPDATE accounts SET id = 5 WHERE id = %s", (other,))
            assert refused.value.sqlstate == "55006"
            with connection.transaction():
                row = connection.execute("DELETE FROM accounts WHERE id = %s RETURNING *", (other,)).fetchone()
                connection.execute("INSERT INTO accounts VALUES (5, %s, %s)", row[1:])
            connection.execute("INSERT INTO accounts VALUES (%s, 1000, 'new')", (other,))
            assert connection.execute("SELECT note FROM accounts WHERE id = 5").fetchone() == ("out",)
        calm.proxy.set_fault_points("")
        assert moves.wait_for_end(calm, move)["phase"] == "done"
        connection.execute("DELETE FROM accounts WHERE id >= 1000")
        assert len(connection.execute("SELECT id FROM accounts").fetchall()) == 400
    moves.assert_nothing_left(calm)
    moves.assert_rows_where_they_belong(calm, "accounts", "id")


def test_cancel_pause_and_alter(paused):
    cluster = paused.cluster
    before = moves.owner(cluster, "r0")
    paused.begin()
    cluster.admin(f"CANCEL MOVE {paused.move}")
    paused.go()
    assert moves.wait_for_end(cluster, paused.move)["phase"] == "cancelled"
    assert moves.owner(cluster, "r0") == before
    moves.assert_nothing_left(cluster)
    moves.assert_rows_where_they_belong(cluster, "accounts", "id")
    for command in (f"CANCEL MOVE {paused.move}", f"PAUSE MOVE {paused.move}",
                    f"ALTER MOVE {paused.move} SET (verify on)"):
        with pytest.raises(psycopg.Error) as ended:
            cluster.admin(command)
        assert ended.value.sqlstate == "55000"
    with pytest.raises(psycopg.Error) as missing:
        cluster.admin("CANCEL MOVE 4711")
    assert missing.value.sqlstate == "42704"
    paused.begin()
    cluster.admin(f"PAUSE MOVE {paused.move}", f"ALTER MOVE {paused.move} SET (verify on, max_rate '1MB/s')")
    paused.go()
    wait_for(lambda: moves.show(cluster, paused.move)["state"] == "paused", "it is paused")
    assert moves.show(cluster, paused.move)["max_rate"] == 1 << 20
    cluster.admin(f"RESUME MOVE {paused.move}")
    paused.wait()


def test_a_limited_rate(calm):
    """About 30 kB, at 15 kB/s but for a burst at the start."""
    move = moves.ask(calm, "r0", {"s1": "s2", "s2": "s1"}[moves.owner(calm, "r0")], "max_rate '64kB/s'")
    row = moves.wait_for_end(calm, move)
    assert row["phase"] == "done" and row["max_rate"] == 64 << 10
    moves.assert_nothing_left(calm)


def test_metrics_tell(calm):
    """After all the moves above, which were done, cancelled, and waited for transactions."""
    text = calm.proxy.metrics()
    for name in ("moves_done_total", "moves_undone_total", "move_rows_total", "move_bytes_total", "cutovers_total",
                 "cutovers_undone_total", "cutover_seconds_total", "held_duration_seconds_count"):
        values = re.findall(rf"^meridian_{name} (\S+)$", text, re.MULTILINE)
        assert values and float(values[0]) > 0, name
    for name in ("moves_open", "move_lag_bytes", "move_lag_seconds", "move_log_kept_bytes", "moves_throttled"):
        assert re.findall(rf"^meridian_{name} (\S+)$", text, re.MULTILINE) == ["0"], name


def test_two_proxies(calm):
    """Each holds the range, and each follows the move, whoever does it."""
    second = Meridian(calm.directory, "second", calm.shards[0], {"workers": 1}, calm.database)
    second.start()
    try:
        with Bank(calm, clients=4, readers=2, proxies=[calm.proxy, second]) as bank:
            for number in range(ROUNDS):
                name = f"r{number % 4}"
                target = {"s1": "s2", "s2": "s1"}[moves.owner(calm, name)]
                proxy = [calm.proxy, second][number % 2]
                row = moves.wait_for_end(calm, moves.ask(calm, name, target, proxy=proxy), proxy=second)
                assert row["phase"] == "done", row
                for asked in (calm.proxy, second):
                    wait_for(lambda: moves.owner(calm, name, asked) == target, "both know the owner")
                assert bank.errors == []
        bank.assert_books()
    finally:
        second.stop()
    moves.assert_nothing_left(calm)


def test_replicas_slow_the_copy_down_and_are_waited_for():
    """A replica of the target that does not replay: the copy gives way to it; and no row is deleted at the
    source before the replica has it, or serves nobody any more."""
    with Cluster(shards=2, oracle=False, server_settings=SERVERS, replicas=1,
                 proxy_settings={"workers": 1, "replicas": {"max_lag": "3s"}}) as cluster:
        make_bank(cluster)
        with cluster.connect() as connection:
            connection.execute("UPDATE accounts SET note = repeat('x', 2000) WHERE id < 100")
        replica = cluster.replicas["s2"][0]
        replica.execute("SELECT pg_wal_replay_pause()")
        with Bank(cluster, clients=2, readers=1) as bank:
            move = moves.ask(cluster, "r0", "s2", "max_replica_lag '1ms'")
            moves.wait_for_phase(cluster, move, "switched")
            wait_for(lambda: moves.show(cluster, move)["message"] == "replicas of the target", "it waits")
            assert cluster.shard("s1").execute("SELECT count(*) FROM accounts WHERE id < 100",
                                               cluster.database) == [(100,)]
            replica.execute("SELECT pg_wal_replay_resume()")
            assert moves.wait_for_end(cluster, move)["phase"] == "done"
        assert bank.errors == []
        bank.assert_books()
        moves.assert_nothing_left(cluster)
