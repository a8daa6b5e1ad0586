-- Run on the oracle and, through the proxy, on the shards; shard_map.sql says what is sharded.
CREATE TABLE kv (k bigint PRIMARY KEY, v text, n integer);

CREATE TABLE customers (
    customer_id bigint PRIMARY KEY, name text NOT NULL, city text, balance numeric(12, 2),
    born date, vip boolean);
CREATE TABLE products (product_id integer PRIMARY KEY, name text NOT NULL, price numeric(10, 2));
CREATE TABLE orders (
    customer_id bigint NOT NULL REFERENCES customers, order_id bigint NOT NULL,
    placed_at timestamptz, status text, PRIMARY KEY (customer_id, order_id));
CREATE TABLE order_lines (
    customer_id bigint NOT NULL, order_id bigint NOT NULL, line_no smallint NOT NULL,
    product_id integer REFERENCES products, quantity integer, price numeric(10, 2),
    PRIMARY KEY (customer_id, order_id, line_no),
    FOREIGN KEY (customer_id, order_id) REFERENCES orders);

CREATE TABLE notes (id integer PRIMARY KEY, note text);

CREATE TABLE by_text (code text PRIMARY KEY, v integer);
CREATE TABLE by_uuid (id uuid PRIMARY KEY, v integer);
CREATE TABLE by_pair (a integer, b text, v integer, PRIMARY KEY (a, b));
CREATE TABLE by_number (k integer PRIMARY KEY, v text);
CREATE TABLE by_day (day date, id integer, v text, PRIMARY KEY (day, id));
