"""Comparison of Meridian's answers with those of one plain PostgreSQL (the oracle).

A statement must give the same rows, tag, SQLSTATE and transaction status, or be refused with 0A000;
what was refused is counted and listed at the end of the run. A differing answer is a failure.
"""

import dataclasses
import re

import wire as w

REFUSED = "0A000"


@dataclasses.dataclass
class Outcome:
    columns: list
    rows: list
    tags: list
    sqlstate: str | None
    message: str
    status: str

    def same_as(self, other: "Outcome", ordered: bool) -> bool:
        rows = [self.rows, other.rows]
        if not ordered:
            rows = [sorted(part, key=repr) for part in rows]
        return ((self.columns, self.tags, self.sqlstate, self.status, rows[0]) ==
                (other.columns, other.tags, other.sqlstate, other.status, rows[1]))

    def __str__(self):
        lines = [f"columns {self.columns}", f"tags {self.tags}",
                 f"error {self.sqlstate} {self.message}", f"status {self.status}",
                 f"{len(self.rows)} rows"]
        return "\n    ".join(lines + [str(row) for row in self.rows[:20]])


def type_oid(oid: int) -> int | str:
    """Types of users (rows of tables, enums) have another OID on each server."""
    first_normal_object_id = 16384
    return oid if oid < first_normal_object_id else "user's"


def outcome(messages: list) -> Outcome:
    columns = [(c[0], type_oid(c[1]), c[2]) for m in messages if m.type == "T" for c in m.columns()]
    errors = [m.fields() for m in messages if m.type == "E"]
    return Outcome(columns=columns,
                   rows=[tuple(m.values()) for m in messages if m.type == "D"],
                   tags=w.tags(messages),
                   sqlstate=errors[0]["C"] if errors else None,
                   message=errors[0]["M"] if errors else "",
                   status=messages[-1].status)


def is_ordered(sql: str) -> bool:
    """Whether ORDER BY of the outermost query fixes the order: the statements of the tests write it
    behind the last closing parenthesis."""
    return re.search(r"order\s+by", sql.rpartition(")")[2] or sql, re.IGNORECASE) is not None


class Comparison:
    compared = 0
    refused = []

    def __init__(self, cluster):
        self._cluster = cluster
        self._proxy = w.Wire("127.0.0.1", cluster.proxy.port)
        self._proxy.login("app", "app", cluster.database)
        self._oracle = w.Wire("127.0.0.1", cluster.oracle.port)
        self._oracle.login("app", "app", cluster.database)

    def close(self):
        self._proxy.close()
        self._oracle.close()

    def simple(self, sql: str) -> Outcome:
        return self._compare(sql, [w.query(sql)])

    def extended(self, sql: str, values=(), types=(), formats=(), result_formats=()) -> Outcome:
        return self._compare(sql, [w.parse(sql, types=types),
                                   w.bind(values, formats=formats, result_formats=result_formats),
                                   w.describe("P"), w.execute(), w.SYNC], values)

    def _compare(self, sql: str, request: list, values=()) -> Outcome:
        got = outcome(self._proxy.ask(*request))
        Comparison.compared += 1
        if got.sqlstate == REFUSED:
            Comparison.refused.append((" ".join(sql.split()), got.message))
            self._follow_refusal(got)
            return got
        expected = outcome(self._oracle.ask(*request))
        assert got.same_as(expected, is_ordered(sql)), (
            f"{sql} {list(values)}\n  PostgreSQL: {expected}\n  Meridian:   {got}")
        return got

    def _follow_refusal(self, got: Outcome):
        """Leaves the oracle in the transaction status that the refusal led to."""
        if got.status == "E":
            self._oracle.query("SELECT 1/0")
