"""Moving key ranges, for tests: asking for moves, waiting for them, and looking whether they have left
anything behind."""

from cluster import process
from cluster.cluster import Cluster

MOVE_SECONDS = 30


def ask(cluster: Cluster, range_name: str, shard: str, options: str = "", proxy=None) -> int:
    """The number of the new move."""
    sql = f"MOVE KEY RANGE {range_name} TO {shard}" + (f" WITH ({options})" if options else "")
    return (proxy or cluster.proxy).admin_rows(sql)[0]["move"]


def show(cluster: Cluster, move: int, proxy=None) -> dict:
    return (proxy or cluster.proxy).admin_rows(f"SHOW MOVE {move}")[0]


def wait_for_phase(cluster: Cluster, move: int, *phases: str, proxy=None) -> dict:
    """Its row when it has come to one of these phases."""
    seen = {}

    def there():
        seen.update(show(cluster, move, proxy))
        return seen["phase"] in phases
    try:
        process.wait_for(there, f"move {move} is {' or '.join(phases)}", MOVE_SECONDS)
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {seen}\n{process.tail(cluster.proxy.log)}") from None
    return seen


def wait_for_end(cluster: Cluster, move: int, proxy=None) -> dict:
    return wait_for_phase(cluster, move, "done", "cancelled", "failed", proxy=proxy)


def do(cluster: Cluster, range_name: str, shard: str, options: str = "") -> dict:
    """Moves it, and gives the row of the move that is done."""
    row = wait_for_end(cluster, ask(cluster, range_name, shard, options))
    assert row["phase"] == "done", row
    return row


def owner(cluster: Cluster, range_name: str, proxy=None) -> str:
    rows = (proxy or cluster.proxy).admin_rows("SHOW KEY RANGES")
    return next(row["shard"] for row in rows if row["key_range"] == range_name)


LEFT = ["SELECT slot_name FROM pg_replication_slots",
        "SELECT pubname FROM pg_publication",
        "SELECT roname FROM pg_replication_origin",
        "SELECT * FROM meridian.replica_identities",
        "SELECT relname FROM pg_class WHERE relname LIKE 'meridian_%move%'",
        "SELECT proname FROM pg_proc WHERE proname LIKE 'meridian_%move%'",
        "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'meridian_%move%'"]


def assert_nothing_left(cluster: Cluster):
    """No slot, publication, origin, fence; no stray rows in the map, no range on the move."""
    for shard in cluster.shards:
        for sql in LEFT:
            assert shard.execute(sql, cluster.database) == [], (shard.name, sql)
    catalog = cluster.shards[0]
    assert catalog.execute("SELECT * FROM meridian.stray_rows", cluster.database) == []
    assert catalog.execute("SELECT * FROM meridian.key_ranges WHERE peer IS NOT NULL",
                           cluster.database) == []


def assert_rows_where_they_belong(cluster: Cluster, table: str, key: str):
    """For a distribution by one column of numbers, without HASH: each row is on the owner of its key."""
    ranges = [row for row in cluster.proxy.admin_rows("SHOW KEY RANGES")]
    for shard in cluster.shards:
        mine = [f"({key} >= {row['lower'] if row['lower'] not in (None, 'MINVALUE') else -2**62} AND "
                f"{key} < {row['upper'] or 2**62})" for row in ranges if row["shard"] == shard.name]
        stray = shard.execute(f"SELECT count(*) FROM {table} WHERE NOT ({' OR '.join(mine) or 'false'})",
                              cluster.database)
        assert stray == [(0,)], (shard.name, table, stray)
