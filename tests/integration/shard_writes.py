"""Transactions that write on all three shards of a cluster, of every kind that a client can send, for
tests that have something die within their COMMIT; and what became of them."""

import dataclasses

import psycopg

import wire as w
from cluster.cluster import Cluster
from cluster.process import wait_for

SHARDS = ("s1", "s2", "s3")

# Settings of the proxy, so that tests need not wait for it.
FAST_CONTROL = {"catalog_poll_interval": "100ms", "node_check_interval": "100ms",
                "transaction_recovery_interval": "100ms"}

# n: which transaction. Each has one row per shard where there are rows before it.
_TABLES = """
CREATE ROLE clerk ROLE app;
SET ROLE app;
CREATE TABLE balances (k bigint PRIMARY KEY, n int, v int NOT NULL DEFAULT 0);
CREATE TABLE doomed (k bigint PRIMARY KEY, n int);
CREATE TABLE added (k bigint PRIMARY KEY, n int);
CREATE TABLE travels (k bigint PRIMARY KEY, n int, v int NOT NULL DEFAULT 0);
CREATE TABLE shared (n int PRIMARY KEY, v int NOT NULL DEFAULT 0);
CREATE TABLE indexed (k bigint PRIMARY KEY);
CREATE TABLE refused (k bigint PRIMARY KEY);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RAISE EXCEPTION ''refused at the end'' USING ERRCODE = ''23514''; END';
CREATE CONSTRAINT TRIGGER at_the_end AFTER INSERT ON refused DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION refuse();
GRANT ALL ON balances, refused TO clerk;
"""

# Which transactions a shard has.
_DONE = """
SELECT n FROM balances WHERE v = 1
UNION ALL SELECT n FROM added
UNION ALL SELECT n FROM travels WHERE v = 1
UNION ALL SELECT n FROM generate_series(1, (SELECT max(n) FROM shared)) n
          WHERE n NOT IN (SELECT n FROM doomed WHERE n IS NOT NULL)
UNION ALL SELECT n FROM shared WHERE v = 1
UNION ALL SELECT substr(relname, 6)::int FROM pg_class WHERE relname ~ '^made_[0-9]+$'
"""


def _extended(sql: str, *values) -> bytes:
    return w.parse(sql) + w.bind(values) + w.execute() + w.SYNC


class Writes:
    """The tables, and the transactions on them: each with a number of its own, from 1 up to `count`."""

    def __init__(self, cluster: Cluster, count: int):
        self.cluster = cluster
        self._next = 0
        for shard in cluster.shards:
            shard.execute(_TABLES, cluster.database)
        cluster.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2, s3)",
                      *[f"ALTER DISTRIBUTION d ATTACH TABLE {table} DISTRIBUTION KEY k"
                        for table in ("balances", "doomed", "added", "travels", "indexed", "refused")],
                      "CREATE REFERENCE TABLE shared")
        with cluster.connect() as connection:
            with connection.cursor().copy("COPY balances (k) FROM STDIN") as copy:
                copy.write("".join(f"{k}\n" for k in range(count * 8)))
            connection.execute(f"INSERT INTO shared SELECT generate_series(1, {count})")
        self._keys = {shard.name: self._number_rows(shard, count) for shard in cluster.shards}
        self._spare = {shard.name: self._spare_keys(shard, count) for shard in cluster.shards}

    def _number_rows(self, shard, count: int) -> dict:
        rows = shard.execute(
            "UPDATE balances b SET n = o.n FROM "
            "(SELECT k, row_number() OVER (ORDER BY k) AS n FROM balances) o "
            f"WHERE o.k = b.k AND o.n <= {count}; "
            "INSERT INTO doomed SELECT k, n FROM balances WHERE n IS NOT NULL; "
            "INSERT INTO travels SELECT k, n FROM doomed; "
            "CHECKPOINT; "
            "SELECT n, k FROM balances WHERE n IS NOT NULL", self.cluster.database)
        assert len(rows) == count
        return dict(rows)

    def _spare_keys(self, shard, count: int) -> dict:
        """Keys of no row in `travels`, by number."""
        rows = shard.execute("SELECT row_number() OVER (ORDER BY k), k FROM balances WHERE n IS NULL "
                             f"ORDER BY k LIMIT {count}", self.cluster.database)
        assert len(rows) == count
        return dict(rows)

    def new(self, kind: str, refused_by: str | None = None) -> "Write":
        """One of KINDS. `refused_by`: the shard that fails when its part is to be made durable."""
        self._next += 1
        n = self._next
        keys = [self._keys[shard][n] for shard in SHARDS]
        statements = KINDS[kind](n, keys, [self._spare[shard][n] for shard in SHARDS])
        if refused_by is not None:
            insert = w.query(f"INSERT INTO refused VALUES ({self._keys[refused_by][n]})")
            if not set(statements) & set(_BEGINS):
                statements = [w.query("BEGIN"), *statements, w.query("COMMIT")]
            statements.insert(-1, insert)
        return Write(kind, n, statements)

    def done_on(self, shard: str) -> set:
        rows = self.cluster.shard(shard).execute(_DONE, self.cluster.database)
        return {row[0] for row in rows}

    def prepared(self) -> list:
        return [row[0] for shard in self.cluster.shards
                for row in shard.execute("SELECT gid FROM pg_prepared_xacts",
                                         self.cluster.database)]

    def wait_for_recovery(self, names: list | None = None, seconds: float = 20):
        """Of these prepared transactions, or of all."""
        wait_for(lambda: not any(names is None or name in names for name in self.prepared()),
                 "no transaction is prepared any more", seconds)

    def check(self, *writes: "Write"):
        """Asserts that each is as its client was told, and on all shards or on none."""
        done = {shard: self.done_on(shard) for shard in SHARDS}
        for write in writes:
            write.found = [shard for shard in SHARDS if write.n in done[shard]]
        wrong = [str(write) for write in writes if not write.is_right()]
        assert wrong == []


@dataclasses.dataclass
class Write:
    kind: str
    n: int
    statements: list  # the last one commits
    told: str = ""    # "committed", "rolled back", an SQLSTATE, or "closed"
    message: str = ""
    warnings: list = dataclasses.field(default_factory=list)
    found: list = dataclasses.field(default_factory=list)  # shards that have it afterwards
    wire: w.Wire | None = None

    def begin(self, proxy, patience_seconds: float = 30, **parameters):
        """Everything before the message that commits. `parameters`: of the login."""
        self.wire = w.Wire("127.0.0.1", proxy.port)
        self.wire.login("app", "app", proxy.database, **parameters)
        self.wire.raw_socket.settimeout(patience_seconds)
        for statement in self.statements[:-1]:
            self.wire.send(statement)
            messages = self.wire.read_until("Z", "G")
            assert w.sqlstates(messages) == [], messages

    def commit(self):
        self.wire.send(self.statements[-1])

    def finish(self):
        """Waits for the answer. A client that hears nothing is a TimeoutError."""
        messages = []
        try:
            while not messages or messages[-1].type != "Z":
                messages.append(self.wire.read())
            self.told = "rolled back" if w.tags(messages)[-1:] == ["ROLLBACK"] else "committed"
        except w.Closed:
            self.told = "closed"
        for message in messages:
            if message.type == "E":
                self.told = message.sqlstate
                self.message = message.fields()["M"]
            elif message.type == "N":
                self.warnings.append(message.fields()["M"])
        self.wire.close()

    def is_right(self) -> bool:
        if len(self.found) not in (0, len(SHARDS)):
            return False
        if self.told == "committed":
            return self.found != []
        if self.told in ("08007", "closed"):
            return True
        return self.told != "" and self.found == []

    def __str__(self):
        where = ("on some shards only: " + " ".join(self.found) if 0 < len(self.found) < len(SHARDS)
                 else "there" if self.found else "not there")
        return f"{self.kind:18} the client: {self.told:12} afterwards: {where:12} {self.message}"


_BEGINS = (w.query("BEGIN"), _extended("BEGIN"))

# Of transaction n, which has the key keys[i], and spare[i] for a new row, on SHARDS[i]: its messages.
KINDS = {
    "transaction": lambda n, keys, spare: [
        w.query("BEGIN"),
        *[w.query(f"UPDATE balances SET v = 1 WHERE k = {key}") for key in keys],
        w.query("COMMIT")],
    "extended protocol": lambda n, keys, spare: [
        _extended("BEGIN"),
        *[_extended("UPDATE balances SET v = 1 WHERE k = $1", key) for key in keys],
        _extended("COMMIT")],
    "after LISTEN": lambda n, keys, spare: [
        w.query("LISTEN news"), w.query("BEGIN"),
        *[w.query(f"UPDATE balances SET v = 1 WHERE k = {key}") for key in reversed(keys)],
        w.query("COMMIT")],
    "as another role": lambda n, keys, spare: [
        w.query("BEGIN"), w.query("SET LOCAL ROLE clerk"),
        *[w.query(f"UPDATE balances SET v = 1 WHERE k = {key}") for key in keys],
        w.query("COMMIT")],
    "told when decided": lambda n, keys, spare: [
        w.query("SET meridian.commit_returns = 'decided'"),
        w.query(f"UPDATE balances SET v = 1 WHERE n = {n}")],
    "INSERT": lambda n, keys, spare: [
        w.query("INSERT INTO added VALUES " + ", ".join(f"({key}, {n})" for key in keys))],
    "COPY": lambda n, keys, spare: [
        w.query("COPY added FROM STDIN"),
        w.copy_data("".join(f"{key}\t{n}\n" for key in keys).encode()) + w.COPY_DONE],
    "UPDATE": lambda n, keys, spare: [w.query(f"UPDATE balances SET v = 1 WHERE n = {n}")],
    "UPDATE of keys": lambda n, keys, spare: [
        w.query("BEGIN"),
        *[w.query(f"UPDATE travels SET v = 1, k = {spare[(i + 1) % 3]} WHERE k = {keys[i]}") for i in range(3)],
        w.query("COMMIT")],
    "DELETE": lambda n, keys, spare: [w.query(f"DELETE FROM doomed WHERE n = {n}")],
    "reference table": lambda n, keys, spare: [w.query(f"UPDATE shared SET v = 1 WHERE n = {n}")],
    "DDL": lambda n, keys, spare: [w.query(f"CREATE INDEX made_{n} ON indexed (k)")],
}
