"""Signals, limits, queues, reload, drain, pausing: what an operator does. Each proxy is the test's own."""

import re
import signal
import subprocess
import threading
import time

import psycopg
import pytest

import wire as w
from cluster import process
from cluster.meridian import BINARY, Meridian
from cluster.process import wait_for


@pytest.fixture
def make_proxy(cluster):
    """Further proxies over the catalog of the session's cluster."""
    made = []

    def make(**settings) -> Meridian:
        proxy = Meridian(cluster.directory, f"proxy_{time.monotonic_ns()}", cluster.shards[0],
                         {"workers": 1, **settings})
        made.append(proxy)
        proxy.start()
        return proxy

    yield make
    for proxy in made:
        proxy.stop()


def login(proxy, **parameters) -> w.Wire:
    connection = w.Wire("127.0.0.1", proxy.port)
    connection.login("app", "app", proxy.database, **parameters)
    return connection


def run_binary(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
    return subprocess.run([str(BINARY), *arguments], input=stdin, text=True, capture_output=True,
                          timeout=20, check=False)


class TestCommandLine:
    def test_version_and_help(self):
        assert run_binary("--version").stdout.startswith("meridian ")
        assert "--config" in run_binary("--help").stdout

    def test_check(self, cluster):
        assert run_binary("--check", "--config", str(cluster.proxy.config)).returncode == 0

    @pytest.mark.parametrize("text,place", [
        ("pool_sise = 3\n", ":1:"), ("\npool_size = 0\n", ":2:"), ("pool_size = \"many\"\n", ":1:"),
        ("pool_size = \n", ":1:"), ("[catalog]\nport = 99999\n", ":2:")])
    def test_wrong_settings_are_refused_with_their_place(self, tmp_path, text, place):
        path = tmp_path / "wrong.toml"
        path.write_text(text)
        done = run_binary("--check", "--config", str(path))
        assert done.returncode != 0
        assert f"wrong.toml{place}" in done.stderr

    def test_unknown_options_are_refused(self):
        assert run_binary("--frobnicate").returncode != 0
        assert run_binary("--config", "/nonexistent/file").returncode != 0

    def test_make_verifier(self):
        done = run_binary("--make-verifier", stdin="secret\n")
        assert done.stdout.startswith("SCRAM-SHA-256$4096:")

    def test_a_port_in_use_is_told(self, cluster, tmp_path):
        other = tmp_path / "same_port.toml"
        other.write_text(cluster.proxy.config.read_text().replace(str(cluster.proxy.metrics_port),
                                                                  str(process.free_port())))
        done = run_binary("--config", str(other))
        assert done.returncode != 0
        assert str(cluster.proxy.port) in done.stderr


class TestSignals:
    def test_sigterm_lets_transactions_end(self, make_proxy):
        proxy = make_proxy()
        busy, idle = login(proxy), login(proxy)
        busy.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        proxy.signal(signal.SIGTERM)
        error = idle.read_until("E")[-1].fields()
        assert (error["S"], error["C"]) == ("FATAL", "57P01")
        assert proxy.running()
        assert busy.rows("SELECT v FROM kv WHERE k = 1") == [("value 1",)]
        assert w.tags(busy.query("COMMIT")) == ["COMMIT"]
        assert proxy.wait(5) == 0

    def test_sigterm_refuses_new_clients(self, make_proxy):
        proxy = make_proxy()
        busy = login(proxy)
        busy.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        proxy.signal(signal.SIGTERM)
        time.sleep(0.2)
        with pytest.raises(psycopg.OperationalError):
            proxy.connect()
        busy.query("COMMIT")
        assert proxy.wait(5) == 0

    def test_drain_timeout_ends_it(self, make_proxy):
        proxy = make_proxy(drain_timeout="500ms")
        busy = login(proxy)
        busy.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        proxy.signal(signal.SIGTERM)
        proxy.wait(5)

    def test_sigint_twice_ends_at_once(self, make_proxy):
        proxy = make_proxy()
        login(proxy).query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        proxy.signal(signal.SIGINT)
        time.sleep(0.2)
        assert proxy.running()
        proxy.signal(signal.SIGINT)
        proxy.wait(2)

    def test_sighup_reloads(self, make_proxy):
        proxy = make_proxy()
        connection = login(proxy)
        proxy.configure({"pool_size": 7})
        proxy.reload()
        wait_for(lambda: setting(proxy, "pool_size") == "7", "the new pool size", 3)
        assert connection.rows("SELECT 1") == [("1",)]

    def test_a_wrong_file_changes_nothing(self, make_proxy):
        proxy = make_proxy()
        proxy.configure({"pool_size": 0})
        proxy.reload()
        time.sleep(0.3)
        assert setting(proxy, "pool_size") == "20"
        assert "pool_size" in process.tail(proxy.log)

    def test_admin_users_are_reloaded(self, make_proxy):
        proxy = make_proxy()
        proxy.configure({"admin.user": [{"name": "root", "password": "new"}]})
        proxy.reload()

        def can_log_in():
            try:
                proxy.connect("root", "new", "meridian").close()
                return True
            except psycopg.OperationalError:
                return False
        wait_for(can_log_in, "the new admin user can log in", 3)
        with pytest.raises(psycopg.OperationalError):
            proxy.admin()


def setting(proxy, name: str) -> str:
    return next(row["value"] for row in proxy.admin_rows("SHOW SETTINGS") if row["name"] == name)


class TestLimits:
    def test_client_connections(self, make_proxy):
        proxy = make_proxy(max_client_connections=5)
        held = [login(proxy) for _ in range(5)]
        with pytest.raises(AssertionError) as raised:
            login(proxy)
        assert raised.value.args[0]["C"] == "53300"
        assert "max_client_connections" in raised.value.args[0]["H"]
        # Who could help comes in nevertheless.
        held[0].send(w.query("SELECT pg_sleep(60)"))
        time.sleep(0.1)
        w.Wire("127.0.0.1", proxy.port).send(held[0].cancel_packet())
        assert w.sqlstates(held[0].read_until("Z")) == ["57014"]
        assert len(proxy.admin_rows("SHOW CLIENTS WHERE user = 'app'")) == 5
        held.pop().close()

        def free():
            try:
                held.append(login(proxy))
                return True
            except (AssertionError, w.Closed):
                return False
        wait_for(free, "a client that leaves makes room", 3)

    def test_pool_is_shared_by_many(self, cluster, make_proxy):
        proxy = make_proxy(pool_size=2)
        errors = []

        def work():
            try:
                connection = login(proxy, application_name="crowd")
                for key in range(1, 30):
                    assert connection.rows(f"SELECT v FROM kv WHERE k = {key}") == [(f"value {key}",)]
            except (AssertionError, w.Closed) as error:
                errors.append(error)
        threads = [threading.Thread(target=work) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        pools = proxy.admin_rows("SHOW SERVERS")
        assert len([row for row in pools if row.get("user") == "app"]) <= 4

    def test_queue_timeout(self, make_proxy):
        proxy = make_proxy(pool_size=1, queue_timeout="300ms")
        holders = [login(proxy) for _ in range(1)]
        for holder in holders:
            holder.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        waiting = login(proxy)
        start = time.monotonic()
        messages = waiting.query("SELECT v FROM kv WHERE k = 1")
        assert w.sqlstates(messages) == ["53300"]
        assert 0.2 < time.monotonic() - start < 3
        holders[0].query("COMMIT")
        assert waiting.rows("SELECT v FROM kv WHERE k = 1") == [("value 1",)]

    def test_waiting_clients_are_served_in_turn(self, make_proxy):
        proxy = make_proxy(pool_size=1)
        holder = login(proxy)
        holder.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        waiting = [login(proxy) for _ in range(5)]
        for connection in waiting:
            connection.send(w.query("SELECT v FROM kv WHERE k = 1"))
            time.sleep(0.05)
        holder.query("COMMIT")
        for connection in waiting:
            assert w.types(connection.until_ready()) == "TDCZ"

    def test_cancel_while_waiting(self, make_proxy):
        proxy = make_proxy(pool_size=1)
        holder = login(proxy)
        holder.query("BEGIN; SELECT 1 FROM kv WHERE k = 1")
        waiting = login(proxy)
        waiting.send(w.query("SELECT v FROM kv WHERE k = 1"))
        time.sleep(0.2)
        canceller = w.Wire("127.0.0.1", proxy.port)
        canceller.send(waiting.cancel_packet())
        assert w.sqlstates(waiting.until_ready()) == ["57014"]
        holder.query("COMMIT")

    def test_login_timeout(self, make_proxy):
        proxy = make_proxy(login_timeout="500ms")
        for sent in (b"", b"\0\0\0", w.startup_packet({"user": "app", "database": "shop"})):
            silent = w.Wire("127.0.0.1", proxy.port)
            silent.send(sent)
            silent.raw_socket.settimeout(5)
            try:
                while True:
                    silent.read_bytes(1)
            except w.Closed:
                pass

    def test_client_idle_timeout(self, make_proxy):
        proxy = make_proxy(client_idle_timeout="500ms")
        assert login(proxy).read_until("E")[-1].sqlstate == "57P05"

    def test_message_size(self, make_proxy):
        proxy = make_proxy(max_message_size="64kB")
        connection = login(proxy)
        connection.send(w.query("SELECT '" + "x" * 100_000 + "'"))
        assert connection.read_until("E")[-1].fields()["C"] in ("54000", "08P01")


class TestPoolModes:
    def test_session_mode_keeps_the_connection(self, cluster, make_proxy):
        proxy = make_proxy(pool_mode="session")
        connection = login(proxy)
        pids = {connection.rows("SELECT pg_backend_pid()")[0][0] for _ in range(5)}
        assert len(pids) == 1
        assert {str(connection.pid)} == pids

    def test_session_mode_cleans_up(self, make_proxy):
        proxy = make_proxy(pool_mode="session", pool_size=1)
        first = login(proxy)
        first.query("CREATE TEMP TABLE left_over (x int); SET work_mem = '9MB'")
        first.query("SELECT pg_advisory_lock(77)")
        first.send(w.TERMINATE)
        first.close()
        second = login(proxy)
        assert w.sqlstates(second.query("SELECT * FROM left_over")) == ["42P01"]
        assert second.rows("SHOW work_mem") == [("4MB",)]


class TestPause:
    def test_pause_and_resume(self, make_proxy):
        proxy = make_proxy()
        connection = login(proxy)
        with proxy.admin() as admin:
            admin.execute("PAUSE")
            connection.send(w.query("SELECT v FROM kv WHERE k = 1"))
            connection.raw_socket.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.read()
            admin.execute("RESUME")
        connection.raw_socket.settimeout(10)
        assert w.types(connection.until_ready()) == "TDCZ"

    def test_kill_client(self, make_proxy):
        proxy = make_proxy()
        victim, other = login(proxy, application_name="victim"), login(proxy)
        rows = proxy.admin_rows("SHOW CLIENTS WHERE application_name = 'victim'")
        assert len(rows) == 1
        number = rows[0]["client_id"]
        with proxy.admin() as admin:
            admin.execute(f"KILL CLIENT {number}")
        assert victim.read_until("E")[-1].sqlstate == "57P01"
        assert other.rows("SELECT 1") == [("1",)]

    def test_shutdown(self, make_proxy):
        proxy = make_proxy()
        with proxy.admin() as admin:
            try:
                admin.execute("SHUTDOWN")
            except psycopg.OperationalError:
                pass
        proxy.wait(5)


class TestMetrics:
    def test_endpoint_counts_statements(self, make_proxy):
        proxy = make_proxy()
        connection = login(proxy)
        for _ in range(20):
            connection.rows("SELECT v FROM kv WHERE k = 1")
        text = proxy.metrics()
        assert value(text, "meridian_clients_connected") >= 1
        assert value(text, 'meridian_queries_total{kind="select",outcome="ok"}') >= 20
        assert value(text, "meridian_epoch") > 0
        assert value(text, "meridian_catalog_connected") == 1

    def test_documented_metrics_are_all_there(self, make_proxy):
        text = make_proxy().metrics()
        documented = re.findall(r"^\| `(meridian_\w+)` \|",
                                (process.ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
        missing = [name for name in documented if f"# TYPE {name} " not in text]
        assert documented and not missing

    def test_all_metrics_count(self, make_proxy):
        """Each documented metric moves when what it stands for happens."""
        proxy = make_proxy(pool_size=1, max_client_connections=6, queue_timeout="2s",
                           log={"slow_statement": "20ms"})
        first, second = login(proxy), login(proxy)
        first.rows("SELECT pg_sleep(0.03)")
        for key in range(4):
            first.rows(f"SELECT v FROM kv WHERE k = {key}")
        first.rows("SELECT v FROM kv WHERE k > 0")
        assert w.sqlstates(first.query("SELECT * FROM not_there")) == ["42P01"]
        assert w.sqlstates(first.query("SELECT count(*) FROM kv")) == ["0A000"]
        first.rows("SET extra_float_digits = 0")
        first.rows("LISTEN things")
        assert w.sqlstates(second.query("SELECT 1")) == ["53300"]  # it waits in vain
        waiting = threading.Thread(target=second.rows, args=("SELECT 1",))
        waiting.start()
        time.sleep(0.1)
        first.rows("UNLISTEN *")
        first.query("DISCARD ALL")
        waiting.join()
        second.ask(w.parse("SELECT 1", "one") + w.bind([], "one") + w.execute() + w.SYNC)
        first.rows("BEGIN")
        first.rows("SELECT 1")
        first.rows("COMMIT")
        crowd = []
        with pytest.raises(Exception, match="too many"):
            for _ in range(6):
                crowd.append(login(proxy))
        third = crowd[0]
        third.send(b"\x01\0\0\0\x04")
        third.read_until("E")
        w.Wire("127.0.0.1", proxy.port).send(third.cancel_packet())
        proxy.signal(signal.SIGHUP)
        crowd[1].send(w.query("SELECT pg_sleep(10)"))
        time.sleep(0.1)
        crowd[1].reset()  # and its server's connection is closed
        answers = second.ask(w.bind([], "one") + w.execute() + w.SYNC)
        assert w.types(answers) == "2DCZ", answers
        # Now: gauges, which are counted once a second.
        first.rows("CREATE TEMP TABLE pins (x int)")
        first.send(w.query("SELECT pg_sleep(3)"))
        waiting = threading.Thread(target=second.query, args=("SELECT 1",))
        waiting.start()
        time.sleep(1.2)
        text = proxy.metrics()
        waiting.join()
        documented = re.findall(r"^\| `(meridian_\w+)` \| (counter|gauge|histogram) ",
                                (process.ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
        still = {name for name, kind in documented if total(text, name, kind) == 0}
        # Of what does not happen here. A new metric: have it happen, or name it and test it elsewhere.
        assert still == {"meridian_catalog_errors_total", "meridian_servers_login",
                         "meridian_server_login_failures_total",
                         "meridian_prepared_statements_evicted_total",
                         "meridian_recovered_commits_total", "meridian_recovered_rollbacks_total",
                         "meridian_transactions_in_doubt", "meridian_deadlocks_total",
                         "meridian_failovers_total", "meridian_shards_without_primary",
                         "meridian_without_primary_seconds_total",
                         "meridian_node_reads_total", "meridian_node_lag_seconds",
                         "meridian_node_lag_bytes", "meridian_held_duration_seconds",
                         "meridian_moves_open", "meridian_moves_done_total", "meridian_moves_undone_total",
                         "meridian_move_bytes_total", "meridian_move_changes_total",
                         "meridian_move_rows_total", "meridian_move_lag_bytes", "meridian_move_lag_seconds",
                         "meridian_move_log_kept_bytes", "meridian_moves_throttled", "meridian_cutovers_total",
                         "meridian_cutovers_undone_total", "meridian_cutover_seconds_total"}

    def test_durations_are_of_statements(self, make_proxy):
        """Not of what a client does between them."""
        proxy = make_proxy(log={"slow_statement": "300ms"})
        connection = login(proxy)
        connection.ask(w.parse("SELECT v FROM kv WHERE k = $1", "by_key") + w.SYNC)
        for key in (b"1", b"2"):
            time.sleep(0.35)
            connection.ask(w.bind([key], "by_key") + w.execute() + w.SYNC)
        connection.send(w.bind([b"1"], "by_key") + w.execute() + w.FLUSH)
        connection.read_until("C")
        time.sleep(0.35)
        connection.ask(w.bind([b"1"], "by_key") + w.execute() + w.SYNC)
        text = proxy.metrics()
        assert value(text, 'meridian_query_duration_seconds_count{kind="select"}') == 4
        assert value(text, 'meridian_query_duration_seconds_sum{kind="select"}') < 0.3
        assert value(text, "meridian_slow_statements_total") == 0
        assert value(text, "meridian_transactions_total") == 4

    def test_no_secrets_in_the_log(self, make_proxy):
        proxy = make_proxy(log={"level": "debug", "slow_statement": "1ms"})
        connection = login(proxy)
        connection.query("SELECT pg_sleep(0.05)")
        proxy.admin_rows("SHOW SETTINGS")
        log = proxy.log.read_text()
        assert "pg_sleep" in log
        for secret in ("control secret", "admin secret", "SCRAM-SHA-256$"):
            assert secret not in log


def total(text: str, name: str, kind: str) -> float:
    """Of all series of a metric."""
    name += "_count" if kind == "histogram" else ""
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if re.match(rf"{name}[ {{]", line))


def value(text: str, series: str) -> float:
    for line in text.splitlines():
        if line.startswith(series + " "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"{series} is not exported")
