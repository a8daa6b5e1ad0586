"""SET LOCAL, RESET ALL and set_config in transactions over several shards: each server, whenever it joins,
has what one PostgreSQL would have."""

import psycopg
import pytest

from cluster.cluster import CONTROL_PASSWORD, CONTROL_USER, Cluster
from test_routing import shard_of


@pytest.fixture(scope="module")
def shards():
    with Cluster(shards=2, oracle=True) as made:
        for connection in (made.connect(autocommit=True), made.connect_oracle()):
            connection.execute("CREATE TABLE kv (k bigint PRIMARY KEY, v text)")
            connection.close()
        made.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint HASH SHARDS (s1, s2)",
                   "ALTER DISTRIBUTION d ATTACH TABLE kv DISTRIBUTION KEY k")
        for connection in (made.connect(autocommit=True), made.connect_oracle()):
            connection.execute("INSERT INTO kv VALUES " + ", ".join(f"({key}, '')" for key in range(50)))
            connection.close()
        found = {}
        for key in range(50):
            found.setdefault(shard_of(made, key), key)
        made.keys = (found["s1"], found["s2"])
        yield made


ASK = "SELECT current_setting('work_mem'), current_setting('TimeZone'), current_user, length('\\x') FROM kv WHERE k = "

# X and Y stand for asking what the settings are, on the shard of one key and of the other.
SCRIPTS = [
    "BEGIN; X; SET LOCAL work_mem = '9MB'; Y; RESET ALL; X; Y; COMMIT; X; Y",
    "BEGIN; SET LOCAL work_mem = '9MB'; SET LOCAL TimeZone = 'Asia/Tokyo'; RESET ALL; X; Y; ROLLBACK; X; Y",
    "BEGIN; SET LOCAL work_mem = '9MB'; X; RESET ALL; SET LOCAL TimeZone = 'Asia/Tokyo'; Y; X; COMMIT; Y; X",
    "SET work_mem = '5MB'; BEGIN; SET LOCAL work_mem = '9MB'; X; SAVEPOINT s; RESET ALL; Y; ROLLBACK TO s; X; Y; COMMIT; X; Y",
    "SET ROLE app; BEGIN; X; SET LOCAL ROLE clerk; Y; RESET ALL; X; Y; COMMIT; X; Y",
    "SET ROLE clerk; RESET ALL; X; Y; RESET ROLE; X",
    "SET work_mem = '5MB'; BEGIN; SET LOCAL work_mem = '9MB'; X; SAVEPOINT s; SET TimeZone = 'Asia/Tokyo'; Y; ROLLBACK TO s; X; Y; COMMIT; X; Y",
    "SET ROLE app; BEGIN; SET LOCAL ROLE clerk; X; Y; SAVEPOINT s; SET work_mem = '5MB'; ROLLBACK TO s; X; Y; COMMIT; X; Y",
    "BEGIN; SELECT set_config('work_mem', '7MB', true); X; Y; COMMIT; X; Y",
    "BEGIN; X; Y; SELECT set_config('work_mem', '7MB', false); X; Y; ROLLBACK; X; Y",
    "BEGIN; SET LOCAL standard_conforming_strings = off; X; SAVEPOINT s; SET LOCAL \"my.own\" = 'a'; Y; ROLLBACK TO s; X; Y; COMMIT; X; Y",
    "BEGIN; X; SET LOCAL standard_conforming_strings = off; SET LOCAL my.own = 'a''b'; Y; X; COMMIT; X; Y",
]


# By parameters; the second value of each is NULL.
PARAMETERS = [
    "BEGIN; SELECT set_config('work_mem', %s, true); X; Y; COMMIT; X; Y",
    "BEGIN; X; Y; SELECT set_config('work_mem', %s, true); Y; X; ROLLBACK; X; Y",
    "BEGIN; X; SELECT set_config('work_mem', %s::text, true); Y; SAVEPOINT s; SELECT set_config('TimeZone', 'Asia/Tokyo', true); "
    "X; ROLLBACK TO s; Y; X; COMMIT; X; Y",
    "SELECT set_config('work_mem', %s, false); X; Y; BEGIN; X; RESET work_mem; Y; ROLLBACK; X; Y",
    "SET work_mem = '5MB'; BEGIN; Y; SELECT set_config('work_mem', %s, true); X; Y; COMMIT; X; Y"]


def run(connection, script: str, keys: tuple, parameter=()) -> list:
    seen = []
    for statement in script.split("; "):
        sql = {"X": f"{ASK}{keys[0]}", "Y": f"{ASK}{keys[1]}"}.get(statement, statement)
        try:
            cursor = connection.execute(sql, [parameter] if "%s" in sql else None)
            seen.append(cursor.fetchall() if cursor.description else cursor.statusmessage)
        except psycopg.Error as error:
            seen.append(error.sqlstate)
    return seen


@pytest.fixture(scope="module")
def clerk(shards):
    for server in shards.servers():
        server.execute("CREATE ROLE clerk; GRANT clerk TO app")
        server.execute("GRANT SELECT ON kv TO clerk", shards.database)


@pytest.mark.parametrize("script", SCRIPTS)
def test_as_in_one_server(shards, clerk, script):
    with shards.connect(autocommit=True) as ours, shards.connect_oracle() as theirs:
        assert run(ours, script, shards.keys) == run(theirs, script, shards.keys)


@pytest.mark.parametrize("script", PARAMETERS)
@pytest.mark.parametrize("value", ["7MB", "7168", None, "nonsense"])
def test_set_config_by_parameters(shards, clerk, script, value):
    with shards.connect(autocommit=True) as ours, shards.connect_oracle() as theirs:
        assert run(ours, script, shards.keys, value) == run(theirs, script, shards.keys, value)


@pytest.mark.parametrize("call", ["set_config('my.tenant', 'a' || 'b', false)",
                                  "set_config('my.tenant', v, false) FROM kv WHERE k = X"])
def test_what_only_one_shard_knows_keeps_others_out(shards, clerk, call):
    x, y = shards.keys
    with shards.connect(autocommit=True) as connection:
        connection.execute("BEGIN")
        connection.execute("SET LOCAL meridian.shard = 's1'")
        connection.execute("SELECT " + call.replace("X", str(x)))
        connection.execute("RESET meridian.shard")
        assert connection.execute(f"SELECT v FROM kv WHERE k = {x}").fetchone() == ("",)
        for sql in (f"SELECT v FROM kv WHERE k = {y}", f"UPDATE kv SET v = '' WHERE k = {y}", "SELECT k FROM kv",
                    "UPDATE kv SET v = ''"):
            connection.execute("SAVEPOINT s")
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="set_config"):
                connection.execute(sql)
            connection.execute("ROLLBACK TO s")
        connection.execute("COMMIT")
        connection.execute("DISCARD ALL")
        assert len(connection.execute("SELECT k FROM kv").fetchall()) == 50


@pytest.mark.parametrize("script", [
    "BEGIN; SET LOCAL SESSION AUTHORIZATION clerk", "BEGIN; SET LOCAL ROLE app; SET LOCAL SESSION AUTHORIZATION clerk",
    "SET SESSION AUTHORIZATION app; BEGIN; SET LOCAL SESSION AUTHORIZATION clerk",
    "SET SESSION AUTHORIZATION app; SET ROLE clerk; BEGIN; SET LOCAL SESSION AUTHORIZATION other; SET LOCAL ROLE none",
    "SET ROLE clerk; BEGIN; SET LOCAL ROLE app"])
def test_commit_as_another_user(shards, clerk, script):
    """Who prepares must be who commits what is prepared."""
    for shard in shards.shards:
        shard.execute("GRANT ALL ON kv TO clerk, other", shards.database)
    with shards.connect(user=CONTROL_USER, password=CONTROL_PASSWORD, autocommit=True) as connection:
        for statement in script.split("; "):
            connection.execute(statement)
        who = connection.execute(f"SELECT current_user FROM kv WHERE k = {shards.keys[0]}").fetchone()[0]
        for key in shards.keys:
            connection.execute(f"UPDATE kv SET v = current_user WHERE k = {key}")
        connection.execute("COMMIT")
        for key in shards.keys:
            assert connection.execute(f"SELECT v FROM kv WHERE k = {key}").fetchone() == (who,)
    for shard in shards.shards:
        assert shard.execute("SELECT gid FROM pg_prepared_xacts", shards.database) == []
        shard.execute("UPDATE kv SET v = ''", shards.database)


def test_set_config_of_a_list(shards, clerk):
    for connection in (shards.connect(autocommit=True), shards.connect_oracle()):
        connection.execute("SELECT set_config('search_path', 'nowhere, public', false)")
        for key in shards.keys * 2:
            assert connection.execute(f"SELECT current_setting('search_path') FROM kv WHERE k = {key}").fetchone() == (
                "nowhere, public",)
        connection.close()
