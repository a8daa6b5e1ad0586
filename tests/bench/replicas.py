#!/usr/bin/python3
"""What replicas bring, and what it costs to know which of them a session may read from.

Throughput with 0, 1 and 2 replicas per shard of reads that keep a connection busy for 5 ms, as those do that wait
for a disk: a node then does as much as its pool allows, and what more nodes bring is seen. (Reads that take the
processor would show nothing: all servers of this machine share its cores.) Sessions that only read, beside others
that write; and sessions of which one statement in ten is a write, so that in read_your_writes most of their reads
must wait for, or go to, who has it. `--instructions`: user instructions of the proxy per read by level of
meridian.read_consistency, counted by callgrind."""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]

from bench import rate  # noqa: E402
from cluster.cluster import Cluster  # noqa: E402
from cluster.process import wait_for  # noqa: E402
from targets import Target  # noqa: E402

ROWS = 10_000
POOL_SIZE = 4
CLIENTS = 64
KEY = f"\\set aid random(1, {ROWS})\n"
PLAIN_READ = KEY + "SELECT abalance FROM accounts WHERE aid = :aid;\n"
READ = KEY + "SELECT abalance, pg_sleep(0.005) FROM accounts WHERE aid = :aid;\n"
WRITE = KEY + "UPDATE accounts SET abalance = abalance + 1 WHERE aid = :aid;\n"
LEVELS = ("strong", "read_your_writes", "monotonic", "bounded", "eventual")


def make(replicas: int, pool_size: int) -> Cluster:
    cluster = Cluster(shards=2, oracle=False, replicas=replicas,
                      proxy_settings={"workers": 1, "pool_size": pool_size})
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE accounts (aid int PRIMARY KEY, abalance int)")
        cluster.admin("CREATE DISTRIBUTION d COLUMN TYPES integer HASH SHARDS (s1, s2)",
                      "ALTER DISTRIBUTION d ATTACH TABLE accounts DISTRIBUTION KEY aid")
        with connection.cursor().copy("COPY accounts FROM STDIN") as copy:
            copy.write("".join(f"{aid}\t0\n" for aid in range(1, ROWS + 1)))
    wait_for(lambda: sum(row["serves_reads"] for row in cluster.proxy.admin_rows("SHOW REPLICATION")) == 2 * replicas,
             "all replicas serve reads")
    return cluster


def script(cluster: Cluster, name: str, text: str) -> pathlib.Path:
    path = cluster.directory.path / f"{name}.sql"
    path.write_text(text)
    return path


def readers(cluster: Cluster, target: Target, seconds: int) -> float:
    """Reads per second, beside writers."""
    write, read = script(cluster, "write", WRITE), script(cluster, "read", READ)
    writers = subprocess.Popen(**target.pgbench_command(write, "prepared", 2, "-R", "50", "-T", str(seconds)))
    found = rate(target.pgbench(read, "prepared", CLIENTS, "-T", str(seconds)))
    writers.wait()
    return found


def mixed(level: str):
    def run(cluster: Cluster, target: Target, seconds: int) -> float:
        write, read = script(cluster, "write", WRITE), script(cluster, "read", READ)
        command = target.pgbench_command(f"{read}@9", "prepared", CLIENTS, "-f", f"{write}@1", "-T", str(seconds))
        command["env"]["PGOPTIONS"] = f"-c meridian.read_consistency={level}"
        return rate(subprocess.run(check=True, **command).stdout)
    return run


LOADS = {"sessions that only read": readers, "one in ten a write, read_your_writes": mixed("read_your_writes"),
         "one in ten a write, eventual": mixed("eventual")}


def throughput(seconds: int, rounds: int):
    clusters = {replicas: make(replicas, POOL_SIZE) for replicas in (0, 1, 2)}
    try:
        for name, load in LOADS.items():
            rates = {replicas: [] for replicas in clusters}
            for _ in range(rounds):
                for replicas, cluster in clusters.items():
                    target = Target("meridian", cluster.proxy.port, cluster.proxy.pid)
                    rates[replicas].append(load(cluster, target, seconds))
            print(f"{name}: " + ", ".join(f"{statistics.median(found):.0f} /s with {replicas}"
                                          for replicas, found in rates.items()), flush=True)
    finally:
        for cluster in clusters.values():
            cluster.close()


def instructions():
    from instructions import CLIENTS as FEW, Callgrind  # patches the program that clusters start
    callgrind = Callgrind()
    cluster = make(1, 20)
    try:
        read = script(cluster, "read", PLAIN_READ)
        target = Target("meridian", cluster.proxy.port, cluster.proxy.pid)
        for level in LEVELS:
            for mode in ("simple", "prepared"):
                command = target.pgbench_command(read, mode, FEW, "-T", "11")
                command["env"]["PGOPTIONS"] = f"-c meridian.read_consistency={level}"
                load = subprocess.Popen(**command)
                time.sleep(3)
                callgrind.on(target.pid)
                time.sleep(4)
                count, statements = callgrind.counts(target.pid)
                load.wait()
                print(f"{level}, {mode}: {count / statements:.0f} ({statements} statements)", flush=True)
    finally:
        cluster.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--instructions", action="store_true")
    options = parser.parse_args()
    if options.instructions:
        instructions()
    else:
        throughput(options.seconds, options.rounds)


if __name__ == "__main__":
    main()
