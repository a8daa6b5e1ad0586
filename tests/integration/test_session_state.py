"""Session state over pooled server connections: settings, statements, and what pins a session.
Where `server` is used PostgreSQL passes the same tests."""

import threading
import time

import pytest

import wire as w


def run_all(connection: w.Wire, *statements: str):
    for sql in statements:
        messages = connection.query(sql)
        assert w.sqlstates(messages) == [], (sql, messages)


class TestSettings:
    @pytest.mark.parametrize("name,value,shown", [
        ("search_path", "pg_catalog", "pg_catalog"), ("DateStyle", "'German'", "German, DMY"),
        ("TimeZone", "'Asia/Tokyo'", "Asia/Tokyo"), ("IntervalStyle", "iso_8601", "iso_8601"),
        ("standard_conforming_strings", "off", "off"), ("client_encoding", "LATIN1", "LATIN1"),
        ("statement_timeout", "'5s'", "5s"), ("default_transaction_read_only", "on", "on"),
        ("default_transaction_isolation", "'serializable'", "serializable"),
        ("application_name", "'mine'", "mine"), ("my.own", "'x'", "x"),
        ("bytea_output", "escape", "escape"), ("extra_float_digits", "0", "0")])
    def test_set_holds_and_does_not_leak(self, server, name, value, shown):
        connection, other = server.wire(), server.wire()
        before = other.rows("SHOW work_mem") and (
            other.rows(f"SHOW {name}") if "." not in name else None)
        run_all(connection, f"SET {name} = {value}")
        for _ in range(5):
            assert connection.rows(f"SHOW {name}") == [(shown,)]
            if before is not None:
                assert other.rows(f"SHOW {name}") == before
            else:
                assert w.sqlstates(other.query(f"SHOW {name}")) in (["42704"], [])

    def test_session_characteristics(self, server):
        """JDBC's setTransactionIsolation and setReadOnly."""
        connection = server.wire()
        run_all(connection, "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL "
                            "REPEATABLE READ, READ ONLY")
        for key in (1, 2, 3, 4):
            assert w.sqlstates(connection.query(f"DELETE FROM kv WHERE k = {key}")) == ["25006"]
            run_all(connection, "BEGIN")
            assert connection.rows(f"SELECT current_setting('transaction_isolation') FROM kv "
                                   f"WHERE k = {key}") == [("repeatable read",)]
            run_all(connection, "COMMIT")
        run_all(connection, "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
        run_all(connection, "UPDATE kv SET v = v WHERE k = 1")
        assert server.wire().rows("SHOW default_transaction_isolation") == [("read committed",)]

    def test_strings_as_the_role_reads_them(self, cluster, meridian):
        """standard_conforming_strings may be off by ALTER ROLE: then a backslash escapes."""
        (verifier,) = cluster.shards[0].execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")[0]
        for shard in cluster.shards:
            shard.execute(f"CREATE ROLE loose LOGIN PASSWORD '{verifier}'; "
                          "ALTER ROLE loose SET standard_conforming_strings = off")
            shard.execute("GRANT SELECT ON kv TO loose", cluster.database)
        try:
            cluster.proxy.wait_until_serving("loose", "app")
            connection = meridian.wire_before_login()
            connection.login("loose", "app", cluster.database)
            for key in (1, 2, 3, 4):
                assert connection.rows(f"SELECT v FROM kv WHERE v <> 'it\\'s or k = 5' AND k = {key}"
                                       ) == [(f"value {key}",)]
        finally:
            for shard in cluster.shards:
                shard.execute("REVOKE SELECT ON kv FROM loose", cluster.database)
                shard.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              "WHERE usename = 'loose'")
                shard.execute("DROP ROLE loose")

    def test_search_path_of_what_was_written_before(self, server):
        """Names are looked up when a statement is run, not when it was prepared or sent."""
        connection = server.wire()
        run_all(connection, "PREPARE by_sql AS SELECT v FROM kv WHERE k = 1")
        connection.ask(w.parse("SELECT v FROM kv WHERE k = 2", "by_protocol"), w.SYNC)

        def by_protocol():
            return connection.ask(w.bind(statement="by_protocol"), w.execute(), w.SYNC)

        messages = connection.query("SET search_path = pg_catalog; SELECT v FROM kv WHERE k = 1")
        assert w.sqlstates(messages) == ["42P01"]  # and the SET is undone
        assert connection.rows("EXECUTE by_sql") == [("value 1",)]
        run_all(connection, "SET search_path = pg_catalog")
        assert w.sqlstates(connection.query("EXECUTE by_sql")) == ["42P01"]
        assert w.sqlstates(by_protocol()) == ["42P01"]
        messages = connection.query("RESET search_path; SELECT v FROM kv WHERE k = 3")
        assert [m.values() for m in messages if m.type == "D"] == [[b"value 3"]]
        assert connection.rows("EXECUTE by_sql") == [("value 1",)]
        assert by_protocol()[1].values() == [b"value 2"]

        first, second = server.wire(), server.wire()
        run_all(first, "CREATE SCHEMA IF NOT EXISTS side",
                "CREATE TABLE IF NOT EXISTS side.only_here (x int)", "SET search_path = side")
        for _ in range(5):
            assert first.rows("SELECT * FROM only_here") == []
            assert w.sqlstates(second.query("SELECT * FROM only_here")) == ["42P01"]
        run_all(first, "DROP SCHEMA side CASCADE")

    def test_prepared_statement_and_search_path(self, server):
        connection = server.wire()
        run_all(connection, "CREATE SCHEMA IF NOT EXISTS side",
                "CREATE TABLE IF NOT EXISTS side.notes (id integer, note text)",
                "INSERT INTO side.notes VALUES (1, 'in side')", "SET search_path = side")
        sql = "SELECT note FROM notes WHERE id = 1"
        connection.ask(w.parse(sql, "s"), w.SYNC)
        assert connection.ask(w.bind(statement="s"), w.execute(), w.SYNC)[1].values() == [b"in side"]
        other = server.wire()
        messages = other.ask(w.parse(sql, "s"), w.bind(statement="s"), w.execute(), w.SYNC)
        assert messages[2].values() == [b"note 1"]
        run_all(connection, "DROP SCHEMA side CASCADE")

    def test_reset_gives_the_clients_start_value(self, server):
        connection = server.wire(work_mem="7MB", TimeZone="Asia/Tokyo")
        run_all(connection, "SET work_mem = '9MB'", "SET timezone = 'UTC'", "RESET work_mem")
        assert connection.rows("SHOW work_mem") == [("7MB",)]
        assert connection.rows("SHOW timezone") == [("UTC",)]
        run_all(connection, "RESET ALL")
        assert connection.rows("SHOW timezone") == [("Asia/Tokyo",)]

    def test_set_to_default(self, server):
        connection = server.wire(work_mem="7MB")
        run_all(connection, "SET work_mem = '9MB'", "SET work_mem TO DEFAULT")
        assert connection.rows("SHOW work_mem") == [("7MB",)]

    def test_set_local_ends_with_the_transaction(self, server):
        connection = server.wire()
        run_all(connection, "BEGIN", "SET LOCAL work_mem = '9MB'")
        assert connection.rows("SHOW work_mem") == [("9MB",)]
        run_all(connection, "COMMIT")
        assert connection.rows("SHOW work_mem") == [("4MB",)]

    @pytest.mark.parametrize("end,expected", [("COMMIT", "9MB"), ("ROLLBACK", "4MB")])
    def test_set_in_a_transaction(self, server, end, expected):
        connection = server.wire()
        run_all(connection, "BEGIN", "SET work_mem = '9MB'", "SELECT v FROM kv WHERE k = 1", end)
        for _ in range(3):
            assert connection.rows("SHOW work_mem") == [(expected,)]

    def test_set_rolled_back_to_a_savepoint(self, server):
        connection = server.wire()
        run_all(connection, "BEGIN", "SET work_mem = '8MB'", "SAVEPOINT a", "SET work_mem = '9MB'",
                "ROLLBACK TO a", "COMMIT")
        assert connection.rows("SHOW work_mem") == [("8MB",)]

    def test_set_in_a_failing_multi_statement(self, server):
        connection = server.wire()
        connection.query("SET work_mem = '9MB'; SELECT 1/0")
        assert connection.rows("SHOW work_mem") == [("4MB",)]

    def test_set_config(self, server):
        connection, other = server.wire(), server.wire()
        assert connection.rows("SELECT set_config('work_mem', '9MB', false)") == [("9MB",)]
        for _ in range(5):
            assert connection.rows("SHOW work_mem") == [("9MB",)]
            assert other.rows("SHOW work_mem") == [("4MB",)]

    def test_set_config_local(self, server):
        connection = server.wire()
        connection.rows("SELECT set_config('work_mem', '9MB', true)")
        assert connection.rows("SHOW work_mem") == [("4MB",)]

    def test_set_by_do_block(self, server):
        connection, other = server.wire(), server.wire()
        run_all(connection, "DO $$ BEGIN SET work_mem = '9MB'; END $$")
        for _ in range(5):
            assert connection.rows("SHOW work_mem") == [("9MB",)]
            assert other.rows("SHOW work_mem") == [("4MB",)]

    def test_set_by_the_extended_protocol(self, server):
        connection = server.wire()
        connection.ask(w.parse("SET work_mem = '9MB'"), w.bind(), w.execute(), w.SYNC)
        assert connection.rows("SHOW work_mem") == [("9MB",)]

    @pytest.mark.parametrize("sql,sqlstate", [
        ("SET work_mem = 'much'", "22023"), ("SET no_such_setting = 1", "42704"),
        ("SET client_encoding = 'nope'", "22023"), ("SET shared_buffers = '1GB'", "55P02"),
        ("SHOW no_such_setting", "42704"), ("RESET no_such_setting", "42704")])
    def test_wrong_settings(self, server, sql, sqlstate):
        connection = server.wire()
        assert w.sqlstates(connection.query(sql)) == [sqlstate]
        assert connection.rows("SELECT 1") == [("1",)]

    def test_set_role(self, cluster, server):
        connection = server.wire()
        messages = connection.query("SET ROLE pg_read_all_data")
        assert w.sqlstates(messages) == ["42501"]
        run_all(connection, "SET ROLE app", "RESET ROLE")
        assert connection.rows("SELECT current_user") == [("app",)]

    def test_session_authorization(self, server):
        connection = server.wire()
        run_all(connection, "SET SESSION AUTHORIZATION app")
        assert connection.rows("SELECT session_user, current_user") == [("app", "app")]
        assert w.sqlstates(connection.query("SET SESSION AUTHORIZATION postgres")) == ["42501"]

    def test_time_zone_syntax(self, server):
        connection = server.wire()
        run_all(connection, "SET TIME ZONE 'Asia/Tokyo'")
        assert connection.rows("SHOW timezone") == [("Asia/Tokyo",)]
        run_all(connection, "SET TIME ZONE DEFAULT", "SET NAMES 'LATIN1'")
        assert connection.rows("SHOW client_encoding") == [("LATIN1",)]

    def test_session_characteristics(self, server):
        connection = server.wire()
        run_all(connection, "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                "BEGIN")
        assert connection.rows("SHOW transaction_isolation") == [("serializable",)]

    def test_default_read_only(self, server):
        connection = server.wire()
        run_all(connection, "SET default_transaction_read_only = on")
        assert w.sqlstates(connection.query("UPDATE kv SET n = 1 WHERE k = 1")) == ["25006"]

    def test_parameter_status_of_set(self, server):
        connection = server.wire()
        for value in ("Asia/Tokyo", "UTC", "Asia/Tokyo"):
            connection.send(w.query(f"SET timezone = '{value}'"))
            told = [m.body for m in connection.read_until("Z") if m.type == "S"]
            assert told == [b"TimeZone\0" + value.encode() + b"\0"]

    def test_restored_settings_are_not_told_again(self, meridian):
        first, second = meridian.wire(TimeZone="Asia/Tokyo"), meridian.wire(TimeZone="Europe/Rome")
        for _ in range(5):
            for connection in (first, second):
                connection.send(w.query("SELECT v FROM kv WHERE k = 1"))
                assert w.types(connection.read_until("Z")) == "TDCZ"

    def test_standard_conforming_strings_change_the_key(self, server):
        connection = server.wire()
        run_all(connection, "SET standard_conforming_strings = off",
                "SET escape_string_warning = off")
        rows = connection.rows(r"SELECT v FROM by_text WHERE code = 'quote\'s'")
        assert rows == [("8",)]


class TestDiscard:
    def prepare(self, connection):
        connection.ask(w.parse("SELECT 1", "protocol"), w.SYNC)
        run_all(connection, "PREPARE by_sql AS SELECT 2", "SET work_mem = '9MB'")

    def gone(self, connection):
        assert w.sqlstates(connection.ask(w.bind(statement="protocol"), w.SYNC)) == ["26000"]
        assert w.sqlstates(connection.query("EXECUTE by_sql")) == ["26000"]

    @pytest.mark.parametrize("sql", ["DISCARD ALL", "DEALLOCATE ALL", "DEALLOCATE PREPARE ALL"])
    def test_simple(self, server, sql):
        connection = server.wire()
        self.prepare(connection)
        run_all(connection, sql)
        self.gone(connection)
        expected = "4MB" if sql.startswith("DISCARD") else "9MB"
        assert connection.rows("SHOW work_mem") == [(expected,)]

    @pytest.mark.parametrize("sql", ["DISCARD ALL", "DEALLOCATE ALL"])
    def test_extended(self, server, sql):
        connection = server.wire()
        self.prepare(connection)
        connection.ask(w.parse(sql), w.bind(), w.execute(), w.SYNC)
        self.gone(connection)

    def test_deallocate_all_within_a_string(self, server):
        connection = server.wire()
        self.prepare(connection)
        messages = connection.query("SELECT 1; DEALLOCATE ALL; SELECT 2")
        assert w.tags(messages) == ["SELECT 1", "DEALLOCATE ALL", "SELECT 1"]
        self.gone(connection)

    def test_discard_of_one_client_leaves_the_others(self, server):
        first, second = server.wire(), server.wire()
        self.prepare(first)
        self.prepare(second)
        run_all(first, "DISCARD ALL")
        assert second.ask(w.bind(statement="protocol"), w.execute(), w.SYNC)[1].values() == [b"1"]
        assert second.rows("EXECUTE by_sql") == [("2",)]

    def test_discard_all_in_a_transaction(self, server):
        connection = server.wire()
        run_all(connection, "BEGIN")
        assert w.sqlstates(connection.query("DISCARD ALL")) == ["25001"]


class TestSqlPrepare:
    def test_execute_and_deallocate(self, server):
        connection = server.wire()
        run_all(connection, "PREPARE get (bigint) AS SELECT v FROM kv WHERE k = $1")
        for key in (1, 2, 3, 4, 5):
            assert connection.rows(f"EXECUTE get({key})") == [(f"value {key}",)]
        run_all(connection, "DEALLOCATE get")
        assert w.sqlstates(connection.query("EXECUTE get(1)")) == ["26000"]

    def test_names_are_shared_with_the_protocol(self, server):
        connection = server.wire()
        run_all(connection, "PREPARE shared AS SELECT v FROM kv WHERE k = 7")
        messages = connection.ask(w.bind(statement="shared"), w.execute(), w.SYNC)
        assert messages[1].values() == [b"value 7"]
        connection.ask(w.parse("SELECT v FROM kv WHERE k = 8", "protocol"), w.SYNC)
        assert connection.rows("EXECUTE protocol") == [("value 8",)]
        run_all(connection, "DEALLOCATE protocol")
        assert w.sqlstates(connection.ask(w.bind(statement="protocol"), w.SYNC)) == ["26000"]

    def test_duplicate_name(self, server):
        connection = server.wire()
        run_all(connection, "PREPARE twice AS SELECT 1")
        assert w.sqlstates(connection.query("PREPARE twice AS SELECT 2")) == ["42P05"]

    def test_two_clients_with_one_name(self, server):
        first, second = server.wire(), server.wire()
        run_all(first, "PREPARE same AS SELECT 'first'")
        run_all(second, "PREPARE same AS SELECT 'second'")
        for _ in range(3):
            assert first.rows("EXECUTE same") == [("first",)]
            assert second.rows("EXECUTE same") == [("second",)]

    def test_wrong_calls(self, server):
        connection = server.wire()
        run_all(connection, "PREPARE get (bigint) AS SELECT v FROM kv WHERE k = $1")
        assert w.sqlstates(connection.query("EXECUTE get")) == ["42601"]
        assert w.sqlstates(connection.query("EXECUTE get(1, 2)")) == ["42601"]
        assert w.sqlstates(connection.query("EXECUTE missing")) == ["26000"]
        assert w.sqlstates(connection.query("DEALLOCATE missing")) == ["26000"]


class TestPinned:
    """What lives in one server connection holds the session to it, and goes with it."""

    def test_temporary_table(self, server):
        connection, other = server.wire(), server.wire()
        run_all(connection, "CREATE TEMP TABLE scratch (x int)", "INSERT INTO scratch VALUES (1)")
        for _ in range(5):
            assert connection.rows("SELECT x FROM scratch") == [("1",)]
            assert w.sqlstates(other.query("SELECT x FROM scratch")) == ["42P01"]
        run_all(connection, "DROP TABLE scratch")

    def test_temporary_table_does_not_outlive_the_client(self, meridian):
        connection = meridian.wire()
        run_all(connection, "CREATE TEMP TABLE scratch (x int)")
        connection.send(w.TERMINATE)
        connection.close()
        for _ in range(10):
            assert w.sqlstates(meridian.wire().query("SELECT x FROM scratch")) == ["42P01"]

    def test_select_into_temp(self, server):
        connection = server.wire()
        run_all(connection, "SELECT 1 AS x INTO TEMP scratch2")
        assert connection.rows("SELECT x FROM scratch2") == [("1",)]

    def test_temporary_table_hides_a_sharded_one(self, server):
        connection, other = server.wire(), server.wire()
        messages = connection.query("CREATE TEMP TABLE kv (k bigint, v text)")
        if server.name == "meridian" and w.sqlstates(messages) == ["0A000"]:
            return
        run_all(connection, "INSERT INTO kv VALUES (1, 'temporary')")
        assert connection.rows("SELECT v FROM kv WHERE k = 1") == [("temporary",)]
        assert other.rows("SELECT v FROM kv WHERE k = 1") == [("value 1",)]

    def test_cursor_with_hold(self, server):
        connection, other = server.wire(), server.wire()
        run_all(connection, "BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT g FROM "
                "generate_series(1, 3) g", "COMMIT")
        for expected in ("1", "2", "3"):
            assert connection.rows("FETCH c") == [(expected,)]
            assert w.sqlstates(other.query("FETCH c")) == ["34000"]
        run_all(connection, "CLOSE c")

    def test_cursor_in_a_transaction(self, server):
        connection = server.wire()
        run_all(connection, "BEGIN", "DECLARE c CURSOR FOR SELECT order_id FROM orders "
                "WHERE customer_id = 3 ORDER BY 1")
        assert connection.rows("FETCH 2 FROM c") == [("1",), ("2",)]
        assert connection.rows("MOVE BACKWARD 1 IN c") == []
        run_all(connection, "COMMIT")
        assert w.sqlstates(connection.query("FETCH c")) == ["34000"]

    def test_session_advisory_lock(self, server):
        first, second = server.wire(), server.wire()
        assert first.rows("SELECT pg_try_advisory_lock(42)") == [("t",)]
        for _ in range(5):
            assert second.rows("SELECT pg_try_advisory_lock(42)") == [("f",)]
        assert first.rows("SELECT pg_advisory_unlock(42)") == [("t",)]
        assert second.rows("SELECT pg_try_advisory_lock(42)") == [("t",)]
        second.rows("SELECT pg_advisory_unlock_all()")

    def test_advisory_lock_goes_with_its_client(self, meridian):
        connection = meridian.wire()
        connection.rows("SELECT pg_advisory_lock(43)")
        connection.reset()
        other = meridian.wire()
        deadline = time.monotonic() + 5
        while other.rows("SELECT pg_try_advisory_lock(43)") != [("t",)]:
            assert time.monotonic() < deadline
        other.rows("SELECT pg_advisory_unlock(43)")

    def test_transaction_advisory_lock(self, server):
        first, second = server.wire(), server.wire()
        run_all(first, "BEGIN")
        assert first.rows("SELECT pg_try_advisory_xact_lock(44)") == [("t",)]
        assert second.rows("SELECT pg_try_advisory_xact_lock(44)") == [("f",)]
        run_all(first, "COMMIT")
        assert second.rows("SELECT pg_try_advisory_xact_lock(44)") == [("t",)]

    def test_listen(self, server):
        listener, sender = server.wire(), server.wire()
        run_all(listener, "LISTEN news")
        run_all(sender, "NOTIFY news, 'hello'")
        message = listener.read()
        assert message.type == "A"
        assert message.body[4:] == b"news\0hello\0"

    def test_listen_rolled_back(self, server):
        listener, sender = server.wire(), server.wire()
        run_all(listener, "BEGIN", "LISTEN news2", "ROLLBACK")
        run_all(sender, "NOTIFY news2")
        listener.send(w.query("SELECT 1"))
        assert "A" not in w.types(listener.read_until("Z"))

    def test_notification_pid_is_the_senders(self, server):
        listener, sender = server.wire(), server.wire()
        run_all(listener, "LISTEN news3")
        assert listener.rows("SELECT pg_backend_pid()")  # whoever listens stays where it is
        run_all(listener, "NOTIFY news3")
        listener.send(w.query("SELECT pg_backend_pid()"))
        messages = listener.read_until("Z")
        del sender
        pid = next(m.values()[0] for m in messages if m.type == "D")
        told = [m for m in messages if m.type == "A"]
        if told:
            assert int.from_bytes(told[0].body[:4], "big") == int(pid)

    def test_unlisten_frees(self, server):
        listener, sender = server.wire(), server.wire()
        run_all(listener, "LISTEN news4", "UNLISTEN *")
        run_all(sender, "NOTIFY news4")
        listener.send(w.query("SELECT 1"))
        assert "A" not in w.types(listener.read_until("Z"))

    def test_currval(self, server):
        connection, other = server.wire(), server.wire()
        run_all(connection, "CREATE SEQUENCE IF NOT EXISTS counter", "BEGIN")
        value = connection.rows("SELECT nextval('counter')")
        for _ in range(5):
            other.rows("SELECT nextval('counter')")
            assert connection.rows("SELECT currval('counter')") == value
            assert connection.rows("SELECT lastval()") == value
        run_all(connection, "COMMIT", "DROP SEQUENCE counter")

    @pytest.mark.parametrize("begin", ["SELECT 1", "BEGIN"])
    @pytest.mark.parametrize("sql", ["SELECT currval('counter2')", "SELECT lastval()",
                                     "SELECT 1; SELECT lastval()", "EXPLAIN ANALYZE SELECT lastval()",
                                     "COPY (SELECT lastval()) TO STDOUT"])
    def test_currval_is_never_another_clients(self, meridian, sql, begin):
        connection, other = meridian.wire(), meridian.wire()
        run_all(connection, "CREATE SEQUENCE IF NOT EXISTS counter2")
        connection.rows("SELECT nextval('counter2')")
        run_all(other, begin)
        assert w.sqlstates(other.query(sql)) == ["0A000"]
        run_all(connection, "DROP SEQUENCE counter2")

    @pytest.fixture
    def numbered(self, server):
        """A local table with a sequence."""
        run_all(server.wire(), "CREATE TABLE numbered (id serial, name text)")
        yield server
        run_all(server.wire(), "DROP TABLE numbered")

    @pytest.mark.parametrize("draw", ["INSERT INTO numbered DEFAULT VALUES",
                                      "SELECT nextval('numbered_id_seq')"])
    @pytest.mark.parametrize("lines", [
        ["BEGIN", "UPDATE numbered SET name = ''", "SELECT {}"],
        ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
         "SELECT 1", "UPDATE numbered SET name = ''", "SELECT {}"],
        ["BEGIN; UPDATE numbered SET name = ''", "SELECT {}"],
        ["UPDATE numbered SET name = ''; SELECT {}"],
        ["CREATE TEMP TABLE pins (x int)", "SELECT {}"],
        ["LISTEN pins", "UPDATE numbered SET name = ''; SELECT {}"]])
    def test_values_of_sequences_stay_with_who_drew_them(self, numbered, draw, lines):
        """Who has drawn nothing reads nothing, where the connection was another's before."""
        for state in ("currval('numbered_id_seq')", "lastval()"):
            for _ in range(4):
                run_all(numbered.wire(), draw, "BEGIN", draw, "COMMIT")
            connection = numbered.wire()
            run_all(connection, *lines[:-1])
            messages = connection.query(lines[-1].format(state))
            assert w.sqlstates(messages) == ["55000"], messages
            connection.close()

    @pytest.mark.parametrize("before", ["SELECT 1", "BEGIN", "LISTEN pins"])
    @pytest.mark.parametrize("reads", ["SELECT currval('numbered_id_seq')", "SELECT lastval()"])
    def test_what_was_just_inserted(self, numbered, before, reads):
        """How programs ask for the key of a row that they have inserted."""
        connection, other = numbered.wire(), numbered.wire()
        run_all(connection, before)
        for name in "abc":
            run_all(other, "INSERT INTO numbered (name) VALUES ('other')")
            rows = connection.rows(f"INSERT INTO numbered (name) VALUES ('{name}'); {reads}")
            assert connection.rows(f"SELECT id FROM numbered WHERE name = '{name}'") == rows
            if before != "SELECT 1":
                assert connection.rows(reads) == rows
        connection.close()

    def test_setseed(self, server):
        connection = server.wire()
        connection.rows("SELECT setseed(0.5)")
        first = [connection.rows("SELECT random()") for _ in range(3)]
        connection.rows("SELECT setseed(0.5)")
        assert [connection.rows("SELECT random()") for _ in range(3)] == first

    def test_many_pinned_sessions_and_others(self, meridian):
        """Sessions that hold a connection leave some to the rest."""
        pinned = [meridian.wire() for _ in range(5)]
        for connection in pinned:
            run_all(connection, "CREATE TEMP TABLE mine (x int)")
        others = [meridian.wire() for _ in range(30)]
        threads = [threading.Thread(target=lambda c=c: [c.rows("SELECT 1") for _ in range(20)])
                   for c in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for connection in pinned:
            assert connection.rows("SELECT * FROM mine") == []
