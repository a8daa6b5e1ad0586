"""A cluster of a bank in which proxies of their own move ranges, with faults at the steps that are written down,
while the clients of another proxy work."""

import pytest

import moves
from bank import Bank, make_bank
from cluster.cluster import Cluster
from cluster.meridian import Meridian

MOVER = {"control": {"mover_lease": "1s"}, "workers": 1}
SERVERS = {"max_prepared_transactions": 64, "max_replication_slots": 10, "max_wal_senders": 10}


class Movers:
    """A cluster whose first proxy serves clients, and two others that move."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.proxies = [Meridian(cluster.directory, f"mover{n}", cluster.shards[0], dict(MOVER),
                                 cluster.database) for n in range(2)]
        for proxy in self.proxies:
            proxy.start()

    def set_fault_points(self, text: str):
        for proxy in self.proxies:
            if proxy.running():
                proxy.set_fault_points(text)

    def restart_dead(self):
        for proxy in self.proxies:
            if not proxy.running():
                proxy.restart()

    def stop(self):
        for proxy in self.proxies:
            proxy.stop()

    def begin(self, point: str, what: str, options: str = "") -> int:
        """Asks for a move of r0 to where it is not, with the fault at this point."""
        self.set_fault_points(f"{point}={what}")
        target = {"s1": "s2", "s2": "s1"}[moves.owner(self.cluster, "r0")]
        return moves.ask(self.cluster, "r0", target, "cutover_timeout '500ms'" + options)


@pytest.fixture(scope="module")
def movers():
    settings = {"control": {"mover_lease": "0"}, "workers": 1}
    with Cluster(shards=2, oracle=False, proxy_settings=settings, server_settings=SERVERS) as cluster:
        make_bank(cluster)
        made = Movers(cluster)
        yield made
        made.stop()


def end(movers: Movers, move: int, bank: Bank) -> dict:
    row = moves.wait_for_end(movers.cluster, move)
    movers.restart_dead()
    assert bank.errors == []
    return row


def check(movers: Movers, row: dict, bank: Bank, point: str):
    bank.assert_books()
    moves.assert_nothing_left(movers.cluster)
    for table, key in (("accounts", "id"), ("ledger", "account")):
        moves.assert_rows_where_they_belong(movers.cluster, table, key)
    where = row["target"] if row["phase"] == "done" else row["source"]
    assert moves.owner(movers.cluster, "r0") == where
    print(f"{point}: {row['phase']}, {row['copies']} copies, {row['cutovers']} cut-overs, "
          f"{len(bank.acknowledged)} transfers")
