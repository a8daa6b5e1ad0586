"""Random statements over the tables of schema.sql, the same ones for the same seed.

Every result is determined by the statement but for the order of its rows, which ORDER BY, where
there is one, determines.
"""

import random

_TABLES = {
    "kv": {"key": "k", "numbers": ["k", "n"], "texts": ["v"]},
    "customers": {"key": "customer_id", "numbers": ["customer_id", "balance"],
                  "texts": ["name", "city"]},
    "orders": {"key": "customer_id", "numbers": ["customer_id", "order_id"], "texts": ["status"]},
    "order_lines": {"key": "customer_id", "numbers": ["customer_id", "order_id", "quantity"],
                    "texts": []},
    "products": {"key": "product_id", "numbers": ["product_id", "price"], "texts": ["name"]},
    "notes": {"key": "id", "numbers": ["id"], "texts": ["note"]},
    "by_number": {"key": "k", "numbers": ["k"], "texts": ["v"]},
}
_SHARDED_TOGETHER = ["kv", "customers", "orders", "order_lines"]


class Generator:
    def __init__(self, source: random.Random):
        self._random = source
        self._in_transaction = False
        self._values = None

    def statement(self):
        """(text, values): values is None for the simple protocol."""
        self._values = [] if self._chance(0.4) else None
        kind = self._random.choices(
            [self._transaction, self._insert, self._update, self._delete, self._select,
             self._join, self._nested, self._set_operation],
            [6, 12, 10, 6, 30, 20, 14, 6])[0]
        return kind(), self._values

    # Parts

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _pick(self, items):
        return self._random.choice(items)

    def _constant(self, value) -> str:
        """A literal in one of its forms, or a parameter."""
        if self._values is not None and self._chance(0.7):
            self._values.append(value)
            return f"${len(self._values)}"
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        if self._chance(0.1):
            return f"'{value}'"
        if self._chance(0.1):
            return f"({value - 1} + 1)"
        return str(value)

    def _key(self) -> int:
        return self._random.randint(1, 12)

    def _predicate(self, table: str, alias: str) -> str:
        column = f"{alias}.{_TABLES[table]['key']}"
        other = f"{alias}.{self._pick(_TABLES[table]['numbers'])}"
        forms = [
            lambda: f"{column} = {self._constant(self._key())}",
            lambda: f"{self._constant(self._key())} = {column}",
            lambda: f"{column} IN ({self._key()}, {self._key()})",
            lambda: f"{column} = ANY (ARRAY[{self._key()}, {self._key()}])",
            lambda: f"{column} BETWEEN {self._key()} AND {self._key()}",
            lambda: f"{column} < {self._constant(self._key())}",
            lambda: f"{other} > {self._key()}",
            lambda: f"{other} IS NOT NULL",
            lambda: f"NOT ({column} = {self._key()})",
            lambda: f"({column} = {self._key()} OR {other} = {self._key()})",
            lambda: f"({column} = {self._key()} OR {column} = {self._key()})",
            lambda: f"({column} = {self._key()}) IS NOT FALSE",
            lambda: f"{column} % 5 = {self._key() % 5}",
            lambda: f"{column} = {other}",
            lambda: f"({column}, {other}) = ({self._key()}, {self._key()})",
            lambda: f"CASE WHEN {other} > 3 THEN {column} = {self._key()} ELSE true END",
            lambda: f"{column} = {self._constant(self._key())}",
            lambda: f"{column} = {self._constant(self._key())}",
        ]
        return self._pick(forms)()

    def _where(self, table: str, alias: str) -> str:
        predicates = [self._predicate(table, alias) for _ in range(self._random.randint(1, 3))]
        text = predicates[0]
        for predicate in predicates[1:]:
            text = f"{text} {'AND' if self._chance(0.75) else 'OR'} {predicate}"
        return text

    def _order(self, columns: int) -> str:
        """By all columns: ties are equal rows then."""
        return " ORDER BY " + ", ".join(str(number + 1) for number in range(columns))

    def _limit(self) -> str:
        text = f" LIMIT {self._random.randint(0, 5)}" if self._chance(0.5) else ""
        return text + (f" OFFSET {self._random.randint(0, 3)}" if self._chance(0.2) else "")

    # Statements

    def _transaction(self) -> str:
        self._values = None
        if self._in_transaction:
            self._in_transaction = False
            return self._pick(["COMMIT", "ROLLBACK"])
        self._in_transaction = True
        return self._pick(["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"])

    def _select(self) -> str:
        table = self._pick(list(_TABLES))
        columns = _TABLES[table]["numbers"] + _TABLES[table]["texts"]
        where = self._where(table, "t")
        form = self._random.randrange(5)
        if form == 0:
            group = self._pick(columns)
            having = " HAVING count(*) > 1" if self._chance(0.3) else ""
            order = self._order(1) + self._limit() if self._chance(0.4) else ""
            return (f"SELECT t.{group}, count(*), min(t.{columns[0]}) FROM {table} t WHERE {where} "
                    f"GROUP BY t.{group}{having}{order}")
        if form == 1:
            number = self._pick(_TABLES[table]["numbers"])
            return f"SELECT count(*), sum(t.{number}), max(t.{number}) + 1 FROM {table} t WHERE {where}"
        if form == 2:
            return f"SELECT DISTINCT t.{self._pick(columns)} FROM {table} t WHERE {where}"
        chosen = self._random.sample(columns, self._random.randint(1, len(columns)))
        order = self._order(len(chosen)) + self._limit() if self._chance(0.3) else ""
        return f"SELECT {', '.join('t.' + c for c in chosen)} FROM {table} t WHERE {where}{order}"

    def _join(self) -> str:
        first = self._pick(_SHARDED_TOGETHER)
        second = self._pick(_SHARDED_TOGETHER + ["products", "notes"])
        condition = f"a.{_TABLES[first]['key']} = b.{_TABLES[second]['key']}"
        if self._chance(0.2):
            condition = f"a.{self._pick(_TABLES[first]['numbers'])} = b.{_TABLES[second]['key']}"
        if self._chance(0.3):
            condition += f" AND {self._predicate(second, 'b')}"
        kind = self._pick(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        where = self._where(first, "a") if self._chance(0.7) else self._where(second, "b")
        return (f"SELECT a.{_TABLES[first]['numbers'][-1]}, b.{_TABLES[second]['numbers'][-1]} "
                f"FROM {first} a {kind} {second} b ON {condition} WHERE {where}")

    def _nested(self) -> str:
        outer, inner = self._pick(_SHARDED_TOGETHER), self._pick(_SHARDED_TOGETHER)
        outer_key, inner_key = _TABLES[outer]["key"], _TABLES[inner]["key"]
        where = self._where(inner, "i")
        correlated = f"i.{inner_key} = o.{outer_key}"
        return self._pick([
            f"SELECT o.{outer_key} FROM {outer} o WHERE o.{outer_key} IN "
            f"(SELECT i.{inner_key} FROM {inner} i WHERE {where})",
            f"SELECT o.{outer_key} FROM {outer} o WHERE {self._pick(['', 'NOT '])}EXISTS "
            f"(SELECT 1 FROM {inner} i WHERE {correlated} AND ({where}))",
            f"SELECT s.{inner_key} FROM (SELECT i.* FROM {inner} i WHERE {where}) s "
            f"WHERE s.{inner_key} = {self._key()}",
            f"WITH s AS (SELECT i.{inner_key} AS k, count(*) AS c FROM {inner} i WHERE {where} "
            f"GROUP BY i.{inner_key}) SELECT k, c FROM s WHERE k = {self._key()}",
            f"SELECT s.k FROM (SELECT max(i.{inner_key}) AS k FROM {inner} i WHERE {where}) s "
            f"WHERE s.k = {self._key()}",
            f"SELECT (SELECT count(*) FROM {inner} i WHERE {where})",
            f"SELECT o.{outer_key}, (SELECT count(*) FROM {inner} i WHERE {correlated} "
            f"AND ({where})) FROM {outer} o WHERE o.{outer_key} = {self._key()}",
        ])

    def _set_operation(self) -> str:
        parts = []
        for _ in range(2):
            table = self._pick(_SHARDED_TOGETHER)
            parts.append(f"SELECT t.{_TABLES[table]['key']}::bigint FROM {table} t "
                         f"WHERE {self._where(table, 't')}")
        return f" {self._pick(['UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT'])} ".join(parts)

    def _insert(self) -> str:
        if self._chance(0.15):
            return f"INSERT INTO products VALUES ({self._random.randint(60, 99)}, 'p', {self._key()})"
        rows = []
        for _ in range(1 if self._chance(0.5) else self._random.randint(2, 5)):
            key = self._constant(self._random.randint(1, 60) if self._chance(0.2)
                                 else self._random.randint(2000, 2100))
            rows.append(f"({key}, {self._constant('inserted')}, {self._key()})")
        conflict = self._pick(["", "", " ON CONFLICT DO NOTHING",
                               " ON CONFLICT (k) DO UPDATE SET n = kv.n + 1, v = 'conflict'"])
        returning = " RETURNING k, v" if self._chance(0.3) else ""
        return f"INSERT INTO kv VALUES {', '.join(rows)}{conflict}{returning}"

    def _update(self) -> str:
        if self._chance(0.15):
            return f"UPDATE products SET price = price + 1 WHERE product_id = {self._key()}"
        assignment = self._random.choices(
            [lambda: f"n = {self._key()}", lambda: "n = n + 1",
             lambda: f"v = {self._constant('updated')}", lambda: f"k = {self._key() + 3000}"],
            [4, 4, 4, 1])[0]()
        returning = " RETURNING kv.k, kv.n" if self._chance(0.3) else ""
        return f"UPDATE kv SET {assignment} WHERE {self._where('kv', 'kv')}{returning}"

    def _delete(self) -> str:
        returning = " RETURNING k" if self._chance(0.3) else ""
        return (f"DELETE FROM kv WHERE {self._predicate('kv', 'kv')} AND {self._predicate('kv', 'kv')}"
                f"{returning}")
