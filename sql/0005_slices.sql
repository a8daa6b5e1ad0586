-- Moves of large ranges in slices, each with its own cut-over.
-- Applied with search_path set to the catalog's schema alone.

ALTER TABLE moves
  ADD COLUMN slice_size bigint NOT NULL DEFAULT 0 CHECK (slice_size >= 0),  -- bytes; 0: as a whole
  ADD COLUMN slices integer NOT NULL DEFAULT 0,         -- that have moved
  ADD COLUMN slice text,                                -- the key range of the one that moves
  ADD COLUMN moved text,                                -- the key range of those that have moved
  ADD COLUMN bytes_moved bigint NOT NULL DEFAULT 0;     -- theirs
