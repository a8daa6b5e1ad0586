"""Start-up and encryption requests. PostgreSQL passes the same tests: it is the specification."""

import struct

import pytest

import wire as w

LOGIN = {"user": "app", "database": "shop"}


def encryption_request(code: int) -> bytes:
    return struct.pack("!ii", 8, code)


def first_error(connection: w.Wire) -> dict:
    """What the server said at last before it closed."""
    message = connection.read()
    while message.type in "Rv":
        message = connection.read()
    assert message.type == "E"
    assert connection.closed_by_server()
    return message.fields()


@pytest.mark.parametrize("code", [w.SSL_REQUEST, w.GSSENC_REQUEST])
def test_encryption_is_declined_and_the_login_goes_on(meridian, code):
    connection = meridian.wire_before_login()
    connection.send(encryption_request(code))
    assert connection.read_bytes(1) == b"N"
    connection.login("app", "app", "shop")
    assert connection.rows("SELECT 1") == [("1",)]


def test_gssenc_then_ssl_then_login(meridian):
    connection = meridian.wire_before_login()
    for code in (w.GSSENC_REQUEST, w.SSL_REQUEST):
        connection.send(encryption_request(code))
        assert connection.read_bytes(1) == b"N"
    connection.login("app", "app", "shop")


def test_bytes_behind_an_ssl_request_are_never_read_as_sql(meridian):
    connection = meridian.wire_before_login()
    connection.send(encryption_request(w.SSL_REQUEST) + w.startup_packet(LOGIN))
    try:
        assert connection.read_bytes(1) == b"N"
        error = first_error(connection)
        assert error["C"] == "08P01"
    except w.Closed:
        pass


def test_ssl_request_twice_is_no_endless_loop(meridian):
    connection = meridian.wire_before_login()
    connection.send(encryption_request(w.SSL_REQUEST))
    assert connection.read_bytes(1) == b"N"
    connection.send(encryption_request(w.SSL_REQUEST))
    # PostgreSQL takes the second one for a start-up packet of protocol 1234.5679.
    answer = connection.read_bytes(1)
    assert answer in (b"N", b"E")
    if answer == b"N":
        connection.send(encryption_request(w.SSL_REQUEST))
        assert connection.read_bytes(1) in (b"N", b"E")


@pytest.mark.parametrize("length", [0, 4, 7, 10005, 0x7FFFFFFF, -1])
def test_impossible_length_of_the_first_packet_closes(server, length):
    connection = server.wire_before_login()
    connection.send(struct.pack("!i", length) + b"abcd" * 3)
    try:
        assert connection.read().type == "E"
        assert connection.closed_by_server()
    except w.Closed:
        pass


def test_packet_byte_by_byte(server):
    connection = server.wire_before_login()
    connection.send_slowly(w.startup_packet(LOGIN))
    connection.authenticate("app")
    assert connection.until_ready()[-1].status == "I"


def test_packet_with_a_long_parameter(server):
    connection = server.wire_before_login()
    connection.login("app", "app", "shop", application_name="x" * 9000)
    assert len(connection.rows("SHOW application_name")[0][0]) == 63


def test_packet_without_terminator_is_refused(server):
    connection = server.wire_before_login()
    body = struct.pack("!i", w.PROTOCOL_3_0) + b"user\0app\0database\0shop"
    connection.send(struct.pack("!i", len(body) + 4) + body)
    assert first_error(connection)["C"] == "08P01"


@pytest.mark.parametrize("protocol,parameters,version,unknown", [
    (196610, {}, 196608, []),
    (196608 + 9999, {"_pq_.test_protocol_negotiation": "on"}, 196608,
     ["_pq_.test_protocol_negotiation"]),
    (196608, {"_pq_.some_feature": "1"}, 196608, ["_pq_.some_feature"]),
])
def test_newer_minor_protocols_are_negotiated(server, protocol, parameters, version, unknown):
    connection = server.wire_before_login()
    connection.send(w.startup_packet({**LOGIN, **parameters}, protocol))
    answer = connection.read()
    assert answer.type == "v"
    newest, count = struct.unpack_from("!ii", answer.body)
    names = answer.body[8:].split(b"\0")[:-1]
    assert count == len(unknown)
    assert [name.decode() for name in names] == unknown
    if server.name == "postgres":
        assert newest in (version, version & 0xFFFF)
    connection.authenticate("app")
    assert connection.until_ready()[-1].status == "I"


@pytest.mark.parametrize("protocol", [4 << 16, 2 << 16, 1 << 16])
def test_other_major_protocols_are_refused(server, protocol):
    connection = server.wire_before_login()
    connection.send(w.startup_packet(LOGIN, protocol))
    kind = connection.read_bytes(1)
    assert kind == b"E"


def test_unsupported_protocol_tells_which(server):
    connection = server.wire_before_login()
    connection.send(w.startup_packet(LOGIN, 4 << 16))
    error = connection.read().fields()
    assert error["S"] == "FATAL"
    assert error["C"] == "0A000"
    assert "4.0" in error["M"]


@pytest.mark.parametrize("options,setting,value", [
    ("-c work_mem=5MB", "work_mem", "5MB"),
    ("-cwork_mem=5MB", "work_mem", "5MB"),
    ("--work_mem=5MB", "work_mem", "5MB"),
    ("--work-mem=5MB -c search_path=a", "work_mem", "5MB"),
    (r"-c application_name=two\ words", "application_name", "two words"),
    (r"-c application_name=back\\slash", "application_name", "back\\slash"),
    ("-c geqo=off -c enable_seqscan=off", "geqo", "off"),
])
def test_options(server, options, setting, value):
    connection = server.wire(options=options)
    assert connection.rows(f"SHOW {setting}") == [(value,)]


@pytest.mark.parametrize("parameters,sqlstate", [
    ({"no_such_setting": "1"}, "42704"),
    ({"options": "-c no_such_setting=1"}, "42704"),
    ({"work_mem": "much"}, "22023"),
    ({"options": "-c shared_buffers=1GB"}, "55P02"),
])
def test_wrong_settings_at_login_are_refused_as_by_postgresql(server, parameters, sqlstate):
    connection = server.wire_before_login()
    connection.send(w.startup_packet({**LOGIN, **parameters}))
    connection.authenticate("app")
    messages = connection.read_until("E", "Z")
    if messages[-1].type == "Z":  # the settings reach a server with the first statement
        assert server.name == "meridian"
        messages = connection.query("SELECT 1")
    assert w.sqlstates(messages) == [sqlstate]


@pytest.mark.parametrize("name,value", [
    ("extra_float_digits", "3"), ("DateStyle", "ISO, DMY"), ("TimeZone", "Asia/Tokyo"),
    ("client_encoding", "LATIN1"), ("statement_timeout", "12s"), ("geqo", "off")])
def test_settings_at_login_hold(server, name, value):
    connection = server.wire(**{name: value})
    assert connection.rows(f"SHOW {name}") == [(value,)]


def test_parameter_status_follows_the_settings_at_login(server):
    connection = server.wire(TimeZone="Asia/Tokyo", application_name="me", DateStyle="German")
    assert connection.parameters["TimeZone"] == "Asia/Tokyo"
    assert connection.parameters["application_name"] == "me"
    assert connection.parameters["DateStyle"] == "German, DMY"


def test_empty_application_name(server):
    assert server.wire(application_name="").rows("SHOW application_name") == [("",)]


def test_the_same_parameters_are_reported_as_by_postgresql(cluster, meridian):
    connection = meridian.wire()
    oracle = w.Wire("127.0.0.1", cluster.oracle.port)
    oracle.login("app", "app", cluster.database)
    assert connection.parameters == oracle.parameters
    oracle.close()


def test_user_missing(server):
    connection = server.wire_before_login()
    connection.send(w.startup_packet({"database": "shop"}))
    assert first_error(connection)["C"] == "28000"


def test_unknown_database_has_its_sqlstate(server):
    connection = server.wire_before_login()
    connection.send(w.startup_packet({"user": "app", "database": "no_such_db"}))
    connection.authenticate("app")
    assert first_error(connection)["C"] == "3D000"


def test_a_missing_database_is_named_as_the_user(server):
    connection = server.wire_before_login()
    connection.send(w.startup_packet({"user": "app"}))
    connection.authenticate("app")
    error = first_error(connection)
    assert error["C"] == "3D000"
    assert '"app"' in error["M"]


@pytest.mark.parametrize("user,password", [("app", "wrong"), ("nobody_here", "app"), ("app", "")])
def test_wrong_password_and_unknown_user_look_alike(server, user, password):
    connection = server.wire_before_login()
    with pytest.raises(AssertionError) as raised:
        connection.login(user, password, "shop")
    error = raised.value.args[0]
    assert error["C"] == "28P01"
    assert error["M"] == f'password authentication failed for user "{user}"'


@pytest.mark.parametrize("mode", ["true", "database"])
def test_replication_is_refused(meridian, mode):
    connection = meridian.wire_before_login()
    connection.send(w.startup_packet({**LOGIN, "replication": mode}))
    message = connection.read()
    if message.type == "R":
        pytest.fail("a replication login was not refused")
    assert message.fields()["C"] == "0A000"


def test_garbage_instead_of_a_login_ends_only_that_connection(meridian):
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\0" * 64, b"Q"):
        connection = meridian.wire_before_login()
        connection.send(garbage)
        connection.half_close()
        connection.raw_socket.settimeout(5)
        try:
            while True:
                connection.read_bytes(1)
        except w.Closed:
            pass
    assert meridian.wire().rows("SELECT 1") == [("1",)]


def test_sasl_garbage_is_refused(meridian):
    for body in (b"", b"SCRAM-SHA-256", b"SCRAM-SHA-256\0\xff\xff\xff\xff", b"PLAIN\0\0\0\0\0",
                 b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=x", b"SCRAM-SHA-256\0\0\0\0\4n,,n"):
        connection = meridian.wire_before_login()
        connection.send(w.startup_packet(LOGIN))
        assert connection.read().type == "R"
        connection.send(w.message("p", body))
        answer = connection.read()
        if answer.type == "R":  # no first message yet: the server asks for it
            connection.send(w.message("p", b"garbage"))
            answer = connection.read()
        assert answer.fields()["S"] == "FATAL"
        assert connection.closed_by_server()


def test_a_query_before_the_login_is_refused(meridian):
    connection = meridian.wire_before_login()
    connection.send(w.startup_packet(LOGIN))
    assert connection.read().type == "R"
    connection.send(w.query("SELECT 1"))
    error = connection.read().fields()
    assert (error["S"], error["C"]) == ("FATAL", "08P01")
    assert connection.closed_by_server()
