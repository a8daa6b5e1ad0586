"""asyncpg: binary protocol, prepared statements for everything."""

import asyncio
import datetime
import decimal
import sys

import asyncpg

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


@check
async def fetch(connection):
    for key in range(1, 50):
        assert await connection.fetchval("SELECT v FROM kv WHERE k = $1", key) == f"value {key}"


@check
async def prepared_statements(connection):
    statement = await connection.prepare("SELECT k, n FROM kv WHERE k = $1")
    assert [a.type.name for a in statement.get_attributes()] == ["int8", "int4"]
    for key in (3, 4, 5):
        assert (await statement.fetchrow(key))["k"] == key


@check
async def binary_types(connection):
    row = await connection.fetchrow(
        "SELECT c.*, $2::timestamptz AS at, $3::jsonb AS doc, $4::int[] AS list "
        "FROM customers c WHERE customer_id = $1", 3,
        datetime.datetime(2025, 1, 2, tzinfo=datetime.timezone.utc), '{"a": 1}', [1, None, 3])
    assert row["balance"] == decimal.Decimal("22.50")
    assert row["vip"] is True and row["list"] == [1, None, 3]
    row = await connection.fetchrow("SELECT count(*) FROM by_day WHERE day = $1",
                                    datetime.date(2025, 5, 15))
    assert row["count"] == 2


@check
async def transactions(connection):
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute("UPDATE kv SET v = 'asyncpg' WHERE k = 5")
        try:
            async with connection.transaction():
                await connection.execute("INSERT INTO kv VALUES (5, 'exists')")
        except asyncpg.UniqueViolationError:
            pass
    assert await connection.fetchval("SELECT v FROM kv WHERE k = 5") == "asyncpg"
    await connection.execute("UPDATE kv SET v = 'value 5' WHERE k = 5")


@check
async def copy_records(connection):
    records = [(key, f"record {key}", None) for key in range(920_000, 920_500)]
    assert await connection.copy_records_to_table("kv", records=records) == "COPY 500"
    assert await connection.fetchval("SELECT v FROM kv WHERE k = 920123") == "record 920123"
    await connection.execute("DELETE FROM kv WHERE k >= 900000")


@check
async def cursor(connection):
    async with connection.transaction():
        seen = [record[0] async for record in connection.cursor(
            "SELECT order_id FROM orders WHERE customer_id = $1 ORDER BY 1", 3, prefetch=1)]
    assert seen == [1, 2, 3]


@check
async def executemany(connection):
    """One batch, so one transaction, on one shard as on several."""
    await connection.executemany("UPDATE kv SET n = n + $1 WHERE k = 15", [(n,) for n in range(-20, 21)])
    assert await connection.fetchval("SELECT n FROM kv WHERE k = 15") == 5
    keys = [(key,) for key in range(1, 50)]
    await connection.executemany("UPDATE kv SET n = n + 1000 WHERE k = $1", keys)
    assert await connection.fetchval("SELECT n FROM kv WHERE k = 3") == 1003
    await connection.executemany("UPDATE kv SET n = n - 1000 WHERE k = $1", keys)
    try:
        await connection.executemany("INSERT INTO kv VALUES ($1, 'many', 0)", [(key,) for key in range(920_000, 920_020)] + [(3,)])
        raise AssertionError("not an error")
    except asyncpg.UniqueViolationError:
        assert await connection.fetch("SELECT * FROM kv WHERE k >= 920000") == []


@check
async def cancel_by_timeout(connection):
    try:
        await connection.execute("SELECT pg_sleep(30)", timeout=0.3)
        raise AssertionError("not cancelled")
    except asyncio.TimeoutError:
        pass
    assert await connection.fetchval("SELECT 1") == 1


@check
async def listen(connection):
    heard = asyncio.get_running_loop().create_future()
    await connection.add_listener("from_asyncpg", lambda *event: heard.done() or heard.set_result(event[3]))
    other = await asyncpg.connect()
    await other.execute("NOTIFY from_asyncpg, 'hello'")
    assert await asyncio.wait_for(heard, 5) == "hello"
    await other.close()


@check
async def pool_with_reset(_):
    async with asyncpg.create_pool(min_size=3, max_size=5) as pool:
        async def work(key):
            async with pool.acquire() as connection:
                return await connection.fetchval("SELECT v FROM kv WHERE k = $1", key)
        values = await asyncio.gather(*[work(key) for key in range(1, 60)])
    assert values == [f"value {key}" for key in range(1, 60)]


async def main():
    failed = False
    for function in CHECKS:
        try:
            connection = await asyncpg.connect()
            try:
                await asyncio.wait_for(function(connection), 30)
            finally:
                await connection.close(timeout=5)
            print(f"ok {function.__name__}")
        except Exception as error:  # whatever it is, it is this check's failure
            failed = True
            print(f"not ok {function.__name__}: {type(error).__name__} {error}".replace("\n", " "))
    return failed


sys.exit(asyncio.run(main()))
