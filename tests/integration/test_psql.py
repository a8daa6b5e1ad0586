"""psql through the proxy gives what it gives directly."""

import os
import pty
import signal
import subprocess
import time

import pytest

import programs


@pytest.fixture
def env(cluster):
    return programs.environment(cluster.proxy.port)


@pytest.fixture
def oracle_env(cluster):
    return programs.environment(cluster.oracle.port)


@pytest.mark.parametrize("command", [
    r"\d", r"\dt", r"\d kv", r"\d+ orders", r"\d order_lines", r"\d products", r"\du",
    r"\di", r"\df", r"\dT", r"\dx", r"\dv", r"\ds", r"\db", r"\dp kv", r"\sf pg_sleep",
    r"\dconfig work_mem", r"\encoding", r"\drds", r"\dC int4"])
def test_introspection_is_as_direct(env, oracle_env, command):
    assert programs.psql(env, command) == programs.psql(oracle_env, command)


@pytest.mark.parametrize("command,expected", [
    (r"\dt+", "order_lines"), (r"\di+", "orders_pkey"), (r"\l", "shop"), (r"\l+", "shop"),
    (r"\conninfo", 'database "shop" as user "app"')])
def test_introspection_of_sizes_and_addresses(env, command, expected):
    assert expected in programs.psql(env, command)


@pytest.mark.parametrize("script", [
    "SELECT k, v FROM kv WHERE k = 3 \\gx",
    "SELECT k, v FROM kv WHERE k = 3 \\gdesc",
    "SELECT 'SELECT 1 AS one', 'SELECT v FROM kv WHERE k = 3' \\gexec",
    "SELECT k AS key, v AS value FROM kv WHERE k = 3 \\gset\n\\echo :key :value",
    "SELECT v FROM kv WHERE k = 3 \\; SELECT v FROM kv WHERE k = 3;",
    "\\set FETCH_COUNT 2\nSELECT order_id FROM orders WHERE customer_id = 3 ORDER BY 1;",
    "\\set AUTOCOMMIT off\nSELECT v FROM kv WHERE k = 3;\nROLLBACK;",
    "\\set ON_ERROR_ROLLBACK on\nBEGIN;\nSELECT 1/0;\nSELECT v FROM kv WHERE k = 3;\nCOMMIT;",
    "SELECT 1/0;\nSELECT missing;\nSELECT 'still here';",
    "\\copy (SELECT * FROM orders WHERE customer_id = 3 ORDER BY order_id) TO STDOUT CSV HEADER",
    "SELECT status, order_id, 1 FROM orders WHERE customer_id = 3 \\crosstabview",
    "DO $$ BEGIN RAISE NOTICE 'seen'; END $$;",
    "\\timing off\nSELECT v FROM kv WHERE k = 3 \\g (format=csv)",
    "\\errverbose\nSELECT v FROM kv WHERE k = 3;",
    "BEGIN;\nDECLARE c CURSOR FOR SELECT order_id FROM orders WHERE customer_id = 3 ORDER BY 1;\n"
    "FETCH ALL c;\nCOMMIT;",
])
def test_scripts_print_the_same(env, oracle_env, script):
    through, direct = (programs.run("psql", ["-X"], e, script) for e in (env, oracle_env))
    assert through.stdout == direct.stdout
    assert through.stderr == direct.stderr


def test_several_commands_are_one_session(env):
    out = programs.psql(env, "CREATE TEMP TABLE t (x int)", "INSERT INTO t VALUES (1)",
                        "SELECT count(*) FROM t", options=["-At", "-q"])
    assert out == "1\n"


def test_single_transaction(env, fresh):
    programs.psql(env, "INSERT INTO notes VALUES (900, 'a')", "INSERT INTO notes VALUES (901, 'b')",
                  options=["-1"])
    assert programs.psql(env, "SELECT count(*) FROM notes WHERE id >= 900",
                         options=["-At"]) == "2\n"


def test_copy_from_and_to_files(env, oracle_env, fresh, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f'{k},"line one\nline two, {k}",{k % 3 or ""}\n'
                            for k in range(400000, 400500)))
    for e in (env, oracle_env):
        programs.psql(e, f"\\copy kv FROM '{rows}' CSV")
    sql = "SELECT k, v, n FROM kv WHERE k IN (400000, 400001, 400002, 400003)"
    through, direct = (sorted(programs.psql(e, sql, options=["-AtX", "-z"]).split("\n"))
                       for e in (env, oracle_env))
    assert through == direct


def test_watch(env):
    _, out, _ = programs.interrupt("psql", ["-X", "-At"], env, after=1.3,
                                   stdin="SELECT v FROM kv WHERE k = 3 \\watch 0.3\n")
    assert out.count("value 3") >= 3


def test_ctrl_c(env):
    status, _, err = programs.interrupt("psql", ["-X", "-c", "SELECT pg_sleep(30)"], env, after=0.7)
    assert "canceling statement due to user request" in err
    assert status != 0


def test_ctrl_c_leaves_a_usable_session(env):
    """At a terminal psql goes on after Ctrl-C."""
    ours, its = pty.openpty()
    process = subprocess.Popen([str(programs.BINDIR / "psql"), "-X", "-At", "-n"], env=env, stdin=its,
                               stdout=its, stderr=its)
    os.close(its)
    os.write(ours, b"SELECT pg_sleep(30);\n")
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    os.write(ours, b"SELECT 'usa' || 'ble';\n\\q\n")
    process.wait(timeout=30)
    out = os.read(ours, 1 << 16)
    os.close(ours)
    assert b"canceling statement" in out
    assert b"usable" in out


def test_unix_socket(cluster):
    env = programs.environment(cluster.proxy.port, PGHOST=str(cluster.proxy.dir))
    assert programs.psql(env, "SELECT v FROM kv WHERE k = 3", options=["-At"]) == "value 3\n"


def test_channel_and_encryption_preferences(env):
    for mode in ("disable", "allow", "prefer"):
        assert programs.psql({**env, "PGSSLMODE": mode, "PGGSSENCMODE": "prefer"}, "SELECT 1",
                             options=["-At"]) == "1\n"


def test_required_encryption_is_told_to_be_missing(env):
    done = programs.run("psql", ["-X", "-c", "SELECT 1"], {**env, "PGSSLMODE": "require"})
    assert done.returncode != 0
    assert "does not support SSL" in done.stderr


def test_wrong_password(env):
    done = programs.run("psql", ["-X", "-c", "SELECT 1"], {**env, "PGPASSWORD": "wrong"})
    assert 'password authentication failed for user "app"' in done.stderr


def test_hint_by_options(cluster, env):
    counts = [int(programs.psql({**env, "PGOPTIONS": f"-c meridian.shard={shard.name}"},
                                "SELECT count(*) FROM kv", options=["-At"]))
              for shard in cluster.shards]
    assert counts == list(cluster.rows_per_shard("kv").values())
    assert sum(counts) == 1000
