"""REBALANCE fills a new shard, DRAIN SHARD empties one so that it can be dropped, ISOLATE KEY gives a key a
shard of its own; clients work meanwhile."""

import signal
import time

import psycopg
import pytest

import moves
from bank import Bank, make_bank
from cluster import process
from cluster.cluster import Cluster

SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}
MINUTE = 60


@pytest.fixture(scope="module")
def cluster():
    """Three servers, of which s3 is no shard yet; a table of 60 MB by HASH on s1 and s2, and a bank."""
    with Cluster(shards=3, oracle=False, server_settings=SERVERS,
                 proxy_settings={"control": {"rebalance_interval": "300ms"}}) as made:
        made.admin("DROP SHARD s3")
        with made.connect() as connection:
            connection.execute("CREATE TABLE docs (tenant text, id integer, body text, PRIMARY KEY (tenant, id))")
            connection.execute("CREATE TABLE kinds (kind integer PRIMARY KEY, name text)")
        made.admin("CREATE DISTRIBUTION docs COLUMN TYPES text HASH SHARDS (s1, s2)",
                   "ALTER DISTRIBUTION docs ATTACH TABLE docs DISTRIBUTION KEY tenant",
                   "CREATE REFERENCE TABLE kinds")
        with made.connect() as connection:
            connection.execute("INSERT INTO kinds VALUES (1, 'one')")
        made.third = made.shards.pop()
        make_bank(made)
        body = "repeat(md5((t * 1000 + i)::text), 30)"
        with made.connect() as connection, connection.cursor() as cursor:
            rows = made.shards[0].execute(
                f"SELECT 't' || t, i, {body} FROM generate_series(1, 300) t, generate_series(1, 200) i",
                made.database)
            with cursor.copy("COPY docs FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        yield made
        made.third.stop(signal.SIGKILL)


def ended(cluster) -> bool:
    return cluster.proxy.admin_rows("SHOW MOVES") == []


def wait_for_moves(cluster, rows: list):
    """All of them are done."""
    process.wait_for(lambda: ended(cluster), "all moves have ended", MINUTE)
    for row in rows:
        if row["move"] is not None:
            assert moves.show(cluster, row["move"])["phase"] == "done", str(moves.show(cluster, row["move"]))
    moves.assert_nothing_left(cluster)


def sizes(cluster) -> dict:
    return {shard.name: shard.execute("SELECT count(*) FROM docs", cluster.database)[0][0]
            for shard in cluster.shards}


ROLES = """SELECT rolname, rolcreatedb, rolcanlogin, rolconnlimit, rolpassword, rolvaliduntil,
 (SELECT string_agg(m.roleid::regrole::text || m.admin_option, ',') FROM pg_auth_members m WHERE m.member = a.oid),
 (SELECT string_agg(s.setconfig::text || (s.setdatabase = 0), ',' ORDER BY s.setdatabase) FROM pg_db_role_setting s
  WHERE s.setrole = a.oid)
 FROM pg_authid a WHERE rolname IN ('newcomer', 'Odd team', 'settled') ORDER BY 1"""


def test_a_new_shard_has_the_roles(cluster):
    """With everything that makes them the same; a role that is there is left as it is."""
    first, third = cluster.shards[0], cluster.third
    for shard in cluster.shards:
        for sql in ('CREATE ROLE "Odd team" NOLOGIN CREATEDB', "CREATE ROLE settled CONNECTION LIMIT 3",
                    "CREATE ROLE newcomer LOGIN PASSWORD 'secret' CONNECTION LIMIT 7 VALID UNTIL '2100-01-01'",
                    'GRANT "Odd team" TO newcomer WITH ADMIN OPTION',
                    "ALTER ROLE newcomer SET search_path = 'Some schema', public",
                    "ALTER ROLE newcomer SET my.own = 'it''s \\ so'",
                    f"ALTER ROLE newcomer IN DATABASE {cluster.database} SET work_mem = '7MB'"):
            shard.execute(sql, cluster.database)
    third.execute("CREATE ROLE settled CONNECTION LIMIT 5")
    cluster.admin(f"CREATE SHARD s3 OPTIONS (HOST '{third.address}', DBNAME '{cluster.database}')")
    there, here = third.execute(ROLES, cluster.database), first.execute(ROLES, cluster.database)
    assert there[:2] == here[:2] and there[1][4].startswith("SCRAM-SHA-256$") and len(here) == 3
    assert there[1][6] == '"Odd team"true' and "7MB" in there[1][7] and "it's" in there[1][7], there
    assert there[2][3] == 5
    cluster.admin("DROP SHARD s3")
    for server in [*cluster.shards, third]:
        server.execute('DROP ROLE newcomer, "Odd team", settled', cluster.database)


@pytest.mark.slow
def test_a_new_shard_is_filled_and_drained(cluster):
    third = cluster.third
    with Bank(cluster, clients=4, readers=1) as bank:
        cluster.admin(f"CREATE SHARD s3 OPTIONS (HOST '{third.address}', DBNAME '{cluster.database}')")
        cluster.shards.append(third)
        plan = cluster.proxy.admin_rows("REBALANCE DISTRIBUTION docs DRY RUN")
        assert {row["action"] for row in plan} == {"split", "move"}
        assert all(row["move"] is None for row in plan)
        assert sizes(cluster)["s3"] == 0
        done = cluster.proxy.admin_rows("REBALANCE DISTRIBUTION docs")
        assert [row["range"] for row in done] == [row["range"] for row in plan]
        wait_for_moves(cluster, done)
        filled = sizes(cluster)
        assert sum(filled.values()) == 60_000
        assert min(filled.values()) > 10_000, filled
        assert third.execute("SELECT * FROM kinds", cluster.database) == [(1, "one")]
        assert cluster.proxy.admin_rows("REBALANCE DRY RUN") == []
        drained = cluster.proxy.admin_rows("DRAIN SHARD s3")
        assert {row["from"] for row in drained} == {"s3"}
        wait_for_moves(cluster, drained)
        assert sizes(cluster)["s3"] == 0
        cluster.admin("DROP SHARD s3")
        cluster.shards.remove(third)
        assert sum(sizes(cluster).values()) == 60_000
    assert bank.errors == []
    bank.assert_books()


def rebalancer(cluster) -> dict:
    return cluster.proxy.admin_rows("SHOW REBALANCER")[0]


def wait_for_decision(cluster, text: str) -> str:
    process.wait_for(lambda: text in (rebalancer(cluster)["decision"] or ""), text)
    return rebalancer(cluster)["decision"]


@pytest.mark.slow
def test_the_automatic_balancer(cluster):
    """All that is on s2 goes to s1; then the balancer brings the half of it back, for as long as it is on."""
    assert rebalancer(cluster)["mode"] == "off" and rebalancer(cluster)["looked_at"] is None
    wait_for_moves(cluster, cluster.proxy.admin_rows("DRAIN SHARD s2"))
    assert sizes(cluster)["s2"] == 0
    cluster.admin("SET REBALANCER DRY RUN")
    assert "s1 has" in wait_for_decision(cluster, "would move")
    assert sizes(cluster)["s2"] == 0 and ended(cluster)
    cluster.admin("SET REBALANCER ON")
    wait_for_decision(cluster, "nothing to do")
    cluster.admin("SET REBALANCER OFF")
    process.wait_for(lambda: ended(cluster), "all moves have ended", MINUTE)
    assert min(sizes(cluster).values()) > 20_000, sizes(cluster)
    moves.assert_nothing_left(cluster)
    looked = rebalancer(cluster)["looked_at"]
    time.sleep(1)
    assert rebalancer(cluster)["looked_at"] == looked


def test_one_key_alone(cluster):
    with cluster.connect() as connection:
        shards = {shard: shard.execute("SELECT count(*) FROM docs WHERE tenant = 't7'", cluster.database)[0][0]
                  for shard in cluster.shards}
        here = next(shard for shard, count in shards.items() if count)
        there = next(shard for shard, count in shards.items() if not count)
        before = sizes(cluster)
        rows = cluster.proxy.admin_rows(f"ISOLATE KEY 't7' IN DISTRIBUTION docs TO {there.name}")
        wait_for_moves(cluster, rows)
        assert sizes(cluster) == {here.name: before[here.name] - 200, there.name: before[there.name] + 200}
        assert len(connection.execute("SELECT id FROM docs WHERE tenant = 't7'").fetchall()) == 200
    # Where it has a range already, nothing is cut.
    ranges = len(cluster.proxy.admin_rows("SHOW KEY RANGES"))
    wait_for_moves(cluster, cluster.proxy.admin_rows(f"ISOLATE KEY 't7' IN DISTRIBUTION docs TO {here.name}"))
    assert len(cluster.proxy.admin_rows("SHOW KEY RANGES")) == ranges
    wait_for_moves(cluster, cluster.proxy.admin_rows("ISOLATE KEY 123 IN DISTRIBUTION bank TO s1"))
    moves.assert_rows_where_they_belong(cluster, "accounts", "id")


REFUSED = [("REBALANCE DISTRIBUTION nowhere", "42704"), ("DRAIN SHARD s9", "42704"),
           ("ISOLATE KEY 1 IN DISTRIBUTION nowhere TO s1", "42704"),
           ("ISOLATE KEY 1 IN DISTRIBUTION bank TO s9", "42704"),
           ("ISOLATE KEY 1, 2 IN DISTRIBUTION bank TO s1", "42601"),
           ("ISOLATE KEY 'x' IN DISTRIBUTION bank TO s1", "22P02"),
           ("ISOLATE KEY 9223372036854775807 IN DISTRIBUTION bank TO s1", "0A000")]


@pytest.mark.parametrize("command, sqlstate", REFUSED)
def test_refusals(cluster, command, sqlstate):
    with pytest.raises(psycopg.Error) as refused:
        cluster.admin(command)
    assert refused.value.sqlstate == sqlstate
