"""A cluster of PostgreSQL servers that Patroni manages, with etcd."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import urllib.request

import psycopg

from cluster import process
from cluster.postgres import BINDIR

# How soon a dead leader is replaced: the shortest that Patroni takes.
TTL_SECONDS = 20


class Etcd:
    def __init__(self, directory: process.WorkDirectory):
        self.dir = directory.make("etcd")
        self.port = process.free_port()
        peer = process.free_port()
        with open(self.dir / "log", "ab") as log:
            self._process = subprocess.Popen(
                process.command(
                    ["/usr/bin/etcd", "--data-dir", self.dir / "data", "--name", "etcd",
                     "--listen-client-urls", f"http://127.0.0.1:{self.port}",
                     "--advertise-client-urls", f"http://127.0.0.1:{self.port}",
                     "--listen-peer-urls", f"http://127.0.0.1:{peer}"]),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True)
        process.wait_for(self._healthy, "etcd is healthy")

    def _healthy(self) -> bool:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return json.load(answer)["health"] == "true"
        return False

    def stop(self):
        self._process.kill()
        self._process.wait()


class Member:
    """One Patroni with its PostgreSQL server; superuser postgres, password `postgres`."""

    def __init__(self, directory: process.WorkDirectory, etcd: Etcd, name: str):
        self.name = name
        self.dir = directory.make(name)
        self.port = process.free_port()
        self.rest_port = process.free_port()
        self.log = self.dir / "log"
        self._process = None
        config = {
            "scope": "shop", "name": name, "namespace": "/service/",
            "restapi": {"listen": f"127.0.0.1:{self.rest_port}",
                        "connect_address": f"127.0.0.1:{self.rest_port}"},
            "etcd3": {"host": f"127.0.0.1:{etcd.port}"},
            "bootstrap": {
                "dcs": {"ttl": TTL_SECONDS, "loop_wait": 1, "retry_timeout": 3,
                        "maximum_lag_on_failover": 1 << 20, "synchronous_mode": True,
                        "postgresql": {"use_pg_rewind": True, "parameters": {
                            "wal_level": "logical", "hot_standby": "on", "max_connections": 100,
                            "max_prepared_transactions": 16, "wal_log_hints": "on"}}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"]},
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}", "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self.dir / "data"), "bin_dir": str(BINDIR),
                "pgpass": str(self.dir / "pgpass"),
                "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 scram-sha-256",
                           "host replication all 127.0.0.1/32 scram-sha-256"],
                "authentication": {
                    "superuser": {"username": "postgres", "password": "postgres"},
                    "replication": {"username": "replicator", "password": "replicator"}},
                "parameters": {"unix_socket_directories": str(self.dir), "fsync": "off"}},
        }
        self.config = self.dir / "patroni.yml"
        self.config.write_text(json.dumps(config))  # JSON is YAML
        process.own(self.config)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self):
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                process.command(["/usr/bin/patroni", self.config], end_signal="TERM"), stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True,
                env={**os.environ, "HOME": str(self.dir)})

    def role(self) -> str:
        """As Patroni says: master or replica, if it runs; else empty."""
        with contextlib.suppress(OSError, KeyError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}/patroni",
                                        timeout=2) as answer:
                state = json.load(answer)
                return state["role"] if state["state"] == "running" else ""
        return ""

    def has_synchronous_replica(self) -> bool:
        """Whether Patroni knows one that it may promote without losing anything."""
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}/cluster",
                                        timeout=2) as answer:
                return any(member["role"] == "sync_standby"
                           for member in json.load(answer)["members"])
        return False

    def switch_over(self, candidate: "Member"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.rest_port}/switchover", method="POST",
            data=json.dumps({"leader": self.name, "candidate": candidate.name}).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200, answer.read()

    def execute(self, sql: str, dbname: str = "postgres") -> list:
        with psycopg.connect(host="127.0.0.1", port=self.port, dbname=dbname, user="postgres",
                             password="postgres", autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def kill(self):
        """Patroni and PostgreSQL, as where the machine dies."""
        if self._process is None:
            return
        postmaster = pathlib.Path(self.dir / "data" / "postmaster.pid")
        pids = [self._process.pid]
        with contextlib.suppress(OSError, ValueError):
            pid = int(postmaster.read_text().split()[0])
            pids += [pid, *process.children(pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        process.wait_for(lambda: not any(map(process.lives, pids[1:])), f"{self.name} is dead")
