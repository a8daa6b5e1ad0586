"""Shards, an oracle and a proxy, as most tests want them."""

import signal

import psycopg

from cluster import process
from cluster.meridian import CONTROL_PASSWORD, CONTROL_USER, Meridian
from cluster.postgres import Postgres

# Clients prove their password to the proxy, and the proxy to the shards; tests use the socket.
_HBA = ["local all all trust", "host all all 127.0.0.1/32 scram-sha-256",
        "local replication all trust", "host replication all 127.0.0.1/32 trust"]

# The users of tests: name, password, attributes.
USERS = [("app", "app", ""), ("other", "other pass", "")]


class Cluster:
    """Shards s1..sN with database `database`; the catalog is on s1. Each is one node, or one with
    `replicas` streaming replicas, s1r1 and so on."""

    def __init__(self, shards: int = 2, oracle: bool = True, proxy_settings: dict | None = None,
                 server_settings: dict | None = None, database: str = "shop",
                 hba: list | None = None, replicas: int = 0):
        hba = hba or _HBA
        self.replicas = {}
        self.directory = process.WorkDirectory()
        self.database = database
        try:
            self.shards = [Postgres(self.directory, f"s{number + 1}", server_settings, hba)
                           for number in range(shards)]
            self.oracle = (Postgres(self.directory, "oracle", server_settings, hba)
                           if oracle else None)
            self.proxy = Meridian(self.directory, "proxy", self.shards[0], proxy_settings, database)
            for server in self.servers():
                server.start()
            self._create_users()
            for shard in self.shards:
                self.replicas[shard.name] = [self.add_replica(shard, f"{shard.name}r{number + 1}")
                                             for number in range(replicas)]
            self.proxy.start(serving=False)
            self._create_map()
            self.proxy.wait_until_serving()
        except BaseException:
            self.close()
            raise

    def servers(self) -> list:
        return self.shards + ([self.oracle] if self.oracle else [])

    def _create_users(self):
        """The same verifiers everywhere: that is what lets a login pass through to each shard."""
        first = self.shards[0]
        first.execute(f"CREATE ROLE {CONTROL_USER} SUPERUSER LOGIN PASSWORD '{CONTROL_PASSWORD}'")
        for name, password, attributes in USERS:
            first.execute(f"CREATE ROLE {name} LOGIN {attributes} PASSWORD '{password}'")
        first.execute(f"CREATE DATABASE {self.database} OWNER app")
        for server in self.servers()[1:]:
            self.create_users_on(server)

    def create_users_on(self, server: Postgres):
        verifiers = dict(self.shards[0].execute("SELECT rolname, rolpassword FROM pg_authid"))
        for name, _, attributes in [(CONTROL_USER, None, "SUPERUSER"), *USERS]:
            server.execute(f"CREATE ROLE {name} LOGIN {attributes} PASSWORD '{verifiers[name]}'")
        server.execute(f"CREATE DATABASE {self.database} OWNER app")

    def add_replica(self, shard: Postgres, name: str) -> Postgres:
        replica = Postgres.replica_of(self.directory, shard, name)
        replica.start()
        return replica

    def nodes(self, shard: Postgres) -> list:
        return [shard, *self.replicas[shard.name]]

    def _create_map(self):
        for shard in self.shards:
            hosts = ", ".join(f"HOST '{node.address}'" for node in self.nodes(shard))
            self.admin(f"CREATE SHARD {shard.name} OPTIONS ({hosts}, DBNAME '{self.database}')")

    def admin(self, *commands: str):
        with self.proxy.admin() as connection:
            for command in commands:
                connection.execute(command)

    def connect(self, **options):
        """Through the proxy."""
        return self.proxy.connect(**options)

    def connect_oracle(self, **options):
        options.setdefault("autocommit", True)
        return psycopg.connect(host="127.0.0.1", port=self.oracle.port, dbname=self.database,
                               user="app", password="app", **options)

    def shard(self, name: str) -> Postgres:
        return next(shard for shard in self.shards if shard.name == name)

    def rows_per_shard(self, table: str) -> dict:
        return {shard.name: shard.execute(f"SELECT count(*) FROM {table}", self.database)[0][0]
                for shard in self.shards}

    def close(self):
        if hasattr(self, "proxy"):
            self.proxy.stop()
        replicas = [node for nodes in getattr(self, "replicas", {}).values() for node in nodes]
        for server in getattr(self, "shards", []) + replicas + [getattr(self, "oracle", None)]:
            if server is not None:
                server.stop(signal.SIGKILL)
        self.directory.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
