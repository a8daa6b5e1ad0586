"""One real PostgreSQL server."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

import psycopg

from cluster import process

BINDIR = pathlib.Path(os.environ.get("PG_BINDIR", "/usr/lib/postgresql/15/bin"))

_SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "wal_level": "logical",
    "max_prepared_transactions": "64",
    "max_connections": "300",
    "shared_buffers": "'64MB'",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "logging_collector": "off",
    "log_line_prefix": "'%m [%p] %u@%d '",
    "timezone": "'UTC'",
    "max_wal_size": "'4GB'",
}


class Postgres:
    """Superuser postgres without a password on the unix socket and on 127.0.0.1 (see `hba`)."""

    _template = {}

    def __init__(self, directory: process.WorkDirectory, name: str, settings: dict | None = None,
                 hba: list | None = None):
        self._place(directory, name)
        process.run(process.command(["cp", "-a", self._initdb(directory), self.data]))
        self._settings, self._hba = {**_SETTINGS, **(settings or {})}, hba
        self._configure()

    def replace_by_empty(self):
        """The server is lost with all that it had; another, without anything, takes its place."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.data)
        self._run_initdb(self.data)
        self._configure()
        self.start()

    def _configure(self):
        self._write_settings(self._settings)
        if self._hba is not None:
            (self.data / "pg_hba.conf").write_text("\n".join(self._hba) + "\n")

    def _place(self, directory: process.WorkDirectory, name: str):
        self.name = name
        self.dir = directory.make(name)
        self.data = self.dir / "data"
        self.log = self.dir / "log"
        self.port = process.free_port()
        self._process = None

    @classmethod
    def replica_of(cls, directory: process.WorkDirectory, primary: "Postgres", name: str,
                   settings: dict | None = None) -> "Postgres":
        """A streaming replica, to be started; its primary runs. Its name is its application_name."""
        replica = cls.__new__(cls)
        replica._place(directory, name)
        process.run(process.command(
            [BINDIR / "pg_basebackup", "-D", replica.data, "-h", primary.dir, "-p", primary.port,
             "-U", "postgres", "--no-sync", "--checkpoint=fast", "--write-recovery-conf"]))
        replica._write_settings(settings or {})
        replica.follow(primary)
        return replica

    def follow(self, primary: "Postgres"):
        """At its next start, or reload, it follows this primary."""
        (self.data / "standby.signal").touch()
        process.own(self.data / "standby.signal")
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as file:
            file.write(f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user=postgres "
                       f"application_name={self.name}'\n"
                       "recovery_target_timeline = 'latest'\n")

    @staticmethod
    def _run_initdb(data: pathlib.Path):
        process.run(process.command(
            [BINDIR / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync",
             "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]), cwd="/")

    @classmethod
    def _initdb(cls, directory) -> pathlib.Path:
        if directory.path not in cls._template:
            template = directory.make("template") / "pgdata"
            cls._run_initdb(template)
            cls._template[directory.path] = template
        return cls._template[directory.path]

    def _write_settings(self, settings: dict):
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"port = {self.port}\nunix_socket_directories = '{self.dir}'\n")
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self):
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                process.command([BINDIR / "postgres", "-D", self.data], end_signal="QUIT"),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True)
        try:
            process.wait_for(self._accepts, f"PostgreSQL {self.name} accepts connections")
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{process.tail(self.log)}") from error

    def _accepts(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL {self.name} ended\n{process.tail(self.log)}")
        try:
            self.connect().close()
            return True
        except psycopg.OperationalError:
            return False

    def stop(self, how: signal.Signals = signal.SIGQUIT):
        """SIGINT: fast shutdown, SIGQUIT: immediate; SIGKILL: all its processes, as a crash."""
        if self._process is None:
            return
        children = []
        if how == signal.SIGKILL:
            os.kill(self.pid, signal.SIGSTOP)  # so that it makes no further ones
            children = process.children(self.pid)
        for pid in [self.pid, *children]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        self._process.wait(30)
        self._process = None
        # Their shared memory would keep the server from starting again.
        process.wait_for(lambda: not any(map(process.lives, children)), f"{self.name} is dead")

    def freeze(self):
        """It takes connections and answers nothing, until thaw()."""
        os.kill(self.pid, signal.SIGSTOP)
        for pid in process.children(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in [*process.children(self.pid), self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def connect(self, dbname: str = "postgres", user: str = "postgres", **options):
        return psycopg.connect(host=str(self.dir), port=self.port, dbname=dbname, user=user,
                               autocommit=True, **options)

    def execute(self, sql: str, dbname: str = "postgres"):
        """The rows of the last statement that has any."""
        with self.connect(dbname) as connection:
            cursor = connection.execute(sql)
            rows = []
            while True:
                if cursor.description:
                    rows = cursor.fetchall()
                if not cursor.nextset():
                    return rows

