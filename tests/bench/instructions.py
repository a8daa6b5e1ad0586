"""User instructions of the proxy per statement, counted exactly by callgrind: the same on every
machine and under any load, where a processor's own counters cannot be had.

Prints one line per script and mode: instructions, and how many statements were counted."""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]

from bench import MODES, SCRIPTS  # noqa: E402
from cluster import meridian, process  # noqa: E402
from targets import Targets  # noqa: E402

CLIENTS = 8
WARM_UP_SECONDS = 3
COUNTED_SECONDS = 4


class Callgrind:
    """A program that runs Meridian under callgrind, which counts only between on() and counts()."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="meridian_callgrind_"))
        process.own(self.dir)
        program = self.dir / "meridian"
        program.write_text("#!/bin/sh\nexec valgrind --tool=callgrind --instr-atstart=no "
                           f"--callgrind-out-file={self.dir}/out.%n {meridian.BINARY} \"$@\"\n")
        program.chmod(0o755)
        meridian.BINARY = program

    @staticmethod
    def control(pid: int, *order: str):
        process.run(process.command(["callgrind_control", *order, pid]))

    def on(self, pid: int):
        self.control(pid, "-i", "on")

    def counts(self, pid: int) -> tuple:
        """(instructions, statements finished) since on()."""
        self.control(pid, "-i", "off")
        for old in self.dir.glob("out.*"):
            old.unlink()
        self.control(pid, "-d")
        out = process.wait_for(lambda: next(self.dir.glob("out.*"), None), "callgrind's output")
        text = process.run(["callgrind_annotate", "--tree=caller", "--inclusive=yes", out]).stdout
        total = int(re.search(r"^([\d,]+) .*PROGRAM TOTALS", text, re.MULTILINE)[1].replace(",", ""))
        block = next(block for block in text.split("\n\n")
                     if re.search(r"\* .*Session::CountStatement\(", block))
        calls = sum(int(count.replace(",", "")) for count in re.findall(r"\(([\d,]+)x\)", block))
        return total, calls


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, action="append")
    options = parser.parse_args()
    callgrind = Callgrind()
    targets = Targets(workers=1)
    try:
        proxy = next(target for target in targets.all if target.name == "meridian")
        for name, text in SCRIPTS.items():
            script = targets.directory / f"{name}.sql"
            script.write_text(text)
            for mode in options.mode or MODES:
                load = subprocess.Popen(**proxy.pgbench_command(
                    script, mode, CLIENTS, "-T", str(WARM_UP_SECONDS + COUNTED_SECONDS + 4)))
                time.sleep(WARM_UP_SECONDS)
                callgrind.on(proxy.pid)
                time.sleep(COUNTED_SECONDS)
                instructions, statements = callgrind.counts(proxy.pid)
                load.wait()
                print(f"{name}, {mode}: {instructions / statements:.0f} ({statements} statements)",
                      flush=True)
    finally:
        targets.close()


if __name__ == "__main__":
    main()
