"""A bank over two shards: whoever reads all accounts in snapshots that belong together sees the right
total, through whichever proxy the transfers go. Without them the checker does see wrong totals."""

import random
import threading
import time

import psycopg
import pytest

from cluster.cluster import Cluster
from cluster.meridian import Meridian

ACCOUNTS = 20
BALANCE = 100
SECONDS = 3
TRANSFERS = 4


@pytest.fixture(scope="module")
def bank():
    with Cluster(shards=2, oracle=False) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE accounts (id bigint PRIMARY KEY, balance integer)")
            made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2)",
                       "ALTER DISTRIBUTION d ATTACH TABLE accounts DISTRIBUTION KEY id")
            rows = ", ".join(f"({account}, {BALANCE})" for account in range(ACCOUNTS))
            connection.execute(f"INSERT INTO accounts VALUES {rows}")
        assert min(made.rows_per_shard("accounts").values()) > ACCOUNTS / 5
        made.second = Meridian(made.directory, "second", made.shards[0], None, made.database)
        made.second.start()
        try:
            yield made
        finally:
            made.second.stop()


class Transfers:
    """Move money to and fro through both proxies, while the body runs."""

    def __init__(self, bank):
        self._proxies = [bank.proxy, bank.second]
        self._stop = threading.Event()
        self.done = 0
        self.errors = []

    def _run(self, number: int):
        chance = random.Random(number)
        with self._proxies[number % 2].connect(autocommit=True) as connection:
            while not self._stop.is_set():
                # In one order, so that they do not deadlock.
                source, target = sorted(chance.sample(range(ACCOUNTS), 2))
                amount = chance.randint(-50, 50)
                try:
                    connection.execute("BEGIN")
                    for account, change in ((source, -amount), (target, amount)):
                        connection.execute("UPDATE accounts SET balance = balance + %d WHERE id = %d"
                                           % (change, account))
                    connection.execute("COMMIT")
                    self.done += 1
                except psycopg.Error as error:
                    self.errors.append(error)
                    return

    def __enter__(self):
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(TRANSFERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self.errors == []


def in_one_statement(connection) -> int:
    return sum(row[0] for row in connection.execute("SELECT balance FROM accounts"))


def in_repeatable_read(connection) -> int:
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    total = in_one_statement(connection)
    connection.execute("COMMIT")
    return total


def account_by_account(connection) -> int:
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    total = sum(connection.execute(f"SELECT balance FROM accounts WHERE id = {id}").fetchone()[0]
                for id in range(ACCOUNTS))
    connection.execute("COMMIT")
    return total


def totals(bank, mode: str, read, until=lambda seen: False) -> set:
    """What a reader sees while transfers run."""
    seen = []
    with Transfers(bank) as transfers, bank.proxy.connect(autocommit=True) as connection:
        connection.execute(f"SET meridian.snapshot = '{mode}'")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not until(seen):
            seen.append(read(connection))
    assert len(seen) > 3 and (transfers.done > 20 or until(seen))
    return set(seen)


@pytest.mark.parametrize("read", [in_repeatable_read, account_by_account])
def test_repeatable_read(bank, read):
    assert totals(bank, "transaction", read) == {ACCOUNTS * BALANCE}


def test_single_statements(bank):
    assert totals(bank, "consistent", in_one_statement) == {ACCOUNTS * BALANCE}


@pytest.mark.parametrize("mode, read", [
    ("local", account_by_account), ("transaction", in_one_statement)])
def test_the_checker_can_fail(bank, mode, read):
    """Read committed, or snapshots that do not belong together."""
    wrong = lambda seen: any(total != ACCOUNTS * BALANCE for total in seen)
    for _ in range(5):
        if len(totals(bank, mode, read, until=lambda seen: len(seen) > 3 and wrong(seen))) > 1:
            return
    pytest.fail("no wrong total was seen: the test proves nothing")


def test_a_reader_waits_for_what_is_being_committed(bank):
    """Prepared and decided, but not told to all: until then there are no snapshots that belong
    together."""
    name = "meridian_0123456789abcdef_0_1_s1"
    on_s2 = bank.shards[1].execute("SELECT min(id) FROM accounts", bank.database)[0][0]
    with bank.shards[1].connect(bank.database) as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE meridian.snapshot_gate IN ROW EXCLUSIVE MODE")
        connection.execute(f"UPDATE accounts SET balance = balance WHERE id = {on_s2}")
        connection.execute(f"PREPARE TRANSACTION '{name}'")
    with bank.proxy.connect(autocommit=True) as connection:
        began = time.monotonic()
        assert in_repeatable_read(connection) == ACCOUNTS * BALANCE
        waited = time.monotonic() - began
    # The recovery has rolled it back: nobody has decided about it.
    assert bank.shards[1].execute(f"SELECT 1 FROM pg_prepared_xacts WHERE gid = '{name}'") == []
    assert waited > 0.05


def test_a_pipeline_may_write_behind_a_consistent_statement(bank):
    with bank.connect() as connection:
        connection.execute("SET meridian.snapshot = 'consistent'")
        with connection.pipeline():
            read = connection.execute("SELECT balance FROM accounts")
            written = connection.execute("UPDATE accounts SET balance = balance WHERE id = 1")
        assert len(read.fetchall()) == ACCOUNTS
        assert written.rowcount == 1
