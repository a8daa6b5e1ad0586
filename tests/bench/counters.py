"""What a process spends: CPU time, system calls, user instructions."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far; the kernel counts in nanoseconds in schedstat."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


class Counted:
    """The result of a counting block, known after its end; None where counting is not possible."""
    value = None


@contextlib.contextmanager
def system_calls(pid: int):
    counted = Counted()
    tracer = subprocess.Popen(["strace", "-f", "-c", "-S", "calls", "-p", str(pid)],
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    _wait_until_attached(pid)
    yield counted
    tracer.send_signal(signal.SIGINT)
    text = tracer.communicate()[1]
    # "100.00    1.234567    12    345678    12 total"
    total = re.search(r"^\s*100\.00\s+\S+\s+\d*\s+(\d+).*total$", text, re.MULTILINE)
    if total:
        counted.value = int(total.group(1))


def _wait_until_attached(pid: int):
    status = pathlib.Path(f"/proc/{pid}/status")
    for _ in range(200):
        if "TracerPid:\t0\n" not in status.read_text():
            return
        time.sleep(0.01)


@contextlib.contextmanager
def user_instructions(pid: int):
    counted = Counted()
    counter = subprocess.Popen(["perf", "stat", "-x", ",", "-e", "instructions:u", "-p", str(pid)],
                               stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                               env={**os.environ, "LC_ALL": "C"})
    yield counted
    counter.send_signal(signal.SIGINT)
    match = re.search(r"^(\d+),", counter.communicate()[1], re.MULTILINE)
    if match:
        counted.value = int(match.group(1))
