"""A shard of a move fails over to its replica in the middle: the slot is gone, the move copies anew, and a
move that could have been reversed can no longer be."""

import signal
import time

import pytest

import moves
from bank import ACCOUNTS, BALANCE, make_bank
from cluster.cluster import Cluster
from cluster.process import wait_for

SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10,
           "synchronous_commit": "on", "wal_sender_timeout": "'2s'"}


@pytest.fixture
def bank():
    """Each shard has a replica with all that was acknowledged. The catalog is on s1."""
    with Cluster(shards=2, oracle=False, replicas=1, server_settings=SERVERS, proxy_settings={"workers": 1}) as made:
        make_bank(made)
        for primary in made.shards:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.execute("SELECT pg_reload_conf()")
            wait_for(lambda primary=primary: primary.execute(
                "SELECT sync_state FROM pg_stat_replication")[0][0] == "sync", "replication is synchronous")
        yield made


def fail_over(cluster: Cluster, name: str):
    replica = cluster.replicas[name][0]
    cluster.shard(name).stop(signal.SIGKILL)
    replica.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
    replica.execute("SELECT pg_promote(true)")
    wait_for(lambda: any(row["port"] == replica.port and row["role"] == "primary"
                         for row in cluster.proxy.admin_rows("SHOW NODES")), "the replica is the primary")


def add_up(cluster: Cluster) -> list:
    """All accounts once, nothing lost."""
    with cluster.connect() as connection:
        connection.execute("SET meridian.read_consistency = 'strong'")
        rows = connection.execute("SELECT id, balance, note FROM accounts").fetchall()
    assert sorted(row[0] for row in rows) == list(range(ACCOUNTS))
    assert sum(row[1] for row in rows) == ACCOUNTS * BALANCE
    return rows


@pytest.mark.slow
def test_the_source_fails_over(bank):
    assert moves.owner(bank, "r1") == "s2"
    bank.proxy.set_fault_points("move.following=pause")
    move = moves.ask(bank, "r1", "s1", "cutover_timeout '1s'")
    moves.wait_for_phase(bank, move, "following")
    with bank.connect() as connection:
        connection.execute("UPDATE accounts SET note = 'before' WHERE id = 150")
    fail_over(bank, "s2")
    with bank.connect() as connection:
        connection.execute("UPDATE accounts SET note = 'after' WHERE id = 151")
    bank.proxy.set_fault_points("")
    row = moves.wait_for_end(bank, move)
    assert row["phase"] == "done" and row["copies"] > 1, row
    notes = {account: note for account, _, note in add_up(bank) if account in (150, 151)}
    assert notes == {150: "before", 151: "after"}
    assert moves.owner(bank, "r1") == "s1"
    new = bank.replicas["s2"][0]
    assert new.execute("SELECT count(*) FROM accounts WHERE id BETWEEN 100 AND 199", bank.database) == [(0,)]
    for sql in moves.LEFT:
        assert new.execute(sql, bank.database) == [], sql


@pytest.mark.slow
def test_the_source_fails_over_behind_the_swap(bank):
    """Its rows are strays there by now; the fence has come with them."""
    bank.proxy.set_fault_points("move.switched=pause")
    move = moves.ask(bank, "r1", "s1")
    moves.wait_for_phase(bank, move, "switched")
    with bank.connect() as connection:
        connection.execute("UPDATE accounts SET note = 'new owner' WHERE id = 150")
    fail_over(bank, "s2")
    add_up(bank)
    bank.proxy.set_fault_points("")
    assert moves.wait_for_end(bank, move)["phase"] == "done"
    assert {note for account, _, note in add_up(bank) if account == 150} == {"new owner"}
    new = bank.replicas["s2"][0]
    assert new.execute("SELECT count(*) FROM accounts WHERE id BETWEEN 100 AND 199", bank.database) == [(0,)]
    for sql in moves.LEFT:
        assert new.execute(sql, bank.database) == [], sql


@pytest.mark.slow
def test_the_target_of_a_reversible_move_fails_over(bank):
    assert moves.owner(bank, "r0") == "s1"
    move = moves.ask(bank, "r0", "s2", "reversible")
    moves.wait_for_phase(bank, move, "reversible")
    with bank.connect() as connection:
        connection.execute("UPDATE accounts SET note = 'there' WHERE id = 50")
    fail_over(bank, "s2")
    wait_for(lambda: "does not exist" in (moves.show(bank, move)["message"] or ""), "it is told that the slot is gone")
    bank.admin(f"REVERSE MOVE {move}")
    time.sleep(1)
    assert moves.owner(bank, "r0") == "s2"
    bank.admin(f"RESUME MOVE {move}", f"FINISH MOVE {move}")
    assert moves.wait_for_phase(bank, move, "done")
    assert {note for account, _, note in add_up(bank) if account == 50} == {"there"}
