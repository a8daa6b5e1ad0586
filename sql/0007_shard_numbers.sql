-- A number for each shard that no other ever has, by which sequences of shards are apart.
-- Applied with search_path set to the catalog's schema alone.

CREATE SEQUENCE shard_numbers AS integer MINVALUE 0 MAXVALUE 32767 START WITH 0;
SELECT setval('shard_numbers', count(*), false) FROM shards;

ALTER TABLE shards ADD COLUMN number integer UNIQUE DEFERRABLE INITIALLY DEFERRED;
UPDATE shards SET number = position;
ALTER TABLE shards
  ALTER COLUMN number SET NOT NULL,
  ADD CHECK (number BETWEEN 0 AND 32767);
