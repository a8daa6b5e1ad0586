-- Rows that may be on a shard which does not own them: a move has brought them there, or left them behind.
-- Statements of several shards leave them out.
-- Applied with search_path set to the catalog's schema alone.

CREATE TABLE stray_rows (
  shard text NOT NULL REFERENCES shards DEFERRABLE INITIALLY DEFERRED,
  distribution text NOT NULL REFERENCES distributions DEFERRABLE INITIALLY DEFERRED,
  lower text[] NOT NULL CHECK (array_position(lower, NULL) IS NULL),
  upper text[] CHECK (array_position(upper, NULL) IS NULL),  -- NULL: no upper end
  PRIMARY KEY (shard, distribution, lower)
);
