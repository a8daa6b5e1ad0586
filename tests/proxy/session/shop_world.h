// The database of the conversations: as the router sees it, and as SQL for the shards.
#pragma once

#include "tests/router/plan/world.h"

namespace meridian {

// items, parcels: up to 99 on s1, the others on s2. notes: on the default shard s1 alone.
inline constexpr char kShop[] =
    "shards s1 s2\n"
    "server 150006\n"
    "distribution d integer: s1, 100 s2\n"
    "sharded items d id\n"
    "sharded parcels d id\n"
    "reference countries\n"
    "relation items id:23 name:25 keeps=has_deferrable_constraints\n"
    "relation parcels id:23 weight:701 note:25:generated\n"
    "relation countries code:25 name:25\n"
    "relation notes id:23 body:25\n";

// A UNIQUE that is checked at the end of the transaction.
inline constexpr char kShopSql[] =
    "CREATE TABLE items (id int PRIMARY KEY, name text UNIQUE DEFERRABLE INITIALLY DEFERRED);"
    "CREATE TABLE countries (code text PRIMARY KEY, name text);"
    "CREATE TABLE notes (id int PRIMARY KEY, body text);"
    "CREATE TABLE parcels (id int PRIMARY KEY, weight float8,"
    " note text GENERATED ALWAYS AS ('no ' || id) STORED)";
inline constexpr const char* kShopRows[] = {
    "INSERT INTO items VALUES (1, 'one'), (2, 'two'), (3, 'three');"
    "INSERT INTO countries VALUES ('AT', 'Austria'); INSERT INTO notes VALUES (1, 'hello');"
    "INSERT INTO parcels VALUES (1, 0.1), (2, NULL)",
    "INSERT INTO items VALUES (101, 'more'), (102, 'most');"
    "INSERT INTO countries VALUES ('AT', 'Austria'); INSERT INTO parcels VALUES (101, 7)"};

}  // namespace meridian
