"""The benchmark; see README.md."""

import argparse
import pathlib
import re
import statistics
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]

import counters  # noqa: E402
from targets import Target, Targets  # noqa: E402

SCRIPTS = {
    "select": "\\set aid random(1, :rows)\nSELECT abalance FROM accounts WHERE aid = :aid;\n",
    "update": "\\set aid random(1, :rows)\n"
              "UPDATE accounts SET abalance = abalance + 1 WHERE aid = :aid;\n",
}
MODES = ("simple", "extended", "prepared")
COUNTED_TRANSACTIONS = 200


def processed(output: str) -> int:
    return int(re.search(r"transactions actually processed: (\d+)", output).group(1))


def rate(output: str) -> float:
    return float(re.search(r"tps = ([\d.]+)", output).group(1))


def round_of(target: Target, script, mode: str, clients: int, seconds: int):
    """(statements per second, CPU microseconds of the proxy per statement or None)."""
    before = counters.cpu_seconds(target.pid) if target.pid else 0
    output = target.pgbench(script, mode, clients, "-T", str(seconds))
    if target.pid is None:
        return rate(output), None
    spent = counters.cpu_seconds(target.pid) - before
    return rate(output), spent * 1e6 / processed(output)


def counted(counter, target: Target, script, mode: str, clients: int):
    """Per statement. Connections are made in the run, too: enough statements make that small."""
    if target.pid is None:
        return None
    with counter(target.pid) as result:
        output = target.pgbench(script, mode, clients, "-t", str(COUNTED_TRANSACTIONS))
    return None if result.value is None else result.value / processed(output)


def shown(value, form: str) -> str:
    return "-" if value is None else format(value, form)


def print_row(target: Target, rates: list, cpu: list, calls, instructions):
    median = statistics.median(cpu) if cpu and cpu[0] is not None else None
    print(f"  {target.name:10} {statistics.median(rates):9.0f} {shown(median, '9.2f'):>9} "
          f"{shown(calls, '7.2f'):>7} {shown(instructions, '8.0f'):>8}")


def measure(targets: list, script, name: str, mode: str, options):
    able = [target for target in targets if mode in target.modes]
    rates = {target.name: [] for target in able}
    cpu = {target.name: [] for target in able}
    for _ in range(options.rounds):
        for target in able:
            per_second, spent = round_of(target, script, mode, options.clients, options.seconds)
            rates[target.name].append(per_second)
            cpu[target.name].append(spent)
    print(f"{name}, {mode}")
    for target in able:
        calls = counted(counters.system_calls, target, script, mode, options.clients)
        instructions = counted(counters.user_instructions, target, script, mode, options.clients)
        print_row(target, rates[target.name], cpu[target.name], calls, instructions)
    for target in targets:
        if target not in able:
            print(f"  {target.name:10} cannot do this mode")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of one round of one target")
    parser.add_argument("--workers", type=int, default=1, help="of Meridian; PgBouncer has one")
    parser.add_argument("--mode", choices=MODES, action="append")
    options = parser.parse_args()
    targets = Targets(options.workers)
    try:
        print(f"{options.clients} clients, medians of {options.rounds} rounds of {options.seconds} s, "
              "per statement")
        print(f"  {'':10} {'rate /s':>9} {'cpu us':>9} {'calls':>7} {'instr':>8}")
        for name, text in SCRIPTS.items():
            script = targets.directory / f"{name}.sql"
            script.write_text(text)
            for mode in options.mode or MODES:
                measure(targets.all, script, name, mode, options)
    finally:
        targets.close()


if __name__ == "__main__":
    main()
