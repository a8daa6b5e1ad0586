-- What the clients of each proxy do with which key range, and how long the shards take: a sample.
-- Applied with search_path set to the catalog's schema alone.

CREATE TABLE range_load (
  proxy text REFERENCES proxies ON DELETE CASCADE,
  range text,
  statements_per_s double precision NOT NULL,
  busy_us_per_s double precision NOT NULL,  -- the time of those statements
  keys text[] NOT NULL,                     -- some that were used, each an array of points as text
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (proxy, range)
);

CREATE TABLE shard_latency (
  proxy text REFERENCES proxies ON DELETE CASCADE,
  shard text,
  samples bigint NOT NULL,
  p99_us bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (proxy, shard)
);

-- What the automatic balancer makes alike, when, and within which limits.
ALTER TABLE rebalancer
  ADD COLUMN measure text NOT NULL DEFAULT 'bytes' CHECK (measure IN ('bytes', 'load')),
  ADD COLUMN threshold integer NOT NULL DEFAULT 20 CHECK (threshold > 0),  -- percent of the mean
  ADD COLUMN window_from time,  -- UTC; NULL: always
  ADD COLUMN window_to time,
  ADD COLUMN max_rate bigint NOT NULL DEFAULT 0 CHECK (max_rate >= 0);  -- of its moves

-- The clients' latency before the move, on the source and the target.
ALTER TABLE moves
  ADD COLUMN source_latency_us bigint,
  ADD COLUMN target_latency_us bigint;
