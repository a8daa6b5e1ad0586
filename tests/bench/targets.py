"""The three ways to PostgreSQL that are compared."""

import os
import pathlib
import subprocess

from cluster import process
from cluster.cluster import Cluster
from cluster.postgres import BINDIR

ROWS = 100_000
POOL_SIZE = 20

_PGBOUNCER_INI = """[databases]
shop = host=127.0.0.1 port={server_port} dbname=shop user=app password=app
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 1000
log_connections = 0
log_disconnections = 0
"""


class Target:
    """`pid` is None where there is no proxy; `modes` are pgbench's that it can do."""

    def __init__(self, name: str, port: int, pid: int | None, modes=("simple", "extended", "prepared")):
        self.name = name
        self.port = port
        self.pid = pid
        self.modes = modes

    def pgbench_command(self, script: pathlib.Path, mode: str, clients: int, *length: str) -> dict:
        """The arguments of subprocess.Popen."""
        env = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "app",
               "PGPASSWORD": "app", "PGDATABASE": "shop"}
        program = [BINDIR / "pgbench", "-n", "-M", mode, "-f", script, "-c", clients,
                   "-D", f"rows={ROWS}", *length]
        return {"args": [str(part) for part in program], "env": env,
                "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}

    def pgbench(self, *arguments) -> str:
        command = self.pgbench_command(*arguments)
        return process.run(command["args"], env=command["env"]).stdout


class PgBouncer:
    """In front of one server; version 1.21 or later is needed for prepared statements."""

    def __init__(self, directory: process.WorkDirectory, server_port: int):
        self.port = process.free_port()
        self._dir = directory.make("pgbouncer")
        (self._dir / "users").write_text('"app" "app"\n')
        prepared = self.version() >= (1, 21)
        ini = _PGBOUNCER_INI.format(server_port=server_port, port=self.port, directory=self._dir,
                                    pool_size=POOL_SIZE)
        (self._dir / "ini").write_text(ini + ("max_prepared_statements = 100\n" if prepared else ""))
        self.modes = ("simple", "extended", "prepared") if prepared else ("simple", "extended")
        with open(self._dir / "log", "wb") as log:
            self._process = subprocess.Popen(process.command(["/usr/sbin/pgbouncer", self._dir / "ini"]),
                                             stdout=log, stderr=log, cwd="/")
        self.pid = self._process.pid

    @staticmethod
    def version() -> tuple:
        text = process.run(["/usr/sbin/pgbouncer", "--version"]).stdout.split()[1]
        return tuple(int(part) for part in text.split(".")[:2])

    def stop(self):
        self._process.kill()
        self._process.wait()


class Targets:
    def __init__(self, workers: int):
        self._cluster = Cluster(shards=2, proxy_settings={"workers": workers, "pool_size": POOL_SIZE})
        self._bouncer = None
        try:
            self._make_accounts()
            oracle = self._cluster.oracle.port
            self._bouncer = PgBouncer(self._cluster.directory, oracle)
            self.all = [Target("direct", oracle, None),
                        Target("pgbouncer", self._bouncer.port, self._bouncer.pid, self._bouncer.modes),
                        Target("meridian", self._cluster.proxy.port, self._cluster.proxy.pid)]
            self.directory = self._cluster.directory.path
        except BaseException:
            self.close()
            raise

    def _make_accounts(self):
        table = "CREATE TABLE accounts (aid int PRIMARY KEY, abalance int, filler char(84))"
        for connect in (self._cluster.connect, self._cluster.connect_oracle):
            with connect() as connection:
                connection.execute(table)
        self._cluster.admin("CREATE DISTRIBUTION d COLUMN TYPES integer HASH SHARDS (s1, s2)",
                            "ALTER DISTRIBUTION d ATTACH TABLE accounts DISTRIBUTION KEY aid")
        rows = "".join(f"{aid}\t0\t\n" for aid in range(1, ROWS + 1))
        for connect in (self._cluster.connect, self._cluster.connect_oracle):
            with connect() as connection:
                with connection.cursor().copy("COPY accounts FROM STDIN") as copy:
                    copy.write(rows)
        for server in self._cluster.servers():
            server.execute("VACUUM ANALYZE accounts", self._cluster.database)

    def close(self):
        if self._bouncer is not None:
            self._bouncer.stop()
        self._cluster.close()
