"""Runs the drivers' programs against a cluster: run.py [JUNIT-FILE] [--driver NAME]."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "integration")]

from cluster.cluster import Cluster  # noqa: E402
from conftest import make_shop  # noqa: E402

TIMEOUT_SECONDS = 120


def python(name: str, _: pathlib.Path, __: dict) -> list:
    return [sys.executable, str(HERE / name / "check.py")]


def node(_: str, work: pathlib.Path, env: dict) -> list:
    """Debian's node-pg, or npm's."""
    env["NODE_PATH"] = "/usr/share/nodejs"
    if subprocess.run(["node", "-e", "require('pg')"], env=env, stderr=subprocess.DEVNULL,
                      check=False).returncode:
        (work / "package.json").write_text((HERE / "node" / "package.json").read_text())
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=work, env=env,
                       check=True, stdout=subprocess.DEVNULL)
        env["NODE_PATH"] = str(work / "node_modules")
    return ["node", str(HERE / "node" / "check.js")]


def go(_: str, work: pathlib.Path, env: dict) -> list:
    """Against Debian's sources of pgx, which are a GOPATH."""
    env.update(GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="", GOTOOLCHAIN="local")
    subprocess.run(["go", "build", "-o", str(work / "check"), str(HERE / "go" / "check.go")], env=env,
                   check=True)
    return [str(work / "check")]


def java(_: str, work: pathlib.Path, env: dict) -> list:
    jar = "/usr/share/java/postgresql.jar"
    subprocess.run(["javac", "-cp", jar, "-d", str(work), str(HERE / "java" / "Check.java")], env=env,
                   check=True)
    return ["java", "-cp", f"{jar}:{work}", "Check"]


DRIVERS = {"psycopg": python, "asyncpg": python, "node": node, "go": go, "java": java}


def run_driver(name: str, env: dict) -> list:
    """[(check, why it failed or None)]; a program that breaks is a failed check of its own."""
    with tempfile.TemporaryDirectory() as work:
        try:
            command = DRIVERS[name](name, pathlib.Path(work), env)
            done = subprocess.run(command, env=env, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=TIMEOUT_SECONDS, check=False)
            output, status = done.stdout, done.returncode
        except subprocess.TimeoutExpired as error:
            output, status = (error.stdout or b"").decode(), "timeout"
        except (OSError, subprocess.CalledProcessError) as error:
            output, status = str(error), "not built"
    print(output, end="")
    checks = []
    for line in output.splitlines():
        if line.startswith("ok "):
            checks.append((line[3:], None))
        elif line.startswith("not ok "):
            check, _, why = line[7:].partition(": ")
            checks.append((check, why))
    if status != 0 and not any(why for _, why in checks) or not checks:
        checks.append(("the program", f"status {status}: {output[-1000:]}"))
    return checks


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("junit", nargs="?")
    arguments.add_argument("--driver", action="append", choices=list(DRIVERS))
    options = arguments.parse_args()
    suite = xml.Element("testsuite", name="drivers")
    failed = 0
    with Cluster(shards=2) as cluster:
        make_shop(cluster)
        for name in options.driver or DRIVERS:
            print(f"-- {name}", flush=True)
            env = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(cluster.proxy.port),
                   "PGUSER": "app", "PGPASSWORD": "app", "PGDATABASE": cluster.database}
            checks = run_driver(name, env)
            for check, why in checks:
                case = xml.SubElement(suite, "testcase", classname=name, name=check)
                if why is not None:
                    failed += 1
                    xml.SubElement(case, "failure").text = why
            print(f"-- {name}: {sum(why is None for _, why in checks)} of {len(checks)} passed",
                  flush=True)
    if options.junit:
        xml.ElementTree(suite).write(options.junit)
    sys.exit(1 if failed else 0)


main()
