-- Moves of tables without a key by which their rows could be followed; the progress of moves in slices.
-- Applied with search_path set to the catalog's schema alone.

ALTER TABLE moves
  ADD COLUMN full_identity boolean NOT NULL DEFAULT false,
  -- What the whole range took in the source's files when it began to move.
  ADD COLUMN file_bytes bigint;
