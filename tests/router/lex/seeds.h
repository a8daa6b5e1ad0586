// SQL texts that hold every kind of token, for the fuzz targets of this folder.
#pragma once

#include <string>
#include <vector>

namespace meridian {

inline std::vector<std::string> LexSeeds() {
  return {
      "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;",
      "select * from t where a='it''s' and b=E'\\'x\\n\\x41\\101\\u0041' -- c\n and c=$1::int8",
      "INSERT INTO Orders (id, \"Name\", x) VALUES (1, 'a', 2.5e-3), (-2, $$b$$, .5), (3, $t$ $ "
      "$t$, 1.)",
      "/* a /* nested */ comment */ UPDATE t SET a = a+-1, b = b - - 2 WHERE c <> ALL ('{1,2}');;",
      "select 'a'\n'b', 'a' -- c\n 'b', e'x'\n  'y\\'', b'01'\n'10', x'1F', n'nat', N'x''y'",
      "select U&'d\\0061t\\+000061', U&\"d!0061t\" UESCAPE '!' , u&'x' uescape '!' from u",
      "select a[1:2], b[:3], c::numeric(10,2), d::float(25), 1..2, 1 .. 2, f(x => 1, y := 2)",
      "select a@>b, a<@b, a->>'x', a#>>'{y}', a||b, @-5, a !~~* b, a<=b, a>=b, a<>b, a!=b, a?b, "
      "a<=-1",
      "select 9223372036854775807, 9223372036854775808, 2147483647, 2147483648, 007, -1, + 1",
      "select $1, $22::text, $$x$y$$, $a$ $b$ $a$, $ä$x$ä$, tab$le, _x, é from t",
      "select a*/*c*/b, a--c\n+b, a/**/, a -/* x */- b, *-- x\n, a&&-b, a<--\n1, 1e10, 1E+5",
      "with x as (select 1 as k) select extract(year from d), interval '1 day', date '2020-01-01', "
      "cast(a as float ( 24 )), true, null, 'x' like 'y' escape '!' from x limit 10 offset 5",
      "delete from s.\"T\"\"q\" where k in (1, 2, 3) and z between 'a' and 'b' returning *",
      "copy t (a, b) from stdin with (format csv, delimiter ',', null 'x')",
      "begin; select 1; commit",
      "prepare p (int) as select * from t where k = $1; execute p (1)",
      "set search_path = a, 'B'; set local x to 5; set session characteristics as transaction read "
      "only",
      "do $do$ begin perform 1; end $do$",
      "create function f() returns int language sql begin atomic select 1; select 2; end",
      "select 'a' 'b'",
      "select\t1\r\n,\f2",
  };
}

}  // namespace meridian
