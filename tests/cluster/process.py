"""Processes, ports and directories of a test run, that never outlive it."""

import contextlib
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Ports below the kernel's ephemeral range, so that no outgoing connection takes one in between.
_PORTS = range(20000, 32000)

# Waits for the end of its input (the end of the owner), lets the servers die of the same cause
# (see command()), and removes the directory.
_GUARDIAN = """
cat >/dev/null
n=0
while ls "$1"/*/data/postmaster.pid >/dev/null 2>&1 && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
rm -rf "$1"
"""


def free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for(condition, what: str, seconds: float = 20, pause: float = 0.02):
    """The first true value of condition(); TimeoutError naming `what` after the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        time.sleep(pause)


def unprivileged_user() -> str:
    """The user that servers run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def own(path):
    if os.geteuid() == 0:
        user = pwd.getpwnam(unprivileged_user())
        os.chown(path, user.pw_uid, user.pw_gid)


def command(program: list, end_signal: str = "KILL") -> list:
    """The program as the unprivileged user; it gets end_signal when this process dies."""
    prefix = ["setpriv", "--pdeathsig", end_signal]
    if os.geteuid() == 0:
        user = pwd.getpwnam(unprivileged_user())
        prefix += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return prefix + [str(part) for part in program]


def run(program: list, **options) -> subprocess.CompletedProcess:
    """Runs to the end; the exception of a failure carries the program's output."""
    done = subprocess.run([str(part) for part in program], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, program))}: status {done.returncode}\n{done.stdout}")
    return done


def children(pid: int) -> list:
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
        except OSError:  # ended meanwhile
            continue
    return found


def hang(server) -> list:
    """Stops all processes of the server (with a `pid`) without ending them; for go_on()."""
    os.kill(server.pid, signal.SIGSTOP)
    pids = [server.pid, *children(server.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def go_on(pids: list):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def lives(pid: int) -> bool:
    """One that has ended and was not waited for does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def tail(path, size: int = 4000) -> str:
    path = pathlib.Path(path)
    return path.read_text(errors="replace")[-size:] if path.exists() else ""


class WorkDirectory:
    """A temporary directory that a guardian process removes should this process be killed."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="meridian_it_"))
        self.path.chmod(0o755)
        own(self.path)
        self._guardian = subprocess.Popen(
            ["sh", "-c", _GUARDIAN, "guardian", str(self.path)], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def make(self, name: str) -> pathlib.Path:
        path = self.path / name
        path.mkdir()
        own(path)
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        self._guardian.stdin.close()
        self._guardian.wait()
