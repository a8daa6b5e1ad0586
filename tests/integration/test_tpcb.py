"""pgbench's TPC-B over tables that are each sharded by a key of its own: a transaction writes on up to
four shards' servers, and the sums agree at the end, and whenever somebody looks."""

import re

import pytest

import programs
from cluster.cluster import Cluster

TABLES = {"pgbench_accounts": ("aid", "abalance"), "pgbench_tellers": ("tid", "tbalance"),
          "pgbench_branches": ("bid", "bbalance"), "pgbench_history": ("aid", "delta")}

SCALE = 3
# What pgbench's own script does, which would first count the branches: an aggregate over shards.
SCRIPT = f"""\\set aid random(1, {100_000 * SCALE})
\\set bid random(1, {SCALE})
\\set tid random(1, {10 * SCALE})
\\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
  VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
"""


@pytest.fixture(scope="module")
def bank():
    """Initialized by pgbench itself, scale 3: truncate, INSERTs and COPY in one transaction."""
    with Cluster(shards=3, oracle=False) as made:
        env = programs.environment(made.proxy.port)
        # Tables of pgbench's own making; attached while empty.
        programs.output("pgbench", ["-i", "-I", "tp", "-q"], env)
        programs.psql(env, "ALTER TABLE pgbench_history ALTER aid SET NOT NULL")
        for table, (key, _) in TABLES.items():
            made.admin(f"CREATE DISTRIBUTION by_{table} COLUMN TYPES integer HASH",
                       f"ALTER DISTRIBUTION by_{table} ATTACH TABLE {table} DISTRIBUTION KEY {key}")
        programs.output("pgbench", ["-i", "-I", "g", "-s", str(SCALE), "-q"], env)
        yield made, env


def sums(bank) -> dict:
    """By table, over all shards."""
    return {table: sum(shard.execute(f"SELECT coalesce(sum({column}), 0)::int FROM {table}",
                                     bank.database)[0][0] for shard in bank.shards)
            for table, (_, column) in TABLES.items()}


def test_initialized_everywhere(bank):
    cluster, _ = bank
    rows = {table: cluster.rows_per_shard(table) for table in TABLES}
    assert {table: sum(counts.values()) for table, counts in rows.items()} == {
        "pgbench_accounts": 300_000, "pgbench_tellers": 30, "pgbench_branches": 3,
        "pgbench_history": 0}
    assert min(rows["pgbench_accounts"].values()) > 80_000


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_the_sums_agree(bank, mode, tmp_path):
    cluster, env = bank
    script = tmp_path / "tpcb.sql"
    script.write_text(SCRIPT)
    before = cluster.rows_per_shard("pgbench_history")
    done = programs.run("pgbench", ["-n", "-c", "8", "-j", "2", "-t", "40", "-M", mode,
                                    "-f", str(script)], env)
    assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
    assert re.search(r"actually processed: 320/320", done.stdout), done.stdout
    after = sums(cluster)
    assert len(set(after.values())) == 1, after
    assert (sum(cluster.rows_per_shard("pgbench_history").values())
            - sum(before.values())) == 320
