"""One proxy process and its configuration file."""

import os
import pathlib
import signal
import socket
import subprocess
import urllib.request

import psycopg

from cluster import process

BINARY = pathlib.Path(os.environ.get("MERIDIAN_BINARY", process.ROOT / "build" / "meridian"))

ADMIN_USER = "admin"
ADMIN_PASSWORD = "admin secret"
CONTROL_USER = "meridian"
CONTROL_PASSWORD = "control secret"


def _toml(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _file_text(settings: dict) -> str:
    """Plain settings first; then a [table] for each dict, a [[table]] for each list of dicts."""
    lines = []
    tables = []
    for name, value in settings.items():
        if isinstance(value, dict):
            tables.append((f"[{name}]", value))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables += [(f"[[{name}]]", item) for item in value]
        else:
            lines.append(f"{name} = {_toml(value)}")
    for header, table in tables:
        lines.append(f"\n{header}")
        lines += [f"{name} = {_toml(value)}" for name, value in table.items()]
    return "\n".join(lines) + "\n"


class Meridian:
    """`settings` are merged over the defaults below; a table is merged key by key."""

    def __init__(self, directory: process.WorkDirectory, name: str, catalog,
                 settings: dict | None = None, database: str = "shop"):
        self.dir = directory.make(name)
        self.config = self.dir / "meridian.toml"
        self.log = self.dir / "log"
        self.port = process.free_port()
        self.metrics_port = process.free_port()
        self.database = database
        self._process = None
        self._settings = {
            "listen_hosts": ["127.0.0.1"],
            "listen_port": self.port,
            "unix_socket_dir": str(self.dir),
            "workers": 2,
            "database": [{"name": database}],
            "catalog": {"host": "127.0.0.1", "port": catalog.port, "dbname": database,
                        "user": CONTROL_USER, "password": CONTROL_PASSWORD},
            "admin.user": [{"name": ADMIN_USER, "password": ADMIN_PASSWORD}],
            "metrics": {"listen": f"127.0.0.1:{self.metrics_port}"},
        }
        self.configure(settings or {})

    def configure(self, settings: dict):
        """Changes the file; reload() or a restart makes it effective."""
        for name, value in settings.items():
            if isinstance(value, dict):
                self._settings.setdefault(name, {}).update(value)
            else:
                self._settings[name] = value
        self.config.write_text(_file_text(self._settings))
        self.config.chmod(0o600)
        process.own(self.config)

    @property
    def pid(self) -> int:
        return self._process.pid

    def launch(self):
        """Starts it without waiting for anything."""
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                process.command([BINARY, "--config", self.config]), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, cwd="/", start_new_session=True)

    def start(self, serving: bool = True):
        """Returns when it accepts connections; with `serving`, when ordinary clients can log in."""
        self.launch()
        try:
            process.wait_for(self._answers, "meridian accepts connections")
            if serving:
                self.wait_until_serving()
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{process.tail(self.log)}") from error

    def wait_until_serving(self, user: str = "app", password: str = "app"):
        def serves():
            try:
                self.connect(user=user, password=password).close()
                return True
            except psycopg.OperationalError:
                return False
        process.wait_for(serves, "clients can log in")

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"meridian ended with {self._process.returncode}\n"
                               f"{process.tail(self.log)}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def signal(self, number: signal.Signals):
        self._process.send_signal(number)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float = 30) -> int:
        return self._process.wait(seconds)

    def stop(self):
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process = None

    def restart(self):
        """Without fault points."""
        self.stop()
        self.configure({"debug": {"fault_points": ""}})
        self.start()

    def reload(self):
        self.signal(signal.SIGHUP)

    def set_fault_points(self, text: str):
        """See metrics/fault_points.h; returns when it is effective. (One that kills may do so before it is logged.)"""
        reloads = self.log_count("configuration reloaded")
        self.configure({"debug": {"fault_points": text}})
        self.reload()
        process.wait_for(lambda: self.log_count("configuration reloaded") > reloads or not self.running(),
                         "the configuration is reloaded")

    def log_count(self, text: str) -> int:
        """How often the log has said so."""
        return self.log.read_text(errors="replace").count(text)

    def connect(self, user: str = "app", password: str = "app", dbname: str | None = None,
                **options):
        options.setdefault("autocommit", True)
        options.setdefault("host", "127.0.0.1")
        return psycopg.connect(port=self.port, user=user, password=password,
                               dbname=dbname or self.database, **options)

    def admin(self, **options):
        return self.connect(ADMIN_USER, ADMIN_PASSWORD, "meridian", **options)

    def admin_rows(self, command: str) -> list:
        """The rows of an admin command as dicts."""
        with self.admin(row_factory=psycopg.rows.dict_row) as connection:
            cursor = connection.execute(command)
            return cursor.fetchall() if cursor.description else []

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics",
                                    timeout=5) as answer:
            return answer.read().decode()

    def memory_kib(self, what: str = "VmRSS") -> int:
        """VmRSS: resident now; VmHWM: the most there ever was since reset_memory_peak()."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1])
        raise KeyError(what)

    def reset_memory_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def cpu_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return len(list(pathlib.Path(f"/proc/{self.pid}/fd").iterdir()))
