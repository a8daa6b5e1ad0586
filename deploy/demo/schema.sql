-- The shop of the demo. Created through the proxy, then told to it in deploy/demo/shard-map.sql.
CREATE TABLE customers (
    customer_id bigint PRIMARY KEY,
    name        text NOT NULL,
    email       text NOT NULL,
    city        text,
    joined      date NOT NULL
);

CREATE TABLE orders (
    customer_id bigint NOT NULL REFERENCES customers,
    order_id    bigint NOT NULL,
    placed_at   timestamptz NOT NULL,
    status      text NOT NULL,
    PRIMARY KEY (customer_id, order_id)
);

CREATE TABLE products (
    product_id integer PRIMARY KEY,
    name       text NOT NULL,
    price      numeric(10, 2) NOT NULL
);

CREATE TABLE order_lines (
    customer_id bigint NOT NULL,
    order_id    bigint NOT NULL,
    line_no     smallint NOT NULL,
    product_id  integer NOT NULL REFERENCES products,
    quantity    integer NOT NULL,
    price       numeric(10, 2) NOT NULL,
    PRIMARY KEY (customer_id, order_id, line_no),
    FOREIGN KEY (customer_id, order_id) REFERENCES orders
);
