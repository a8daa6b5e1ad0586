"""Key ranges move while clients work: nobody sees it but by some milliseconds in which statements wait."""

import os

import pytest

import moves
from bank import Bank, make_bank
from cluster.cluster import Cluster

# How often ranges move to and fro; the whole of the issue takes minutes.
ROUNDS = int(os.environ.get("MERIDIAN_MOVE_ROUNDS", "4"))
SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}


@pytest.fixture(scope="module")
def bank_cluster():
    with Cluster(shards=2, oracle=False, server_settings=SERVERS) as made:
        make_bank(made)
        yield made


@pytest.mark.slow
def test_a_bank_goes_on(bank_cluster):
    pauses = []
    with Bank(bank_cluster, clients=16, readers=2) as bank:
        for number in range(ROUNDS):
            name = f"r{number % 4}"
            target = {"s1": "s2", "s2": "s1"}[moves.owner(bank_cluster, name)]
            pauses.append(moves.do(bank_cluster, name, target)["pause_ms"])
            assert bank.errors == []
    print("transfers", len(bank.acknowledged), "worst", bank.worst_ms, "pauses", sorted(pauses))
    assert bank.errors == []
    assert len(bank.acknowledged) > 100 and bank.reads > 3
    bank.assert_books()
    moves.assert_nothing_left(bank_cluster)
    for table, key in (("accounts", "id"), ("ledger", "account")):
        moves.assert_rows_where_they_belong(bank_cluster, table, key)
