"""SET LOCAL, RESET ALL and set_config in transactions over several shards: each server, whenever it joins,
has what one PostgreSQL would have."""

import psycopg
import pytest

from cluster.cluster import Cluster
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


def run(connection, script: str, keys: tuple) -> list:
    seen = []
    for statement in script.split("; "):
        sql = {"X": f"{ASK}{keys[0]}", "Y": f"{ASK}{keys[1]}"}.get(statement, statement)
        try:
            cursor = connection.execute(sql)
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
