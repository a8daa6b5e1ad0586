"""The rows that both the oracle and the shards begin with, and how to load them."""

import pathlib

import psycopg

HERE = pathlib.Path(__file__).resolve().parent

KV_ROWS = 1000
CUSTOMERS = 200
PRODUCTS = 50

# Every test finds these tables as load() left them, see the fixture `fresh`.
TABLES = ["kv", "products", "customers", "orders", "order_lines", "notes", "by_text", "by_uuid",
          "by_pair", "by_number", "by_day"]


def rows_of(table: str) -> list:
    """The rows as COPY's text format has them."""
    if table == "kv":
        return [f"{k}\tvalue {k}\t{k % 10 if k % 7 else chr(92) + 'N'}" for k in range(1, KV_ROWS + 1)]
    if table == "products":
        return [f"{p}\tproduct {p}\t{p * 1.25:.2f}" for p in range(1, PRODUCTS + 1)]
    if table == "customers":
        cities = ["Oslo", "Rome", "\\N", "Ålesund", "rome"]
        return [f"{c}\tcustomer {c}\t{cities[c % 5]}\t{c * 7.5:.2f}\t{1950 + c % 50}-01-{1 + c % 28:02}"
                f"\t{'t' if c % 3 == 0 else 'f'}" for c in range(1, CUSTOMERS + 1)]
    if table == "orders":
        return [f"{c}\t{o}\t2025-0{1 + o % 9}-10 12:00:00+00\t{['new', 'paid', 'sent'][o % 3]}"
                for c in range(1, CUSTOMERS + 1) for o in range(1, 1 + c % 4)]
    if table == "order_lines":
        return [f"{c}\t{o}\t{line}\t{1 + (c * o + line) % PRODUCTS}\t{1 + line}\t{line * 3.5:.2f}"
                for c in range(1, CUSTOMERS + 1) for o in range(1, 1 + c % 4) for line in (1, 2)]
    if table == "notes":
        return [f"{i}\tnote {i}" for i in range(1, 21)]
    if table == "by_text":
        return [f"{code}\t{i}" for i, code in enumerate(
            ["", "1", "01", "a", "A", "ä", "long " * 20 + "end", "with space", "quote's", "42 "]
            + [f"code {n}" for n in range(50)])]
    if table == "by_uuid":
        return [f"{n:08x}-0000-4000-8000-{n * 7919:012x}\t{n}" for n in range(60)]
    if table == "by_pair":
        return [f"{a}\t{b}\t{a * 10}" for a in range(-5, 15) for b in ("x", "y", "")]
    if table == "by_number":
        return [f"{k}\tnumber {k}" for k in range(0, 1000, 10)]
    if table == "by_day":
        return [f"{year}-{month:02}-15\t{i}\tday" for year in (2023, 2024, 2025, 2026)
                for month in range(1, 13) for i in (1, 2)]
    raise KeyError(table)


def copy_text(table: str) -> str:
    return "".join(row + "\n" for row in rows_of(table))


def load(connection: psycopg.Connection, tables=tuple(TABLES)):
    for table in tables:
        with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
            copy.write(copy_text(table))


def run_file(connection: psycopg.Connection, name: str):
    """Statement by statement, so that an error names its statement."""
    text = "\n".join(line for line in (HERE / name).read_text().splitlines()
                     if not line.startswith("--"))
    for statement in text.split(";"):
        if statement.strip():
            try:
                connection.execute(statement)
            except psycopg.Error as error:
                raise RuntimeError(f"{statement.strip()}\n{error}") from error
