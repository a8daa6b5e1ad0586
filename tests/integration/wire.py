"""A client of protocol v3 that says exactly what it is told to, right or wrong.

For tests of corner cases that no driver produces. Nothing is sent or read on its own but the login.
"""

import base64
import dataclasses
import hashlib
import hmac
import os
import socket
import struct

PROTOCOL_3_0 = 196608
PROTOCOL_3_2 = 196610
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102

# How long an answer may take; a hang is a failure.
TIMEOUT_SECONDS = 5


@dataclasses.dataclass(frozen=True)
class Message:
    type: str
    body: bytes

    def fields(self) -> dict:
        """Of ErrorResponse and NoticeResponse."""
        parts = self.body.rstrip(b"\0").split(b"\0")
        return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in parts if part}

    @property
    def sqlstate(self) -> str:
        return self.fields()["C"]

    @property
    def tag(self) -> str:
        return self.body.rstrip(b"\0").decode()

    @property
    def status(self) -> str:
        """Of ReadyForQuery."""
        return self.body.decode()

    def values(self) -> list:
        """Of DataRow."""
        (count,) = struct.unpack_from("!H", self.body)
        offset = 2
        values = []
        for _ in range(count):
            (size,) = struct.unpack_from("!i", self.body, offset)
            offset += 4
            values.append(None if size < 0 else self.body[offset:offset + size])
            offset += max(size, 0)
        return values

    def columns(self) -> list:
        """Of RowDescription: (name, type oid, format)."""
        (count,) = struct.unpack_from("!H", self.body)
        offset = 2
        columns = []
        for _ in range(count):
            end = self.body.index(b"\0", offset)
            name = self.body[offset:end].decode()
            _, _, oid, _, _, fmt = struct.unpack_from("!IhIhih", self.body, end + 1)
            columns.append((name, oid, fmt))
            offset = end + 19
        return columns


class Closed(Exception):
    """The server closed the connection."""


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def string(text) -> bytes:
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def query(sql) -> bytes:
    return message("Q", string(sql))


def parse(sql, name="", types=()) -> bytes:
    return message("P", string(name) + string(sql) + struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(values=(), statement="", portal="", formats=(), result_formats=()) -> bytes:
    body = string(portal) + string(statement)
    body += struct.pack(f"!H{len(formats)}h", len(formats), *formats)
    body += struct.pack("!H", len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            value = value if isinstance(value, bytes) else str(value).encode()
            body += struct.pack("!i", len(value)) + value
    return message("B", body + struct.pack(f"!H{len(result_formats)}h", len(result_formats),
                                           *result_formats))


def describe(kind: str, name="") -> bytes:
    """kind: S(tatement) or P(ortal)."""
    return message("D", kind.encode() + string(name))


def execute(portal="", rows=0) -> bytes:
    return message("E", string(portal) + struct.pack("!i", rows))


def close(kind: str, name="") -> bytes:
    return message("C", kind.encode() + string(name))


def copy_data(data: bytes) -> bytes:
    return message("d", data)


SYNC = message("S")
FLUSH = message("H")
TERMINATE = message("X")
COPY_DONE = message("c")


def copy_fail(reason: str) -> bytes:
    return message("f", string(reason))


def startup_packet(parameters: dict, protocol: int = PROTOCOL_3_0) -> bytes:
    body = struct.pack("!i", protocol)
    for name, value in parameters.items():
        body += string(name) + string(value)
    body += b"\0"
    return struct.pack("!i", len(body) + 4) + body


class Wire:
    """One connection. `parameters` and `key` are what the server told at login."""

    def __init__(self, host: str, port: int):
        self._socket = socket.create_connection((host, port), TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self.parameters = {}
        self.key = None

    # Bytes

    def send(self, *parts: bytes):
        self._socket.sendall(b"".join(parts))

    def send_slowly(self, data: bytes):
        for index in range(len(data)):
            self._socket.sendall(data[index:index + 1])

    def read_bytes(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                part = self._socket.recv(1 << 16)
            except ConnectionResetError:
                part = b""
            if not part:
                raise Closed(f"{bytes(self._buffer)!r} was the last")
            self._buffer += part
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def read(self) -> Message:
        head = self.read_bytes(5)
        (size,) = struct.unpack("!i", head[1:])
        return Message(head[:1].decode("latin-1"), self.read_bytes(size - 4))

    def half_close(self):
        self._socket.shutdown(socket.SHUT_WR)

    def close(self):
        self._socket.close()

    def reset(self):
        """Vanishes: the other side gets RST instead of an orderly end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def closed_by_server(self) -> bool:
        """Whether nothing but the end comes."""
        try:
            self.read_bytes(1)
            return False
        except Closed:
            return True

    @property
    def raw_socket(self):
        return self._socket

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Conversations

    def read_until(self, *types: str) -> list:
        messages = []
        while not messages or messages[-1].type not in types:
            messages.append(self.read())
        return messages

    def until_ready(self) -> list:
        """Up to ReadyForQuery, without ParameterStatus and NoticeResponse."""
        return [m for m in self.read_until("Z") if m.type not in "SN"]

    def ask(self, *parts: bytes) -> list:
        self.send(*parts)
        return self.until_ready()

    def query(self, sql) -> list:
        return self.ask(query(sql))

    def rows(self, sql) -> list:
        """The rows as text; an error is an AssertionError."""
        messages = self.query(sql)
        errors = [m.fields() for m in messages if m.type == "E"]
        assert not errors, errors
        return [tuple(None if v is None else v.decode() for v in m.values())
                for m in messages if m.type == "D"]

    def login(self, user: str, password: str, database: str, protocol: int = PROTOCOL_3_0,
              **parameters):
        """Up to the first ReadyForQuery; the messages behind authentication."""
        self.send(startup_packet({"user": user, "database": database, **parameters}, protocol))
        self.authenticate(password)
        messages = self.read_until("Z", "E")
        for m in messages:
            if m.type == "S":
                name, value, _ = m.body.split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif m.type == "K":
                self.key = m.body
        return messages

    def authenticate(self, password: str):
        while True:
            request = self.read()
            if request.type == "E":
                raise AssertionError(request.fields())
            if request.type != "R":
                continue
            (kind,) = struct.unpack_from("!i", request.body)
            if kind == 0:
                return
            assert kind == 10, f"authentication request {kind}"
            self._scram(password)

    def _scram(self, password: str):
        nonce = base64.b64encode(os.urandom(18)).decode()
        first_bare = f"n=,r={nonce}"
        first = ("n,," + first_bare).encode()
        self.send(message("p", string("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
        answer = self.read()
        assert answer.type == "R", answer.fields()
        server_first = answer.body[4:].decode()
        given = dict(part.split("=", 1) for part in server_first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(given["s"]),
                                     int(given["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        final_bare = f"c=biws,r={given['r']}"
        signed = ",".join([first_bare, server_first, final_bare]).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
        self.send(message("p", f"{final_bare},p={proof}".encode()))
        answer = self.read()
        if answer.type == "E":
            raise AssertionError(answer.fields())
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        expected = base64.b64encode(hmac.digest(server_key, signed, "sha256")).decode()
        assert answer.body[4:].decode() == f"v={expected}", "the server does not know the password"

    @property
    def pid(self) -> int:
        return struct.unpack_from("!i", self.key)[0]

    def cancel_packet(self) -> bytes:
        return struct.pack("!ii", len(self.key) + 8, CANCEL_REQUEST) + self.key


def types(messages: list) -> str:
    """The types in a row: "TDCZ"."""
    return "".join(m.type for m in messages)


def sqlstates(messages: list) -> list:
    return [m.sqlstate for m in messages if m.type == "E"]


def tags(messages: list) -> list:
    return [m.tag for m in messages if m.type == "C"]
