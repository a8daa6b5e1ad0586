-- Moves that can be taken back after their range has changed owner: the source is kept up to date
-- until FINISH MOVE.
-- Applied with search_path set to the catalog's schema alone.

ALTER TABLE moves
  ADD COLUMN reversible boolean NOT NULL DEFAULT false,
  -- The stream goes from the target to the source, and so would the range.
  ADD COLUMN back boolean NOT NULL DEFAULT false,
  DROP CONSTRAINT moves_wish_check,
  ADD CONSTRAINT moves_wish_check CHECK (wish IN ('run', 'pause', 'cancel', 'reverse', 'finish'));
