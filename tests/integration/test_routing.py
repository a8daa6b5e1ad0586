"""Where statements go: EXPLAIN ROUTE, hints, and what PostgreSQL itself says of it."""

import re

import psycopg
import pytest

import wire as w
from statement_files import statements


def shard_of(cluster, key: int, table: str = "kv", column: str = "k") -> str:
    """Where the row really is."""
    found = [shard.name for shard in cluster.shards
             if shard.execute(f"SELECT 1 FROM {table} WHERE {column} = {key}", cluster.database)]
    assert len(found) == 1
    return found[0]


def explain(cluster, statement: str) -> str:
    """The rows of EXPLAIN ROUTE as text."""
    rows = cluster.proxy.admin_rows(f"EXPLAIN ROUTE {statement}")
    return "\n".join(" ".join(f"{name}={value}" for name, value in row.items()) for row in rows)


@pytest.mark.parametrize("key", [1, 2, 3, 4, 5, 6, 7, 8])
def test_explain_route_names_the_shard_of_the_row(cluster, key):
    text = explain(cluster, f"SELECT * FROM kv WHERE k = {key}")
    named = set(re.findall(r"\bs[12]\b", text))
    assert named == {shard_of(cluster, key)}


@pytest.mark.parametrize("sql", statements("one_shard") + statements("several_shards"))
def test_explain_route_never_fails(cluster, sql):
    """It tells the plan, or why the statement is refused; a syntax error is one."""
    if sql.startswith("SELEC "):
        with pytest.raises(psycopg.errors.SyntaxError):
            explain(cluster, sql)
    else:
        assert explain(cluster, sql)


def test_explain_route_tells_of_refusals(cluster):
    assert "refuse" in explain(cluster, "SELECT count(*) FROM kv").lower()


def test_the_default_database_has_no_admin_commands(meridian):
    """An admin command in an ordinary database is an ordinary syntax error."""
    for sql in ("SHOW SHARDS", "CREATE SHARD s9 OPTIONS (HOST 'h:1')", "KILL CLIENT 1", "SHUTDOWN",
                "EXPLAIN ROUTE SELECT 1", "PAUSE", "RELOAD"):
        assert w.sqlstates(meridian.wire().query(sql)) in (["42601"], ["42704"]), sql


class TestHints:
    def test_shard(self, cluster, meridian):
        connection = meridian.wire()
        counts = cluster.rows_per_shard("kv")
        for name, count in counts.items():
            connection.query(f"SET meridian.shard = '{name}'")
            assert connection.rows("SELECT count(*) FROM kv") == [(str(count),)]
            assert connection.rows("SHOW meridian.shard") == [(name,)]
        connection.query("RESET meridian.shard")
        assert w.sqlstates(connection.query("SELECT count(*) FROM kv")) == ["0A000"]

    def test_shard_for_one_transaction(self, cluster, meridian):
        connection = meridian.wire()
        connection.query("BEGIN; SET LOCAL meridian.shard = 's2'")
        expected = cluster.rows_per_shard("kv")["s2"]
        assert connection.rows("SELECT count(*) FROM kv") == [(str(expected),)]
        connection.query("COMMIT")
        assert w.sqlstates(connection.query("SELECT count(*) FROM kv")) == ["0A000"]

    def test_key(self, cluster, meridian):
        connection = meridian.wire()
        for key in (1, 2, 3, 4):
            connection.query(f"SET meridian.distribution_key = '{key}'")
            expected = cluster.rows_per_shard("kv")[shard_of(cluster, key)]
            messages = connection.query("SELECT count(*) FROM kv")
            if w.sqlstates(messages):
                assert w.sqlstates(messages) == ["0A000"]
                continue
            assert [m.values() for m in messages if m.type == "D"] == [[str(expected).encode()]]

    def test_unknown_shard(self, meridian):
        connection = meridian.wire()
        messages = connection.query("SET meridian.shard = 'nowhere'")
        if not w.sqlstates(messages):
            messages = connection.query("SELECT 1")
        assert w.sqlstates(messages) in (["42704"], ["22023"])

    def test_at_login(self, cluster):
        with cluster.connect(options="-c meridian.shard=s2") as connection:
            count = connection.execute("SELECT count(*) FROM kv").fetchone()[0]
        assert count == cluster.rows_per_shard("kv")["s2"]

    @pytest.mark.parametrize("text", [
        "SET meridian.shard = s2", "/* meridian.shard = s2 */", "meridian.shard='s2'",
        "'; SET meridian.shard = 's2'; --"])
    def test_text_in_strings_is_no_hint(self, cluster, meridian, text):
        connection = meridian.wire()
        quoted = text.replace("'", "''")
        for key in (1, 2, 3, 4):
            rows = connection.rows(f"SELECT v FROM kv WHERE k = {key} AND v <> '{quoted}'")
            assert rows == [(f"value {key}",)]

    def test_comments_are_no_hints(self, meridian):
        connection = meridian.wire()
        for key in (1, 2, 3, 4):
            for hint in ("/* meridian.shard = 's2' */", "-- SET meridian.shard = 's1'\n"):
                rows = connection.rows(f"{hint} SELECT v FROM kv WHERE k = {key}")
                assert rows == [(f"value {key}",)]


class TestTransactions:
    def keys_of_two_shards(self, cluster):
        first = 1
        second = next(key for key in range(2, 50) if shard_of(cluster, key) != shard_of(cluster, 1))
        return first, second

    @pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
    def test_writes_on_two_shards_end_together(self, cluster, meridian, fresh, end):
        keys = self.keys_of_two_shards(cluster)
        connection = meridian.wire()
        connection.query("BEGIN")
        for key in keys:
            messages = connection.query(f"UPDATE kv SET v = 'changed' WHERE k = {key}")
            assert (w.tags(messages), messages[-1].status) == (["UPDATE 1"], "T")
        messages = connection.query(end)
        assert (w.tags(messages), messages[-1].status) == ([end], "I")
        for key in keys:
            expected = "changed" if end == "COMMIT" else f"value {key}"
            assert connection.rows(f"SELECT v FROM kv WHERE k = {key}") == [(expected,)]

    def test_one_statement_on_several_shards_is_atomic(self, cluster, meridian, fresh):
        connection = meridian.wire()
        # The last key exists: whichever shard has it, no shard keeps anything.
        rows = ", ".join(f"({key}, 'all or none', 1)" for key in [*range(8001, 8020), 1])
        assert w.sqlstates(connection.query(f"INSERT INTO kv VALUES {rows}")) == ["23505"]
        for shard in cluster.shards:
            assert shard.execute("SELECT k FROM kv WHERE k > 8000", cluster.database) == []
            assert shard.execute("SELECT gid FROM pg_prepared_xacts", cluster.database) == []

    def test_reads_of_two_shards_in_a_transaction_are_right_or_refused(self, cluster, meridian):
        first, second = self.keys_of_two_shards(cluster)
        connection = meridian.wire()
        connection.query("BEGIN")
        assert connection.rows(f"SELECT v FROM kv WHERE k = {first}") == [(f"value {first}",)]
        messages = connection.query(f"SELECT v FROM kv WHERE k = {second}")
        if w.sqlstates(messages) != ["0A000"]:
            assert [m.values() for m in messages if m.type == "D"] == [[f"value {second}".encode()]]
        connection.query("ROLLBACK")


def test_reference_rows_are_on_every_shard(cluster, meridian, fresh):
    connection = meridian.wire()
    assert w.tags(connection.query("INSERT INTO products VALUES (900, 'everywhere', 1)")) == [
        "INSERT 0 1"]
    for shard in cluster.shards:
        assert shard.execute("SELECT name FROM products WHERE product_id = 900",
                             cluster.database) == [("everywhere",)]
    assert w.tags(connection.query("UPDATE products SET price = 2")) == ["UPDATE 51"]


@pytest.mark.parametrize("sql", [
    "INSERT INTO products VALUES (901, 'r', random())",
    "UPDATE products SET price = random() WHERE product_id = 1",
    "INSERT INTO products VALUES (902, gen_random_uuid()::text, 1)",
    "INSERT INTO products VALUES (903, clock_timestamp()::text, 1)",
    "INSERT INTO products VALUES (904, now()::text, 1)",
    "INSERT INTO products SELECT 905, name, 1 FROM customers WHERE customer_id = 1"])
def test_reference_rows_are_the_same_everywhere(cluster, meridian, fresh, sql):
    """Right or refused: never a row that differs from shard to shard."""
    messages = meridian.wire().query(sql)
    assert w.sqlstates(messages) in ([], ["0A000"])
    rows = [sorted(shard.execute("SELECT * FROM products", cluster.database))
            for shard in cluster.shards]
    assert rows[0] == rows[1]


def test_a_view_of_a_sharded_table_is_right_or_refused(cluster, meridian):
    connection = meridian.wire()
    messages = connection.query("CREATE VIEW rich AS SELECT * FROM customers WHERE balance > 1000")
    if w.sqlstates(messages) == ["0A000"]:
        return
    expected = sum(shard.execute("SELECT count(*) FROM customers WHERE balance > 1000",
                                 cluster.database)[0][0] for shard in cluster.shards)
    messages = connection.query("SELECT * FROM rich")
    if w.sqlstates(messages) != ["0A000"]:
        assert len([m for m in messages if m.type == "D"]) == expected
    connection.query("DROP VIEW rich")
