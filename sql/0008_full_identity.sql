-- Moves of tables without a key by which their rows could be followed.
-- Applied with search_path set to the catalog's schema alone.

ALTER TABLE moves ADD COLUMN full_identity boolean NOT NULL DEFAULT false;
