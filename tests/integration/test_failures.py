"""What breaks: shards, the catalog, clients. On a cluster of its own, which it breaks."""

import signal
import time

import psycopg
import pytest

import wire as w
from cluster.meridian import Meridian
from cluster.process import wait_for
from conftest import make_shop


@pytest.fixture(scope="module")
def shop(own_cluster):
    own_cluster.proxy.configure({"failover_timeout": "300ms"})
    own_cluster.proxy.reload()
    make_shop(own_cluster)
    return own_cluster


@pytest.fixture(autouse=True)
def _healthy(shop):
    yield
    for shard in shop.shards:
        if not shard.running():
            shard.start()
    wait_for(lambda: all(answers(shop, key) for key in range(1, 9)), "all shards answer again")


def answers(cluster, key: int) -> bool:
    try:
        with cluster.connect() as connection:
            return connection.execute(f"SELECT v FROM kv WHERE k = {key}").fetchall() == [
                (f"value {key}",)]
    except psycopg.Error:
        return False


def key_on(cluster, name: str) -> int:
    return cluster.shard(name).execute("SELECT min(k) FROM kv", cluster.database)[0][0]


def login(cluster, **parameters) -> w.Wire:
    connection = w.Wire("127.0.0.1", cluster.proxy.port)
    connection.login("app", "app", cluster.database, **parameters)
    return connection


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT])
def test_a_shard_dies_in_the_middle_of_a_statement(shop, how):
    key = key_on(shop, "s2")
    connection = login(shop)
    connection.send(w.query(f"SELECT pg_sleep(30) FROM kv WHERE k = {key}"))
    time.sleep(0.3)
    shop.shard("s2").stop(how)
    error = connection.read_until("E")[-1].fields()
    assert error["C"] in ("57P01", "57P02", "08006"), error
    # The other shard serves on, to this client or to a new one.
    assert answers(shop, key_on(shop, "s1"))


def test_statements_for_a_dead_shard_fail_soon_and_clearly(shop):
    key = key_on(shop, "s2")
    shop.shard("s2").stop()
    connection = login(shop)
    start = time.monotonic()
    messages = connection.query(f"SELECT v FROM kv WHERE k = {key}")
    assert time.monotonic() - start < 10
    error = next(m.fields() for m in messages if m.type == "E")
    assert error["C"][:2] in ("08", "57"), error
    assert "s2" in error["M"] + error.get("D", "")
    assert connection.rows(f"SELECT 1 FROM kv WHERE k = {key_on(shop, 's1')}") == [("1",)]


def test_a_shard_dies_in_the_middle_of_copy(shop):
    connection = login(shop)
    connection.send(w.query("COPY kv FROM STDIN"))
    assert connection.read().type == "G"
    rows = "".join(f"{key}\tx\t1\n" for key in range(600_000, 602_000)).encode()
    connection.send(w.copy_data(rows))
    time.sleep(0.2)
    shop.shard("s2").stop(signal.SIGKILL)
    connection.send(w.copy_data(rows.replace(b"60", b"61")), w.COPY_DONE)
    assert connection.read_until("E")[-1].type == "E"
    shop.shard("s2").start()
    wait_for(lambda: answers(shop, key_on(shop, "s2")), "the shard serves again")
    for shard in shop.shards:
        assert shard.execute("SELECT k FROM kv WHERE k > 500000", shop.database) == []


def test_a_write_of_several_shards_while_one_is_dead_writes_nothing(shop):
    shop.shard("s2").stop(signal.SIGKILL)
    connection = login(shop)
    rows = ", ".join(f"({key}, 'x', 1)" for key in range(700_000, 700_020))
    messages = connection.query(f"INSERT INTO kv VALUES {rows}")
    assert len(w.sqlstates(messages)) == 1
    shop.shard("s2").start()
    wait_for(lambda: answers(shop, key_on(shop, "s2")), "the shard serves again")
    for shard in shop.shards:
        assert shard.execute("SELECT k FROM kv WHERE k > 500000", shop.database) == []


def test_clients_survive_a_restart_of_their_shard_when_idle(shop):
    key = key_on(shop, "s2")
    connections = [login(shop) for _ in range(10)]
    for connection in connections:
        connection.rows(f"SELECT v FROM kv WHERE k = {key}")
    shop.shard("s2").stop()
    shop.shard("s2").start()
    wait_for(lambda: answers(shop, key), "the shard serves again")
    for connection in connections:
        assert connection.rows(f"SELECT v FROM kv WHERE k = {key}") == [(f"value {key}",)]


def test_losing_the_catalog_stops_changes_not_traffic(shop):
    """The catalog is on s1: s2 serves on, and s1's return ends the outage."""
    shop.shard("s1").stop()
    key = key_on(shop, "s2")
    assert answers(shop, key)
    with pytest.raises(psycopg.Error) as raised:
        shop.admin("CREATE DISTRIBUTION later COLUMN TYPES bigint HASH")
    assert raised.value.sqlstate
    assert shop.proxy.admin_rows("SHOW SHARDS")
    shop.shard("s1").start()
    wait_for(lambda: answers(shop, key_on(shop, "s1")), "s1 serves again")

    def can_change() -> bool:
        try:
            shop.admin("CREATE DISTRIBUTION later COLUMN TYPES bigint HASH")
            return True
        except psycopg.Error:
            return False
    wait_for(can_change, "the catalog can be changed again")
    shop.admin("DROP DISTRIBUTION later")


def test_a_proxy_that_starts_without_its_catalog_says_so(shop):
    shop.shard("s1").stop()
    proxy = Meridian(shop.directory, "no_catalog", shop.shard("s1"))
    try:
        try:
            proxy.start(serving=False)
        except RuntimeError as error:
            assert "catalog" in str(error)
            return
        with pytest.raises(psycopg.OperationalError):
            proxy.connect()
        shop.shard("s1").start()
        proxy.wait_until_serving()
    finally:
        proxy.stop()


class TestTwoProxies:
    @pytest.fixture(scope="class")
    def second(self, shop):
        proxy = Meridian(shop.directory, "second_proxy", shop.shard("s1"))
        proxy.start()
        yield proxy
        proxy.stop()

    def epoch(self, proxy) -> int:
        return int(next(iter(proxy.admin_rows("SHOW EPOCH")[0].values())))

    def test_they_agree(self, shop, second):
        assert self.epoch(second) == self.epoch(shop.proxy)
        with second.connect() as connection:
            for key in range(1, 20):
                assert connection.execute(f"SELECT v FROM kv WHERE k = {key}").fetchall() == [
                    (f"value {key}",)]

    def test_a_change_reaches_the_other(self, shop, second):
        before = self.epoch(second)
        shop.admin("CREATE DISTRIBUTION shared COLUMN TYPES uuid HASH")
        wait_for(lambda: self.epoch(second) > before, "the other proxy follows", 3)
        assert any(row["distribution"] == "shared"
                   for row in second.admin_rows("SHOW DISTRIBUTIONS"))
        with second.admin() as admin:
            admin.execute("DROP DISTRIBUTION shared")
        wait_for(lambda: self.epoch(shop.proxy) == self.epoch(second), "both agree again", 3)

    def test_changes_by_both_at_once_are_all_kept(self, shop, second):
        before = self.epoch(shop.proxy)
        with shop.proxy.admin() as first_admin, second.admin() as second_admin:
            for number in range(10):
                first_admin.execute(f"CREATE DISTRIBUTION one_{number} COLUMN TYPES bigint HASH")
                second_admin.execute(f"CREATE DISTRIBUTION two_{number} COLUMN TYPES bigint HASH")
        wait_for(lambda: self.epoch(shop.proxy) == self.epoch(second) == before + 20, "both agree", 5)
        with shop.proxy.admin() as admin:
            for number in range(10):
                admin.execute(f"DROP DISTRIBUTION one_{number}")
                admin.execute(f"DROP DISTRIBUTION two_{number}")
