"""COPY into sharded tables: each row on its shard, whatever the format."""

import csv
import io
import random
import string

import pytest

KEYS = list(range(500_000, 500_400))
# What CSV and text have to escape.
NASTY = ["", "a,b", 'say "hi"', "line\nbreak", "tab\there", "back\\slash", "\\.", "\\N", "NULL", "é€😀",
         "'", "\r\n", " lead and trail ", "a\rb", ";|", '"', '""', "\\\\", "x" * 5000]


@pytest.fixture(autouse=True)
def _clean(fresh):
    pass


def rows(seed: int) -> list:
    source = random.Random(seed)
    def text():
        if source.random() < 0.5:
            return source.choice(NASTY)
        return "".join(source.choices(string.printable, k=source.randint(0, 30)))
    return [(key, None if source.random() < 0.1 else text(),
             None if source.random() < 0.3 else source.randint(-5, 5)) for key in KEYS]


def csv_text(data: list, null: str = "", header: bool = False, **dialect) -> str:
    """CSV as programs write it; NULL unquoted, all else quoted where it could be mistaken."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", **dialect)
    if header:
        writer.writerow(["k", "v", "n"])
    quote = dialect.get("quotechar", '"')
    delimiter = dialect.get("delimiter", ",")
    for key, value, number in data:
        field = null if value is None else quote + value.replace(quote, quote * 2) + quote
        out.write(f"{key}{delimiter}{field}{delimiter}{null if number is None else number}\n")
    return out.getvalue()


def copy_in(connection, sql: str, data, piece: int):
    payload = data.encode() if isinstance(data, str) else data
    with connection.cursor() as cursor:
        with cursor.copy(sql) as copy:
            for start in range(0, len(payload), piece):
                copy.write(payload[start:start + piece])
        return cursor.rowcount


def check(cluster, data: list):
    """All rows are there, once, as written, and where a query by key finds them."""
    stored = sum((shard.execute("SELECT * FROM kv WHERE k >= 500000", cluster.database)
                  for shard in cluster.shards), [])
    assert sorted(stored, key=lambda row: row[0]) == sorted(data)
    with cluster.connect() as connection:
        for row in data[::20]:
            assert connection.execute(f"SELECT * FROM kv WHERE k = {row[0]}").fetchall() == [row]


@pytest.mark.parametrize("piece", [7, 1000, 1 << 20])
@pytest.mark.parametrize("options,dialect", [
    ("FORMAT csv", {}), ("FORMAT csv, DELIMITER ';'", {"delimiter": ";"}),
    ("FORMAT csv, QUOTE ''''", {"quotechar": "'"}), ("FORMAT csv, HEADER", {"header": True}),
    ("FORMAT csv, HEADER match", {"header": True}), ("FORMAT csv, NULL 'nil'", {"null": "nil"}),
    ("FORMAT csv, FORCE_NOT_NULL (v)", {})])
def test_csv(cluster, piece, options, dialect):
    data = rows(1)
    if "FORCE_NOT_NULL" in options:
        data = [(k, v or "", n) for k, v, n in data]
    with cluster.connect() as connection:
        count = copy_in(connection, f"COPY kv FROM STDIN ({options})", csv_text(data, **dialect), piece)
    assert count == len(data)
    check(cluster, data)


@pytest.mark.parametrize("piece", [3, 64 * 1024])
def test_text(cluster, piece):
    data = rows(2)
    escapes = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\v": "\\v", "\f": "\\f"}
    def field(value):
        return "\\N" if value is None else "".join(escapes.get(c, c) for c in str(value))
    text = "".join("\t".join(field(value) for value in row) + "\n" for row in data)
    with cluster.connect() as connection:
        copy_in(connection, "COPY kv FROM STDIN", text, piece)
    check(cluster, data)


@pytest.mark.parametrize("piece", [5, 64 * 1024])
def test_binary(cluster, piece):
    data = rows(3)
    with cluster.connect_oracle() as oracle:
        oracle.execute("CREATE TEMP TABLE made (LIKE kv)")
        with oracle.cursor().copy("COPY made FROM STDIN") as copy:
            for row in data:
                copy.write_row(row)
        with oracle.cursor().copy("COPY made TO STDOUT (FORMAT binary)") as copy:
            payload = b"".join(bytes(part) for part in copy)
    with cluster.connect() as connection:
        copy_in(connection, "COPY kv FROM STDIN (FORMAT binary)", payload, piece)
    check(cluster, data)


def test_column_list_in_another_order(cluster):
    data = [(key, None, key % 4) for key in KEYS]
    with cluster.connect() as connection:
        copy_in(connection, "COPY kv (n, k) FROM STDIN",
                "".join(f"{n}\t{k}\n" for k, _, n in data), 100)
    check(cluster, data)


@pytest.mark.parametrize("sql,text,sqlstate", [
    ("COPY kv (v) FROM STDIN", "no key\n", "23502"),
    ("COPY kv FROM STDIN (FORMAT csv)", "500000,ok,1\n,no key,1\n", "23502"),
    ("COPY kv FROM STDIN (FORMAT csv)", '500000,"never closed,1\n', "22P04"),
    ("COPY kv FROM STDIN (FORMAT csv)", "500000\n", "22P04"),
    ("COPY kv FROM STDIN (FORMAT csv)", "99999999999999999999,x,1\n", "22003"),
    ("COPY kv FROM STDIN (FORMAT binary)", "garbage that is no binary COPY", "22P04"),
    ("COPY kv FROM STDIN (FORMAT csv, HEADER match)", "k,v\n", "22P04"),
    ("COPY kv FROM STDIN (FORMAT nonsense)", "", "22023"),
    ("COPY kv (k, k) FROM STDIN", "", "42701"),
    ("COPY kv (k, nope) FROM STDIN", "", "42703"),
])
def test_wrong_data(cluster, sql, text, sqlstate):
    """The same SQLSTATE as PostgreSQL's, and nothing is stored."""
    states = []
    for connect in (cluster.connect, cluster.connect_oracle):
        with connect() as connection:
            import psycopg
            with pytest.raises(psycopg.Error) as raised:
                copy_in(connection, sql, text, 10)
            states.append(raised.value.sqlstate)
    assert states == [sqlstate, sqlstate]
    assert sum(len(shard.execute("SELECT 1 FROM kv WHERE k >= 500000", cluster.database))
               for shard in cluster.shards) == 0


def test_other_key_types(cluster):
    lines = {
        "by_text": ["copied\t1", "42\t2", "é\t3", "\\\\N\t4", "with\\ttab\t5"],
        "by_uuid": ["AAAAAAAA-1111-4111-8111-111111111111\t1", "{bbbbbbbb111141118111111111111111}\t2"],
        "by_pair": ["-1000\tx\t1", "-1001\t\t2", "2147483647\ty\t3"],
        "by_number": ["-7\tlow", "498\tlow", "501\thigh", "0501002\thigh"],
        "by_day": ["2024-12-31\t50\told", "2025-01-01\t50\tnew", "Jan 2 2026\t50\tnew"]}
    for table, text in lines.items():
        for connect in (cluster.connect, cluster.connect_oracle):
            with connect() as connection:
                copy_in(connection, f"COPY {table} FROM STDIN", "\n".join(text) + "\n", 9)
        with cluster.connect_oracle() as oracle:
            expected = sorted(oracle.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        stored = sum((shard.execute(f"SELECT * FROM {table}", cluster.database)
                      for shard in cluster.shards), [])
        assert sorted(stored, key=repr) == expected


def test_reference_table(cluster):
    with cluster.connect() as connection:
        assert copy_in(connection, "COPY products FROM STDIN", "800\tcopied\t1\n801\tcopied\t2\n", 4) == 2
    for shard in cluster.shards:
        assert shard.execute("SELECT count(*) FROM products WHERE product_id >= 800",
                             cluster.database) == [(2,)]


def test_client_encoding(cluster):
    with cluster.connect(client_encoding="latin1") as connection:
        copy_in(connection, "COPY by_text FROM STDIN", "caf\u00e9\t1\n".encode("latin1"), 3)
        rows_found = connection.execute("SELECT v FROM by_text WHERE code = 'caf\u00e9'").fetchall()
    assert rows_found == [(1,)]


def test_encoding_option(cluster):
    with cluster.connect() as connection:
        copy_in(connection, "COPY by_text FROM STDIN (ENCODING 'LATIN1')",
                "na\u00efve\t2\n".encode("latin1"), 3)
        assert connection.execute("SELECT v FROM by_text WHERE code = 'naïve'").fetchall() == [(2,)]


def test_copy_with_a_filter(cluster):
    with cluster.connect() as connection:
        count = copy_in(connection, "COPY kv FROM STDIN WHERE k % 2 = 0",
                        "".join(f"{key}\tx\t1\n" for key in KEYS), 50)
    assert count == len(KEYS) // 2
    check(cluster, [(key, "x", 1) for key in KEYS if key % 2 == 0])
