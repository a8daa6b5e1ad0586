"""pg_dump through the proxy: the schema, and the rows of one shard."""

import re

import programs


def without_identity(dump: str) -> list:
    """Lines without comments, and without the token that newer versions write for psql."""
    return [line for line in dump.splitlines()
            if line and not line.startswith("--") and not re.match(r"\\(un)?restrict", line)]


def test_schema_only(cluster):
    through, direct = (
        programs.output("pg_dump", ["--schema-only", "--exclude-schema=meridian"],
                        programs.environment(port))
        for port in (cluster.proxy.port, cluster.shard("s1").port))
    assert without_identity(through) == without_identity(direct)
    assert "CREATE TABLE public.order_lines" in through


def test_one_shard(cluster):
    for shard in cluster.shards:
        env = programs.environment(cluster.proxy.port, PGOPTIONS=f"-c meridian.shard={shard.name}")
        # The catalog, which is on s1, is not the user's; the records of decisions may be read.
        options = ["--exclude-schema=meridian"] if shard.name == "s1" else []
        dump = programs.output("pg_dump", options, env)
        direct = programs.output("pg_dump", options, programs.environment(shard.port))
        assert without_identity(dump) == without_identity(direct)


def test_rows_of_one_table_as_inserts(cluster):
    env = programs.environment(cluster.proxy.port, PGOPTIONS="-c meridian.shard=s2")
    dump = programs.output("pg_dump", ["--data-only", "--inserts", "--table=kv"], env)
    assert dump.count("INSERT INTO public.kv") == cluster.rows_per_shard("kv")["s2"]


def test_custom_format_can_be_restored(cluster, tmp_path):
    env = programs.environment(cluster.proxy.port, PGOPTIONS="-c meridian.shard=s1")
    programs.output("pg_dump", ["-Fc", "--table=kv", "-f", str(tmp_path / "dump")], env)
    listing = programs.output("pg_restore", ["--list", str(tmp_path / "dump")], env)
    assert "TABLE DATA public kv" in listing


def test_without_a_shard_it_is_complete_or_refused(cluster):
    done = programs.run("pg_dump", ["--data-only", "--table=kv"],
                        programs.environment(cluster.proxy.port))
    if done.returncode == 0:
        assert sum(line.count("\tvalue ") for line in done.stdout.splitlines()) == 1000
    else:
        assert "meridian.shard" in done.stderr
