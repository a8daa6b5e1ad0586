"""What clients do with each key range is known, by a sample, and the shards are balanced by it."""

import random
import threading

import pytest

import moves
from bank import make_bank
import wire as w
from cluster import process
from cluster.cluster import Cluster

SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}
SECONDS = 60


class Work:
    """Threads that read and write accounts with these numbers."""

    def __init__(self, cluster: Cluster, *choices):
        self._stop = threading.Event()
        self.errors = []
        self._threads = [threading.Thread(target=self._run, args=(cluster, choice)) for choice in choices]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, cluster, accounts):
        with cluster.connect() as connection:
            while not self._stop.is_set():
                try:
                    connection.execute("UPDATE accounts SET note = 'w' WHERE id = %s", (random.choice(accounts),))
                    connection.execute("SELECT balance FROM accounts WHERE id = %s", (random.choice(accounts),))
                except Exception as error:  # pylint: disable=broad-except
                    self.errors.append(error)


@pytest.fixture(scope="module")
def bank():
    with Cluster(shards=2, oracle=False, server_settings=SERVERS,
                 proxy_settings={"control": {"rebalance_interval": "1s"}}) as made:
        make_bank(made)
        yield made
        made.admin("SET REBALANCER OFF")


def load(cluster) -> dict:
    return {row["key_range"]: row for row in cluster.proxy.admin_rows("SHOW LOAD")}


def test_load_is_shown_and_balanced(bank):
    """r0 and r2 are on s1; r0 has two thirds of the work."""
    assert moves.owner(bank, "r0") == moves.owner(bank, "r2") == "s1"
    assert load(bank)["r0"]["statements_per_s"] == 0
    with Work(bank, range(0, 50), range(50, 100), range(200, 300)) as work:
        def measured():
            now = load(bank)
            return now["r0"]["busy_ms_per_s"] > 60 and now["r2"]["busy_ms_per_s"] > 30
        process.wait_for(measured, "the load is known", SECONDS)
        now = load(bank)
        assert now["r0"]["statements_per_s"] > now["r2"]["statements_per_s"] > now["r1"]["statements_per_s"] == 0, now
        assert list(now)[0] == "r0"  # what has most to do comes first
        # By bytes there is nothing to do; by load there is.
        assert bank.proxy.admin_rows("REBALANCE DRY RUN") == []
        plan = bank.proxy.admin_rows("REBALANCE DISTRIBUTION bank DRY RUN BY LOAD")
        assert plan and plan[-1]["action"] == "move" and plan[-1]["to"] == "s2", plan
        assert plan[0]["bytes"] is None and plan[0]["busy_ms_per_s"] > 0 and "ms/s" in plan[-1]["reason"], plan
        bank.admin("SET REBALANCER ON BY LOAD WITH (threshold '60%', max_rate '50MB/s')")
        process.wait_for(lambda: any(row["asked_by"] == "rebalancer" and row["phase"] == "done"
                                     for row in bank.proxy.admin_rows("SHOW MOVE HISTORY")), "it moves", SECONDS)
        row = next(row for row in bank.proxy.admin_rows("SHOW MOVE HISTORY") if row["asked_by"] == "rebalancer")
        assert row["target"] == "s2" and row["max_rate"] == 50 << 20, row
        bank.admin("SET REBALANCER OFF")
    assert work.errors == []
    shown = bank.proxy.admin_rows("SHOW REBALANCER")[0]
    assert (shown["mode"], shown["measure"], shown["threshold"], shown["window"], shown["max_rate"]) == (
        "off", "load", 60, None, 50 << 20)
    process.wait_for(lambda: bank.proxy.admin_rows("SHOW MOVES") == [], "all moves have ended", SECONDS)
    moves.assert_nothing_left(bank)
    moves.assert_rows_where_they_belong(bank, "accounts", "id")


@pytest.mark.slow
def test_a_hot_range_is_split_where_its_keys_are_used(bank):
    """All the work is on keys 310 to 329 of r3 (300 to 399): it is cut between them, not in its middle."""
    with Work(bank, range(310, 320), range(320, 330)) as work:
        def proposed():  # once what was before is forgotten
            plan = bank.proxy.admin_rows("REBALANCE DRY RUN BY LOAD")
            return plan and (plan[0]["action"], plan[0]["range"]) == ("split", "r3")
        process.wait_for(proposed, "a split is proposed", SECONDS)
        plan = bank.proxy.admin_rows("REBALANCE BY LOAD")
        split = next(row for row in plan if (row["action"], row["range"]) == ("split", "r3"))
        process.wait_for(lambda: bank.proxy.admin_rows("SHOW MOVES") == [], "all moves have ended", SECONDS)
        bounds = {row["key_range"]: row["lower"] for row in bank.proxy.admin_rows("SHOW KEY RANGES")}
        assert 312 <= int(bounds[split["to"]]) <= 328, bounds
    assert work.errors == []
    moves.assert_rows_where_they_belong(bank, "accounts", "id")


def test_a_window_of_time(bank):
    """Outside of it nothing is looked at."""
    now = bank.shards[0].execute("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 h', 'HH24:MI'),"
                                 " to_char(now() AT TIME ZONE 'UTC' + interval '3 h', 'HH24:MI'),"
                                 " to_char(now() AT TIME ZONE 'UTC' - interval '1 h', 'HH24:MI')", bank.database)[0]
    bank.admin(f"SET REBALANCER DRY RUN BY BYTES WITH (window '{now[0]}-{now[1]}')")
    shown = bank.proxy.admin_rows("SHOW REBALANCER")[0]
    assert shown["window"] == f"{now[0]}-{now[1]}" and shown["looked_at"] is None
    with pytest.raises(TimeoutError):
        process.wait_for(lambda: bank.proxy.admin_rows("SHOW REBALANCER")[0]["looked_at"], "it looks", 3)
    bank.admin(f"SET REBALANCER DRY RUN WITH (window '{now[2]}-{now[0]}')")
    process.wait_for(lambda: bank.proxy.admin_rows("SHOW REBALANCER")[0]["looked_at"], "it looks", 10)
    bank.admin("SET REBALANCER OFF WITH (window '')")
    assert bank.proxy.admin_rows("SHOW REBALANCER")[0]["window"] is None


def test_what_is_bound_and_never_run_does_not_outlive_its_range(bank):
    """The sample must not look for the range of such a key in a map that has it no more."""
    names = [f"x{n}" for n in range(20)]
    bank.admin("CREATE DISTRIBUTION brief COLUMN TYPES bigint",
               "CREATE KEY RANGE x FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION brief",
               *(f"CREATE KEY RANGE {name} FROM {n + 1} ROUTE TO s1 FOR DISTRIBUTION brief"
                 for n, name in enumerate(names)))
    with bank.connect() as connection:
        connection.execute("CREATE TABLE brief (k bigint PRIMARY KEY)")
    bank.admin("ALTER DISTRIBUTION brief ATTACH TABLE brief DISTRIBUTION KEY k")
    sessions = []
    for _ in range(40):  # one in eight is looked at
        session = w.Wire("127.0.0.1", bank.proxy.port)
        session.login("app", "app", bank.database)
        for _ in range(3):
            session.ask(w.parse("SELECT k FROM brief WHERE k = 1000"), w.bind(), w.SYNC)
        sessions.append(session)
    bank.admin("ALTER DISTRIBUTION brief DETACH TABLE brief", "DROP DISTRIBUTION brief")
    for session in sessions:
        assert session.rows("SELECT 1 + 1") == [("2",)]
        session.close()
    assert bank.proxy.running()
