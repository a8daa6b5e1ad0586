#!/usr/bin/python3
"""What a move of a key range costs and how long clients wait.

`--copy`: the throughput of a move's copy, beside a bare COPY | COPY between the same two servers, and how near it
comes to a max_rate. `--pauses`: ranges move to and fro beside writers of about 2,000 rows a second; the pause
of each cut-over as the mover has it, and what the slowest writes took. `--latency`: the quantiles of statements
before a move, and while the copy of 6,000,000 rows gives way to them."""

import argparse
import pathlib
import statistics
import subprocess
import sys
import threading
import time

import psycopg

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]),
                str(pathlib.Path(__file__).resolve().parents[1] / "integration")]

import moves  # noqa: E402
import programs  # noqa: E402
from cluster.cluster import Cluster  # noqa: E402

SERVERS = {"max_replication_slots": 10, "max_wal_senders": 10, "max_wal_size": "4GB", "shared_buffers": "512MB"}
ROWS = 1_000_000


def make(rows: int) -> Cluster:
    cluster = Cluster(shards=2, oracle=False, server_settings=SERVERS)
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE t (k bigint PRIMARY KEY, v integer, body text)")
    cluster.admin("CREATE DISTRIBUTION d COLUMN TYPES bigint",
                  "CREATE KEY RANGE low FROM MINVALUE ROUTE TO s1 FOR DISTRIBUTION d",
                  f"CREATE KEY RANGE high FROM {rows} ROUTE TO s2 FOR DISTRIBUTION d",
                  "ALTER DISTRIBUTION d ATTACH TABLE t DISTRIBUTION KEY k")
    cluster.shard("s1").execute(
        f"INSERT INTO t SELECT i, 0, md5(i::text) || md5((-i)::text) FROM generate_series(0, {rows - 1}) i",
        cluster.database)
    for shard in cluster.shards:
        shard.execute("VACUUM ANALYZE t", cluster.database)
        shard.execute("CHECKPOINT")
    return cluster


def bare_copy(cluster: Cluster) -> float:
    """Seconds of COPY | COPY into a table of the same definition."""
    source, target = cluster.shard("s1"), cluster.shard("s2")
    target.execute("CREATE TABLE bare (LIKE t INCLUDING ALL)", cluster.database)
    psql = "psql -X -q -h {} -p {} -U postgres -d " + cluster.database + " -c \"{}\""
    command = (psql.format(source.dir, source.port, "COPY (SELECT * FROM t WHERE k < 1000000000) TO STDOUT") + " | " +
               psql.format(target.dir, target.port, "COPY bare FROM STDIN"))
    began = time.monotonic()
    subprocess.run(command, shell=True, check=True)
    took = time.monotonic() - began
    target.execute("DROP TABLE bare", cluster.database)
    target.execute("CHECKPOINT")
    return took


def move_copy(cluster: Cluster, target: str, options: str) -> tuple:
    """Bytes copied and seconds from the first to the last byte, as SHOW MOVE has them, looked at often."""
    move = moves.ask(cluster, "low", target, options)
    began = ended = None
    while ended is None:
        row = moves.show(cluster, move)
        now = time.monotonic()
        if began is None and row["bytes_copied"]:
            began = now - 0.5  # the first note is half a second after the first byte
        if row["phase"] not in ("queued", "announced", "copying"):
            ended = now
        time.sleep(0.01)
    row = moves.wait_for_end(cluster, move)
    return row["bytes_copied"], ended - began


def copies():
    cluster = make(ROWS)
    try:
        bare, moved = [], []
        for _ in range(3):
            bare.append(bare_copy(cluster))
            size, took = move_copy(cluster, "s2", "verify off")
            moved.append(took)
            moves.do(cluster, "low", "s1", "verify off")
            for shard in cluster.shards:
                shard.execute("VACUUM t", cluster.database)
                shard.execute("CHECKPOINT")
        print(f"copy of {size >> 20} MB: COPY | COPY {statistics.median(bare):.2f} s, a move "
              f"{statistics.median(moved):.2f} s, {statistics.median(bare) / statistics.median(moved):.2f} of its throughput")
        size, took = move_copy(cluster, "s2", "verify off, max_rate '10MB/s'")
        print(f"max_rate 10MB/s: {size / took / (1 << 20):.2f} MB/s")
    finally:
        cluster.close()


def pauses(count: int):
    cluster = make(20_000)
    slow, stop, done = [], threading.Event(), [0] * 8

    def write(number: int):
        pause = 8 / 2000
        with cluster.connect() as connection:
            key = number
            while not stop.is_set():
                began = time.monotonic()
                key = (key * 7919 + 13) % 20_000
                connection.execute("UPDATE t SET v = v + 1 WHERE k = %s", (key,))
                took = time.monotonic() - began
                done[number] += 1
                slow.append(took * 1000)
                time.sleep(max(0.0, pause - took))
    writers = [threading.Thread(target=write, args=(number,)) for number in range(len(done))]
    for writer in writers:
        writer.start()
    began = time.monotonic()
    found = []
    for number in range(count):
        found.append(moves.do(cluster, "low", ("s2", "s1")[number % 2])["pause_ms"])
    seconds = time.monotonic() - began
    stop.set()
    for writer in writers:
        writer.join()
    found.sort()
    slow.sort()
    print(f"{count} cut-overs beside {sum(done) / seconds:.0f} writes/s: pause median {statistics.median(found)} ms, "
          f"p99 {found[int(0.99 * (count - 1))]} ms, worst {found[-1]} ms; writes: p99 {slow[int(0.99 * len(slow))]:.1f} ms, "
          f"p99.99 {slow[int(0.9999 * len(slow))]:.1f} ms, worst {slow[-1]:.1f} ms")
    cluster.close()


def latency():
    """pgbench is the client: one that takes little of the processors."""
    rows = 6 * ROWS
    cluster = make(rows)
    directory = cluster.directory.make("latency")
    script = directory / "latency.sql"
    script.write_text(f"\\set k random(0, {rows - 1})\n\\set c random(1, 4)\n\\if :c = 1\nUPDATE t SET v = v + 1 WHERE k ="
                      " :k;\n\\else\nSELECT v FROM t WHERE k = :k;\n\\endif\n")

    def pgbench(seconds: int, name: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["pgbench", "-n", "-c", "8", "-R", "1000",
             "-T", str(seconds), "-M", "prepared", "-f", str(script), "-l", "--log-prefix", str(directory / name),
             cluster.database], stdout=subprocess.DEVNULL, env=programs.environment(cluster.proxy.port))

    def quantiles(name: str, begin: float = 0, end: float = 1e12) -> str:
        seen = []
        for log in directory.glob(name + ".*"):
            for line in log.read_text().splitlines():
                fields = line.split()
                if begin <= float(fields[4]) < end:
                    seen.append((int(fields[2]) - int(fields[6])) / 1000)  # without waiting for its turn
        seen.sort()
        return ", ".join(f"p{q:g} {seen[int(q / 100 * len(seen))]:.2f} ms" for q in (50, 95, 99))
    pgbench(30, "before").wait()
    print("before:", quantiles("before"))
    running = pgbench(60, "beside")
    time.sleep(4)
    reasons = {}
    move = moves.ask(cluster, "low", "s2", "verify off, slice_size 0")
    moves.wait_for_phase(cluster, move, "copying")
    began = time.time()
    with cluster.proxy.admin(row_factory=psycopg.rows.dict_row) as admin:  # logins would be felt
        while running.poll() is None:
            row = admin.execute(f"SHOW MOVE {move}").fetchone()
            if row["phase"] != "copying":
                break
            reasons[row["throttled_by"]] = reasons.get(row["throttled_by"], 0) + 1
            time.sleep(2)
    ended = time.time()
    running.wait()
    print(f"while {row['bytes_copied'] >> 20} MB are copied in {ended - began:.0f} s:",
          quantiles("beside", began, ended))
    print("throttled by:", {reason: f"{100 * n // sum(reasons.values())} %" for reason, n in reasons.items()})
    cluster.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copy", action="store_true")
    parser.add_argument("--pauses", type=int, metavar="CUTOVERS", default=0)
    parser.add_argument("--latency", action="store_true")
    arguments = parser.parse_args()
    if arguments.copy:
        copies()
    if arguments.pauses:
        pauses(arguments.pauses)
    if arguments.latency:
        latency()


if __name__ == "__main__":
    main()
