-- How many rows a move has copied, for how long, and whether they were compared.
-- Applied with search_path set to the catalog's schema alone.

ALTER TABLE moves
  ADD COLUMN rows_copied bigint NOT NULL DEFAULT 0,
  ADD COLUMN rows_moved bigint NOT NULL DEFAULT 0,  -- with the slices that have moved
  ADD COLUMN began_at timestamptz,  -- the first copy; later by as long as the move has paused since
  ADD COLUMN paused_at timestamptz,  -- NULL: it has not
  ADD COLUMN verified boolean NOT NULL DEFAULT false;  -- since the last copy, or turn of the way
