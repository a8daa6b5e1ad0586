# Of deploy/quickstart.sh: shards, tables and rows of the shop, all by way of the proxy.

admin_sql() { proxy_psql admin meridian "$@"; }
shop_sql() { proxy_psql demo shop "$@"; }

# Runs a function once: its mark is made when it is through.
once() {
  [[ -e $(data_dir)/done-$1 ]] && return
  "$1"
  touch "$(data_dir)/done-$1"
}

create_shards() {
  local shard
  for shard in s1 s2; do
    if [[ -z $(admin_sql -At -c "SHOW SHARDS WHERE shard = '$shard'") ]]; then
      admin_sql -c "CREATE SHARD $shard OPTIONS (HOST 'localhost:$(port_of "$shard")',
        HOST 'localhost:$(port_of "${shard}r")', DBNAME 'shop')" >/dev/null
    fi
  done
}

wait_for_shop() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    shop_sql -c 'SELECT 1' >/dev/null 2>&1 && return
    sleep 0.1
  done
  shop_sql -c 'SELECT 1' >/dev/null || fail "clients cannot log in; see $demo/log/meridian.log"
}

create_tables() {
  step "Creating the tables of the shop"
  # All or none, should this be interrupted.
  shop_sql --single-transaction -f "$root/deploy/demo/schema.sql"
}

shard_tables() {
  step "Telling the proxy how they are sharded"
  admin_sql -f "$root/deploy/demo/shard-map.sql"
}

load_table() {
  awk -v table="$1" -f "$root/deploy/demo/rows.awk" |
    shop_sql -c "COPY $1 FROM STDIN (FORMAT csv)"
  say "    $1: $2 rows"
}

load_rows() {
  step "Loading the shop by COPY through the proxy"
  shop_sql -c 'TRUNCATE order_lines, orders, products, customers' >/dev/null
  load_table products 1,000
  load_table customers 20,000
  load_table orders 60,000
  load_table order_lines 150,000
}

set_up_shop() {
  once create_shards
  wait_for_shop
  once create_tables
  once shard_tables
  once load_rows
}

# example DATABASE STATEMENT
example() {
  printf '\n%s=> %s\n' "$1" "$2"
  if [[ $1 == shop ]]; then shop_sql -c "$2"; else admin_sql -c "$2"; fi
}

run_example_queries() {
  step "A few queries through the proxy"
  example shop "SELECT name, city, joined FROM customers WHERE customer_id = 4711;"
  example shop "SELECT o.order_id, o.status, sum(l.quantity * l.price) AS total
  FROM orders o JOIN order_lines l USING (customer_id, order_id)
 WHERE o.customer_id = 4711 GROUP BY o.order_id, o.status ORDER BY o.order_id;"
  example meridian "EXPLAIN ROUTE SELECT * FROM orders WHERE customer_id = 4711;"
  example meridian "EXPLAIN ROUTE SELECT * FROM orders WHERE customer_id = 4713;"
}
