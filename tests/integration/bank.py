"""A bank: clients transfer money between accounts on all shards and write a ledger, readers add up all
balances. Whatever happens meanwhile, no money appears or vanishes, and what was acknowledged is there."""

import collections
import random
import threading
import time
import uuid

import psycopg

from cluster.cluster import Cluster

ACCOUNTS = 400
BALANCE = 1000
RANGES = 4
SCHEMA = """
CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL, note text NOT NULL);
CREATE TABLE ledger (account bigint, transfer uuid, amount bigint NOT NULL, PRIMARY KEY (account, transfer))
"""


def make_bank(cluster: Cluster):
    """Ranges r0 to r3 of 100 accounts each, on the shards in turn."""
    with cluster.connect() as connection:
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
    names = [shard.name for shard in cluster.shards]
    cluster.admin(
        "CREATE DISTRIBUTION bank COLUMN TYPES bigint",
        *(f"CREATE KEY RANGE r{n} FROM {n * ACCOUNTS // RANGES if n else 'MINVALUE'} ROUTE TO "
          f"{names[n % len(names)]} FOR DISTRIBUTION bank" for n in range(RANGES)),
        "ALTER DISTRIBUTION bank ATTACH TABLE accounts DISTRIBUTION KEY id",
        "ALTER DISTRIBUTION bank ATTACH TABLE ledger DISTRIBUTION KEY account")
    with cluster.connect() as connection:
        with connection.cursor().copy("COPY accounts FROM STDIN") as copy:
            for account in range(ACCOUNTS):
                copy.write_row((account, BALANCE, "x" * 100))


class Bank:
    """Clients and readers, each with a thread and a connection of its own, over `proxies` in turn."""

    def __init__(self, cluster: Cluster, clients: int, readers: int, proxies=None):
        self.cluster = cluster
        self.errors = []
        self.acknowledged = set()
        self.unknown = set()  # the connection was lost at COMMIT
        self.reads = 0
        self.worst_ms = 0.0
        with cluster.connect() as connection:
            self._before = {row[0] for row in connection.execute("SELECT transfer FROM ledger").fetchall()}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        proxies = proxies or [cluster.proxy]
        self._threads = [threading.Thread(target=self._run, args=(work, proxies[n % len(proxies)], n))
                         for work, count in ((self._transfer, clients), (self._add_up, readers))
                         for n in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work, proxy, number: int):
        dice = random.Random(number)
        connection = None
        while not self._stop.is_set():
            try:
                if connection is None or connection.closed:
                    connection = proxy.connect(autocommit=True)
                work(connection, dice)
            except psycopg.Error as error:
                with self._lock:
                    self.errors.append((time.time(), getattr(error, "sqlstate", None), str(error)))
        if connection is not None:
            connection.close()

    def _transfer(self, connection, dice: random.Random):
        # In the order of the accounts, so that there are no deadlocks.
        first, second = sorted(dice.sample(range(ACCOUNTS), 2))
        amount = dice.randrange(-50, 50)
        name = uuid.uuid4()
        began = time.time()
        state = "open"
        try:
            with connection.transaction():
                for account, change in ((first, -amount), (second, amount)):
                    found = connection.execute(
                        "UPDATE accounts SET balance = balance + %s WHERE id = %s", (change, account))
                    if found.rowcount != 1:
                        self.errors.append((time.time(), "rows", f"account {account} is not there"))
                    connection.execute("INSERT INTO ledger VALUES (%s, %s, %s)", (account, name, change))
                state = "commit"
        except psycopg.OperationalError:
            if state == "commit":
                with self._lock:
                    self.unknown.add(name)
            raise
        with self._lock:
            self.acknowledged.add(name)
            self.worst_ms = max(self.worst_ms, (time.time() - began) * 1000)

    def _add_up(self, connection, _dice):
        connection.execute("SET meridian.snapshot = 'consistent'")
        rows = connection.execute("SELECT id, balance FROM accounts").fetchall()
        ids = collections.Counter(row[0] for row in rows)
        wrong = [account for account in range(ACCOUNTS) if ids[account] != 1]
        if wrong:
            self.errors.append((time.time(), "rows", f"{len(wrong)} accounts not once: {wrong[:5]}"))
        elif sum(row[1] for row in rows) != ACCOUNTS * BALANCE:
            self.errors.append((time.time(), "sum", str(sum(row[1] for row in rows))))
        self.reads += 1

    def assert_books(self):
        """When nobody works any more."""
        with self.cluster.connect() as connection:
            connection.execute("SET meridian.read_consistency = 'strong'")  # replicas may be behind
            accounts = dict(connection.execute("SELECT id, balance FROM accounts").fetchall())
            ledger = connection.execute("SELECT account, transfer, amount FROM ledger").fetchall()
        assert len(accounts) == ACCOUNTS
        assert sum(accounts.values()) == ACCOUNTS * BALANCE
        entries = collections.defaultdict(list)
        booked = collections.Counter()
        for account, transfer, amount in ledger:
            entries[transfer].append(amount)
            booked[account] += amount
        assert self.acknowledged <= set(entries)
        assert set(entries) <= self.acknowledged | self.unknown | self._before
        assert all(len(amounts) == 2 and sum(amounts) == 0 for amounts in entries.values())
        assert {a: BALANCE + booked[a] for a in range(ACCOUNTS)} == accounts
