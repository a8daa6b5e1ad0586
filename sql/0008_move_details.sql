-- Moves of tables without a key by which their rows could be followed; the progress of moves in slices; what
-- moves must know of the latency of clients.
-- Applied with search_path set to the catalog's schema alone.

ALTER TABLE moves
  ADD COLUMN full_identity boolean NOT NULL DEFAULT false,
  -- What the whole range took in the source's files when it began to move.
  ADD COLUMN file_bytes bigint,
  ADD COLUMN lag_ms bigint,
  ADD COLUMN log_kept_bytes bigint;  -- by the source, for the move's slot

-- How long the clients' statements took, as counts of the buckets of metrics/histogram.h: of the last
-- moment, and of the time before.
ALTER TABLE shard_latency
  DROP COLUMN samples,
  DROP COLUMN p99_us,
  ADD COLUMN recent bigint[] NOT NULL DEFAULT '{}',
  ADD COLUMN usual bigint[] NOT NULL DEFAULT '{}';

-- Theirs before the move, on the source and the target.
ALTER TABLE moves
  DROP COLUMN source_latency_us,
  DROP COLUMN target_latency_us,
  ADD COLUMN source_usual bigint[],
  ADD COLUMN target_usual bigint[];
