"""PostgreSQL's own client programs as subprocesses."""

import os
import signal
import subprocess
import time

from cluster.postgres import BINDIR


def environment(port: int, user: str = "app", password: str = "app", database: str = "shop",
                **more) -> dict:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/nonexistent",
            "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": user, "PGPASSWORD": password,
            "PGDATABASE": database, "PGCONNECT_TIMEOUT": "10", "PSQL_PAGER": "cat", **more}


def run(program: str, arguments: list, env: dict, stdin: str | None = None, timeout: float = 120):
    return subprocess.run([str(BINDIR / program), *arguments], env=env, input=stdin, text=True,
                          capture_output=True, timeout=timeout, check=False)


def output(program: str, arguments: list, env: dict, stdin: str | None = None) -> str:
    """What it prints; it must succeed without complaints."""
    done = run(program, arguments, env, stdin)
    assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
    return done.stdout


def psql(env: dict, *commands: str, options=()) -> str:
    arguments = ["-X", "-v", "ON_ERROR_STOP=1", *options]
    for command in commands:
        arguments += ["-c", command]
    return output("psql", arguments, env)


def interrupt(program: str, arguments: list, env: dict, after: float, stdin: str | None = None):
    """Runs it and sends Ctrl-C after so many seconds: (status, output, complaints)."""
    process = subprocess.Popen([str(BINDIR / program), *arguments], env=env, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if stdin:
        process.stdin.write(stdin)
        process.stdin.flush()
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err
