"""pgbench over accounts that are sharded by aid."""

import re

import pytest

import programs

ACCOUNTS = 20_000

BY_KEY = """\\set aid random(1, %d)
\\set delta random(-5000, 5000)
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
""" % ACCOUNTS

IN_TRANSACTION = BY_KEY.replace("UPDATE", "BEGIN;\nUPDATE", 1) + "END;\n"


@pytest.fixture(scope="module")
def accounts(cluster):
    """pgbench_accounts as pgbench makes it, sharded, loaded by COPY through the proxy."""
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE pgbench_accounts (aid int NOT NULL PRIMARY KEY, bid int, "
                           "abalance int, filler char(84)) WITH (fillfactor = 100)")
        cluster.admin("CREATE DISTRIBUTION bench COLUMN TYPES integer HASH SHARDS (s1, s2)",
                      "ALTER DISTRIBUTION bench ATTACH TABLE pgbench_accounts DISTRIBUTION KEY aid")
        # What pgbench looks at for the scale.
        connection.execute("CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int)")
        connection.execute("INSERT INTO pgbench_branches VALUES (1, 0)")
        with connection.cursor().copy("COPY pgbench_accounts FROM STDIN") as copy:
            copy.write("".join(f"{aid}\t1\t0\t\n" for aid in range(1, ACCOUNTS + 1)))
    for shard in cluster.shards:
        shard.execute("VACUUM ANALYZE pgbench_accounts", cluster.database)
    counts = cluster.rows_per_shard("pgbench_accounts")
    assert sum(counts.values()) == ACCOUNTS
    assert min(counts.values()) > ACCOUNTS / 3
    yield programs.environment(cluster.proxy.port)
    for shard in cluster.shards:
        shard.execute("TRUNCATE pgbench_accounts", cluster.database)
    cluster.admin("ALTER DISTRIBUTION bench DETACH TABLE pgbench_accounts",
                  "DROP DISTRIBUTION bench")
    for shard in cluster.shards:
        shard.execute("DROP TABLE IF EXISTS pgbench_accounts, pgbench_branches", cluster.database)


def bench(env: dict, *arguments: str, transactions: int = 50, clients: int = 64) -> int:
    done = programs.run("pgbench", ["-n", "-c", str(clients), "-j", "2", "-t", str(transactions),
                                    *arguments], env)
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr and "aborted" not in done.stderr, done.stderr
    number = int(re.search(r"transactions actually processed: (\d+)", done.stdout).group(1))
    assert number == transactions * clients
    return number


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_select_only(accounts, mode, tmp_path):
    script = tmp_path / "select.sql"
    script.write_text("\\set aid random(1, %d)\n"
                      "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n" % ACCOUNTS)
    bench(accounts, "-M", mode, "-f", str(script))


def test_built_in_select_only(accounts):
    """Its keys go beyond our rows: that is no error."""
    bench(accounts, "-S", "-M", "prepared")


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_updates_by_key(cluster, accounts, mode, tmp_path):
    script = tmp_path / "by_key.sql"
    script.write_text(BY_KEY)
    bench(accounts, "-M", mode, "-f", str(script))
    # Every row is on its shard only, as before.
    assert sum(cluster.rows_per_shard("pgbench_accounts").values()) == ACCOUNTS


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_transactions_by_key(accounts, mode, tmp_path):
    script = tmp_path / "transaction.sql"
    script.write_text(IN_TRANSACTION)
    bench(accounts, "-M", mode, "-f", str(script))


def test_money_is_conserved(cluster, accounts, tmp_path):
    """What goes into one balance comes out of the same one: the sum stays."""
    before = balance(cluster)
    script = tmp_path / "there_and_back.sql"
    script.write_text("\\set aid random(1, %d)\nBEGIN;\n"
                      "UPDATE pgbench_accounts SET abalance = abalance + 10 WHERE aid = :aid;\n"
                      "UPDATE pgbench_accounts SET abalance = abalance - 10 WHERE aid = :aid;\n"
                      "END;\n" % ACCOUNTS)
    bench(accounts, "-f", str(script))
    assert balance(cluster) == before


def balance(cluster) -> int:
    return sum(shard.execute("SELECT sum(abalance) FROM pgbench_accounts", cluster.database)[0][0]
               for shard in cluster.shards)


def test_a_new_connection_for_each_transaction(accounts):
    bench(accounts, "-S", "-C", clients=8, transactions=25)
