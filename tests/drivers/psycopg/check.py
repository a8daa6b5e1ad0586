"""psycopg 3: its connection parameters come from the environment."""

import sys
import threading
import time
import uuid

import psycopg
from psycopg import errors, rows

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def connect(**options):
    return psycopg.connect("", **options)


@check
def parameters(connection):
    for key in range(1, 20):
        assert connection.execute("SELECT v FROM kv WHERE k = %s", [key]).fetchone() == (f"value {key}",)


@check
def prepared_statements(connection):
    for key in range(1, 50):
        row = connection.execute("SELECT v FROM kv WHERE k = %s", [key], prepare=True).fetchone()
        assert row == (f"value {key}",)


@check
def binary_results_and_parameters(connection):
    cursor = connection.cursor(binary=True)
    assert cursor.execute("SELECT k, v, n FROM kv WHERE k = %b", [3]).fetchone() == (3, "value 3", 3)
    identity = uuid.UUID("00000007-0000-4000-8000-00000000d889")
    assert cursor.execute("SELECT v FROM by_uuid WHERE id = %b", [identity]).fetchone() == (7,)


@check
def transactions(connection):
    with connection.transaction():
        connection.execute("UPDATE kv SET v = 'psycopg' WHERE k = 1")
    try:
        with connection.transaction():
            connection.execute("UPDATE kv SET v = 'undone' WHERE k = 1")
            raise ValueError
    except ValueError:
        pass
    assert connection.execute("SELECT v FROM kv WHERE k = 1").fetchone() == ("psycopg",)
    connection.execute("UPDATE kv SET v = 'value 1' WHERE k = 1")


@check
def nested_transactions(connection):
    with connection.transaction():
        connection.execute("UPDATE kv SET n = 5 WHERE k = 2")
        try:
            with connection.transaction():
                connection.execute("INSERT INTO kv VALUES (2, 'exists')")
        except errors.UniqueViolation:
            pass
        connection.execute("UPDATE kv SET n = 2 WHERE k = 2")


@check
def copy_in_and_out(connection):
    cursor = connection.cursor()
    with cursor.copy("COPY kv (k, v) FROM STDIN") as copy:
        for key in range(900_000, 900_500):
            copy.write_row((key, f"copied\t{key}"))
    assert cursor.rowcount == 500
    with cursor.copy("COPY (SELECT k, v FROM kv WHERE k = 900007) TO STDOUT") as copy:
        copy.set_types(["int8", "text"])
        assert list(copy.rows()) == [(900007, "copied\t900007")]
    connection.execute("DELETE FROM kv WHERE k >= 900000")


@check
def pipeline(connection):
    with connection.pipeline():
        cursors = [connection.execute("SELECT v FROM kv WHERE k = %s", [key]) for key in range(1, 100)]
    assert [cursor.fetchone()[0] for cursor in cursors] == [f"value {key}" for key in range(1, 100)]


@check
def executemany(connection):
    """One pipeline, so one transaction, on one shard as on several."""
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO order_lines VALUES (1, 1, %s, 1, 1, 1)", [(n,) for n in range(100, 150)])
    assert cursor.rowcount == 50
    connection.execute("DELETE FROM order_lines WHERE customer_id = 1 AND line_no >= 100")
    cursor.executemany("INSERT INTO kv VALUES (%s, 'many', 0)", [(k,) for k in range(910_000, 910_050)])
    assert cursor.rowcount == 50
    try:
        cursor.executemany("INSERT INTO kv VALUES (%s, 'many', 0)", [(k,) for k in range(910_080, 910_040, -1)])
        raise AssertionError("not an error")
    except errors.UniqueViolation:
        pass
    assert len(connection.execute("SELECT * FROM kv WHERE k >= 910000").fetchall()) == 50
    assert connection.execute("DELETE FROM kv WHERE k >= 910000").rowcount == 50


@check
def server_side_cursor(connection):
    with connection.transaction():
        cursor = connection.cursor("named")
        cursor.execute("SELECT order_id FROM orders WHERE customer_id = 3 ORDER BY 1")
        assert cursor.fetchmany(2) == [(1,), (2,)]
        assert cursor.fetchall() == [(3,)]


@check
def cancel(connection):
    threading.Timer(0.3, connection.cancel).start()
    start = time.monotonic()
    try:
        connection.execute("SELECT pg_sleep(30)")
    except errors.QueryCanceled:
        assert time.monotonic() - start < 10
        assert connection.execute("SELECT 1").fetchone() == (1,)
        return
    raise AssertionError("not cancelled")


@check
def notifications(connection):
    connection.execute("LISTEN from_psycopg")
    with connect(autocommit=True) as other:
        other.execute("NOTIFY from_psycopg, 'hello'")
    for notify in connection.notifies():
        assert (notify.channel, notify.payload) == ("from_psycopg", "hello")
        break


@check
def row_factories_and_errors(connection):
    with connection.cursor(row_factory=rows.dict_row) as cursor:
        assert cursor.execute("SELECT k, n FROM kv WHERE k = 3").fetchone() == {"k": 3, "n": 3}
    try:
        connection.execute("INSERT INTO kv VALUES (1)")
    except errors.UniqueViolation as error:
        assert error.diag.constraint_name == "kv_pkey"


def main():
    failed = False
    for function in CHECKS:
        try:
            with connect(autocommit=True) as connection:
                function(connection)
            print(f"ok {function.__name__}")
        except Exception as error:  # whatever it is, it is this check's failure
            failed = True
            print(f"not ok {function.__name__}: {type(error).__name__} {error}".replace("\n", " "))
    sys.exit(failed)


main()
