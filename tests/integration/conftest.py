"""What the integration tests share: one cluster for all that leaves it as it was found, and a way
to have a cluster of one's own."""

import faulthandler
import pathlib
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import pytest  # noqa: E402

import data  # noqa: E402
from cluster.cluster import Cluster  # noqa: E402
from oracle import Comparison  # noqa: E402
from wire import Wire  # noqa: E402


# A test that hangs fails, and the run goes on.
TEST_SECONDS_MAX = 60


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    limit = 4 * TEST_SECONDS_MAX if item.get_closest_marker("slow") else TEST_SECONDS_MAX
    if threading.current_thread() is not threading.main_thread():
        # As a worker of xdist may have it, at times: signals are for the main thread, so the whole worker ends.
        faulthandler.dump_traceback_later(limit, exit=True)
        yield
        faulthandler.cancel_dump_traceback_later()
        return

    def expired(*_):
        raise TimeoutError(f"{item.name} takes more than {limit} s")
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(limit)
    yield
    signal.alarm(0)


def make_shop(cluster: Cluster):
    """The schema, the map and the rows of data.py."""
    with cluster.connect_oracle() as connection:
        data.run_file(connection, "schema.sql")
        data.load(connection)
    with cluster.connect() as connection:
        data.run_file(connection, "schema.sql")
    with cluster.proxy.admin() as admin:
        data.run_file(admin, "shard_map.sql")
    with cluster.connect() as connection:
        data.load(connection)


@pytest.fixture(scope="session")
def cluster():
    """Shards s1 and s2, an oracle, a proxy. Tests that stop a part of it, or change settings, use
    own_cluster."""
    with Cluster(shards=2) as made:
        make_shop(made)
        yield made


@pytest.fixture(scope="module")
def own_cluster():
    """A cluster for one module, which may break what it likes; without tables."""
    with Cluster(shards=2) as made:
        yield made


class Server:
    """Meridian or the oracle, for tests that both must pass: PostgreSQL is the specification."""

    def __init__(self, name: str, port: int, database: str):
        self.name = name
        self.port = port
        self.database = database
        self._open = []

    def wire(self, **parameters) -> Wire:
        """A connection that is logged in as app, closed at the end of the test."""
        wire = self.wire_before_login()
        wire.login("app", "app", self.database, **parameters)
        return wire

    def wire_before_login(self) -> Wire:
        wire = Wire("127.0.0.1", self.port)
        self._open.append(wire)
        return wire

    def close(self):
        for wire in self._open:
            wire.close()


def _server(name: str, cluster: Cluster) -> Server:
    port = cluster.oracle.port if name == "postgres" else cluster.proxy.port
    return Server(name, port, cluster.database)


@pytest.fixture(params=["postgres", "meridian"])
def server(request, cluster):
    made = _server(request.param, cluster)
    yield made
    made.close()


@pytest.fixture
def meridian(cluster):
    made = _server("meridian", cluster)
    yield made
    made.close()


@pytest.fixture
def fresh(cluster):
    """For tests that write: the tables of data.py are afterwards as before."""
    yield
    for connect in (cluster.connect, cluster.connect_oracle):
        with connect() as connection:
            connection.execute("TRUNCATE " + ", ".join(data.TABLES[:5]))
            for table in data.TABLES[5:]:
                connection.execute(f"TRUNCATE {table}")
            data.load(connection)


@pytest.fixture
def comparison(cluster):
    """Runs statements on both, see oracle.py."""
    made = Comparison(cluster)
    yield made
    made.close()


def pytest_terminal_summary(terminalreporter):
    refused = Comparison.refused
    terminalreporter.write_line(
        f"oracle: {Comparison.compared} statements compared, {len(refused)} refused (0A000)")
    for statement, reason in refused[:400]:
        terminalreporter.write_line(f"  refused: {statement[:150]} -- {reason}")
