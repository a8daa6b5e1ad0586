-- How many rows a move has copied, and whether they were compared.
-- Applied with search_path set to the catalog's schema alone.

ALTER TABLE moves
  ADD COLUMN rows_copied bigint NOT NULL DEFAULT 0,
  ADD COLUMN rows_moved bigint NOT NULL DEFAULT 0,  -- with the slices that have moved
  ADD COLUMN verified boolean NOT NULL DEFAULT false;  -- since the last copy, or turn of the way
