-- Admin SQL: which tables are sharded, and by what. A customer's rows of all three tables have the
-- same key, so they are on the same shard; products are on every shard.
CREATE DISTRIBUTION shop COLUMN TYPES bigint HASH SHARDS (s1, s2);
CREATE REFERENCE TABLE products;
ALTER DISTRIBUTION shop ATTACH TABLE customers DISTRIBUTION KEY customer_id;
ALTER DISTRIBUTION shop ATTACH TABLE orders DISTRIBUTION KEY customer_id;
ALTER DISTRIBUTION shop ATTACH TABLE order_lines DISTRIBUTION KEY customer_id;
