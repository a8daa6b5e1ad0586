"""A new shard is lost for good while the first range moves to it: another server takes its place, so that the
move can be cancelled and the shard be dropped (docs/moves.md)."""

import pytest

import moves
from bank import SCHEMA, make_bank
from cluster.cluster import Cluster
from cluster.process import wait_for

SERVERS = {"max_replication_slots": 10, "max_wal_senders": 10}


@pytest.fixture
def bank():
    settings = {"control": {"mover_lease": "1s"}, "workers": 1}
    with Cluster(shards=3, oracle=False, server_settings=SERVERS, proxy_settings=settings) as made:
        made.third = made.shards.pop()
        make_bank(made)
        yield made
        made.shards.append(made.third)


@pytest.mark.slow
@pytest.mark.parametrize("point, phase, reversible", [
    ("move.copied", "copying", "off"), ("move.following", "following", "on"), ("move.fenced", "switching", "on")])
def test_the_target_is_lost_for_good(bank, point, phase, reversible):
    bank.proxy.set_fault_points(f"{point}=pause")
    move = moves.ask(bank, "r0", "s3", f"reversible {reversible}")
    moves.wait_for_phase(bank, move, phase)
    bank.third.replace_by_empty()
    bank.proxy.set_fault_points("")
    with bank.connect() as connection:  # whatever the move waits for
        connection.execute("UPDATE accounts SET note = 'served' WHERE id = 7")
    bank.admin(f"CANCEL MOVE {move}")
    wait_for(lambda: "s3" in (moves.show(bank, move)["message"] or ""), "the move waits for its target")
    bank.create_users_on(bank.third)
    with bank.third.connect(bank.database, "app") as connection:
        connection.execute(SCHEMA)
    moves.wait_for_phase(bank, move, "cancelled")
    moves.assert_nothing_left(bank)
    bank.admin("DROP SHARD s3")
    with bank.connect() as connection:
        assert len(connection.execute("SELECT id FROM accounts").fetchall()) == 400
        assert connection.execute("SELECT note FROM accounts WHERE id = 7").fetchone() == ("served",)
