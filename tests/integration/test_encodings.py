"""client_encoding: text in other encodings than UTF8, and the shards of text keys in it. Where
`server` is used PostgreSQL passes the same tests."""

import struct

import pytest

import wire as w

# All of them are in LATIN1; the bytes of some are UTF-8 for something else.
KEYS = ["café", "naïve", "Ã©", "ÿ", "Â£", "ascii", "\u00a0x", "½", "Ärger", "ñandú"] + [
    chr(code) + "key" for code in range(0xC0, 0xD6)]
HASH = "hashtextextended(code, 8816678312871386365)"  # HASH_PARTITION_SEED


@pytest.fixture(autouse=True)
def _clean(fresh):
    pass


def check_places(cluster, keys=KEYS):
    """Each key is stored once, as it was meant, on the shard that has its hash."""
    stored, spans = [], []
    for shard in cluster.shards:
        stored += [code for code, in shard.execute("SELECT code FROM by_text", cluster.database)]
        spans += shard.execute(f"SELECT min({HASH}), max({HASH}) FROM by_text", cluster.database)
    assert all(stored.count(key) == 1 for key in keys)
    spans.sort()
    assert all(span[1] < following[0] for span, following in zip(spans, spans[1:])), spans


def latin1(sql: str) -> bytes:
    return sql.encode("latin1")


def copy(connection: w.Wire, sql: str, data: bytes):
    connection.send(w.query(sql))
    assert connection.read_until("G", "E")[-1].type == "G"
    connection.send(w.copy_data(data[:5]), w.copy_data(data[5:]), w.COPY_DONE)
    return connection.until_ready()


@pytest.fixture
def client(meridian):
    return meridian.wire(client_encoding="LATIN1")


class TestKeysInLatin1:
    def test_literals(self, cluster, client):
        for key in KEYS:
            sql = latin1(f"INSERT INTO by_text VALUES ('{key}', 1) RETURNING code")
            assert client.ask(w.query(sql))[1].values() == [latin1(key)]
        check_places(cluster)
        for key in KEYS:
            sql = latin1(f"SELECT code FROM by_text WHERE code = '{key}'")
            assert client.ask(w.query(sql))[1].values() == [latin1(key)]

    def test_rows_of_one_insert(self, cluster, client):
        rows = ", ".join(f"('{key}', 1)" for key in KEYS)
        assert w.tags(client.query(latin1("INSERT INTO by_text VALUES " + rows))) == [
            f"INSERT 0 {len(KEYS)}"]
        check_places(cluster)

    @pytest.mark.parametrize("binary", [0, 1])
    def test_parameters(self, cluster, client, binary):
        client.ask(w.parse("INSERT INTO by_text VALUES ($1, 1)", "s", [25]), w.SYNC)
        for key in KEYS:
            messages = client.ask(w.bind([latin1(key)], "s", formats=[binary]), w.execute(), w.SYNC)
            assert w.tags(messages) == ["INSERT 0 1"]
        check_places(cluster)

    def test_parameters_of_rows(self, cluster, client):
        marks = ", ".join(f"(${i + 1}, 1)" for i in range(len(KEYS)))
        messages = client.ask(w.parse("INSERT INTO by_text VALUES " + marks),
                              w.bind([latin1(key) for key in KEYS]), w.execute(), w.SYNC)
        assert w.tags(messages) == [f"INSERT 0 {len(KEYS)}"]
        check_places(cluster)

    @pytest.mark.parametrize("options", ["", "(FORMAT csv)"])
    def test_copy(self, cluster, client, options):
        separator = "," if options else "\t"
        data = "".join(f"{key}{separator}1\n" for key in KEYS)
        copy(client, f"COPY by_text FROM STDIN {options}", latin1(data))
        check_places(cluster)

    def test_copy_binary(self, cluster, client):
        """The option means nothing to the binary format."""
        data = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
        for key in KEYS:
            data += struct.pack("!hi", 2, len(key)) + latin1(key) + struct.pack("!ii", 4, 1)
        copy(client, "COPY by_text FROM STDIN (FORMAT binary, ENCODING 'UTF8')",
             data + struct.pack("!h", -1))
        check_places(cluster)

    def test_copy_option(self, cluster, meridian):
        data = "".join(f"{key}\t1\n" for key in KEYS)
        copy(meridian.wire(), "COPY by_text FROM STDIN (ENCODING 'LATIN1')", latin1(data))
        check_places(cluster)

    def test_copy_option_over_the_session(self, cluster, client):
        data = "".join(f"{key}\t1\n" for key in KEYS)
        copy(client, "COPY by_text FROM STDIN (ENCODING 'UTF8')", data.encode())
        check_places(cluster)

    def test_escapes_are_bytes_of_the_database(self, cluster, client):
        copy(client, "COPY by_text FROM STDIN", rb"c\xc3\xa9" + b"\xe9\t1\n")
        sql = rb"INSERT INTO by_text VALUES (E'i\xc3\xa9" + b"\xe9', 1)"
        assert w.tags(client.query(sql)) == ["INSERT 0 1"]
        check_places(cluster, ["céé", "iéé"])


class TestOtherEncodings:
    def test_reads_go_everywhere(self, meridian):
        connection = meridian.wire(client_encoding="LATIN2")
        messages = connection.query(b"SELECT v FROM by_text WHERE code = '\xe4'")
        assert messages[1].values() == [b"5"]

    @pytest.mark.parametrize("encoding,key", [("LATIN2", b"\xe4"), ("EUC_JP", b"\xa4\xa2")])
    def test_writes_and_copies_are_refused(self, meridian, encoding, key):
        connection = meridian.wire(client_encoding=encoding)
        insert = connection.query(b"INSERT INTO by_text VALUES ('" + key + b"', 1)")
        assert w.sqlstates(insert) == ["0A000"]
        assert w.sqlstates(copy(connection, "COPY by_text FROM STDIN", key + b"\t1\n")) == ["0A000"]
        assert w.sqlstates(copy(connection, "COPY by_text FROM STDIN", b"x\t1\n")) == []

    def test_keys_that_are_no_text(self, server):
        connection = server.wire(client_encoding="KOI8R")
        messages = connection.query(b"UPDATE kv SET v = '\xc1' WHERE k = 1 RETURNING v")
        assert messages[1].values() == [b"\xc1"]
        connection.query("SET client_encoding = 'UTF8'")
        assert connection.rows("SELECT v FROM kv WHERE k = 1") == [("а",)]

    @pytest.mark.parametrize("encoding", ["SJIS", "big5", "Win-936"])
    def test_those_that_hide_quotes_are_refused(self, meridian, encoding):
        connection = meridian.wire()
        assert w.sqlstates(connection.query(f"SET client_encoding = '{encoding}'")) == ["0A000"]
        assert w.sqlstates(connection.query(f"SET NAMES '{encoding}'")) == ["0A000"]
        assert w.sqlstates(
            connection.query(f"COPY by_text FROM STDIN (ENCODING '{encoding}')")) == ["0A000"]
        refused = meridian.wire_before_login()
        refused.send(w.startup_packet({"user": "app", "database": "shop",
                                       "client_encoding": encoding}))
        refused.authenticate("app")
        assert w.sqlstates(refused.read_until("E", "Z")) == ["0A000"]


class TestChanges:
    def test_a_default_of_the_role(self, cluster, meridian):
        for shard in cluster.shards:
            shard.execute("ALTER ROLE other SET client_encoding = 'LATIN1'")
            shard.execute("GRANT SELECT ON by_text TO other", cluster.database)
        try:
            connection = meridian.wire_before_login()
            connection.login("other", "other pass", cluster.database)
            assert connection.parameters["client_encoding"] == "LATIN1"
            messages = connection.query(latin1("SELECT code FROM by_text WHERE code = 'ä'"))
            assert messages[1].values() == [b"\xe4"]
        finally:
            for shard in cluster.shards:
                shard.execute("ALTER ROLE other RESET client_encoding")
                shard.execute("REVOKE SELECT ON by_text FROM other", cluster.database)

    def test_names(self, server):
        connection = server.wire()
        connection.query("SET NAMES 'iso-8859-1'")
        assert connection.query(b"SELECT '\xe9'")[1].values() == [b"\xe9"]
        connection.query("SET client_encoding TO DEFAULT")
        assert connection.query("SELECT 'é'")[1].values() == ["é".encode()]

    def test_within_a_query(self, server):
        """The whole text is in the encoding that was set when it came."""
        connection = server.wire()
        messages = connection.query("SET client_encoding = 'LATIN1'; SELECT 'é'")
        if server.name == "postgres" or not w.sqlstates(messages):
            assert [m.values() for m in messages if m.type == "D"] == [[b"\xe9"]]
        else:
            assert w.sqlstates(messages) == ["0A000"]

    def test_within_a_query_of_several_shards(self, meridian):
        connection = meridian.wire()
        messages = connection.query("UPDATE kv SET n = 1; SET client_encoding = 'LATIN1'; "
                                    "UPDATE kv SET v = 'é' WHERE k = 1")
        assert w.sqlstates(messages) == ["0A000"]
        assert connection.rows("SHOW client_encoding") == [("UTF8",)]

    def test_of_prepared_statements(self, server):
        connection = server.wire()
        connection.ask(w.parse("SELECT v FROM by_text WHERE code = $1", "plain"), w.SYNC)
        connection.ask(w.parse("SELECT 'é' WHERE $1 = 1", "foreign", [23]), w.SYNC)
        connection.query("SET client_encoding = 'LATIN1'")
        messages = connection.ask(w.bind([b"\xe4"], "plain"), w.execute(), w.SYNC)
        assert messages[1].values() == [b"5"]
        for request in [w.bind([1], "foreign"), w.describe("S", "foreign")]:
            messages = connection.ask(request, w.SYNC)
            assert w.sqlstates(messages) == ([] if server.name == "postgres" else ["0A000"])

    def test_in_a_pipeline(self, server):
        connection = server.wire()
        messages = connection.ask(
            w.parse("SET client_encoding = 'LATIN1'"), w.bind(), w.execute(),
            w.parse("SELECT v FROM by_text WHERE code = $1"), w.bind([b"\xe4"]), w.execute(), w.SYNC)
        if server.name == "postgres":
            assert [m.values() for m in messages if m.type == "D"] == [[b"5"]]
        else:
            assert w.sqlstates(messages) == ["0A000"]

    def test_settings_beyond_ascii_keep_their_characters(self, server):
        connection = server.wire()
        connection.query("SET my.own = 'é'")
        connection.query("SET client_encoding = 'LATIN1'")
        for _ in range(3):
            assert connection.query("SHOW my.own")[1].values() == [b"\xe9"]
