-- Moves of key ranges, and the proxies that must agree to each step of one.
-- Applied with search_path set to the catalog's schema alone.

-- Of a range on the move: the other shard that has, or may have, rows of it; whether no statement may
-- begin to use it; and what a replica of its owner must have replayed to have all of its rows.
ALTER TABLE key_ranges
  ADD COLUMN peer text REFERENCES shards DEFERRABLE INITIALLY DEFERRED,
  ADD COLUMN held boolean NOT NULL DEFAULT false,
  ADD COLUMN complete_at pg_lsn,
  ADD CHECK (peer <> owner),
  ADD CHECK (peer IS NOT NULL OR NOT held AND complete_at IS NULL);

-- One row per move, for ever: SHOW MOVES and SHOW MOVE HISTORY.
CREATE TABLE moves (
  move bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  range text NOT NULL,
  distribution text NOT NULL,
  source text NOT NULL,
  target text NOT NULL,

  -- What the operator wants.
  wish text NOT NULL DEFAULT 'run' CHECK (wish IN ('run', 'pause', 'cancel')),
  max_rate bigint NOT NULL DEFAULT 0 CHECK (max_rate >= 0),  -- bytes per second; 0: no limit
  cutover_timeout_ms bigint NOT NULL CHECK (cutover_timeout_ms > 0),
  max_replica_lag_ms bigint NOT NULL CHECK (max_replica_lag_ms > 0),
  verify boolean NOT NULL,
  asked_by text NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT now(),

  -- How far it is: rebalance/move_phase.h. A phase is written before what it does is begun.
  phase text NOT NULL DEFAULT 'queued',
  phase_since timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  failure text,        -- why it was given up
  error text,          -- what it waits for
  copies integer NOT NULL DEFAULT 0,    -- how often the copy was begun: its objects are named by it
  cutovers integer NOT NULL DEFAULT 0,  -- attempts
  pause_us bigint,     -- how long the range was held at the last one

  -- Progress, for people; nothing is decided by it.
  rows_expected bigint,
  bytes_expected bigint,
  bytes_copied bigint NOT NULL DEFAULT 0,
  changes_applied bigint NOT NULL DEFAULT 0,
  lag_bytes bigint,
  rate bigint,           -- bytes per second
  throttled_by text
);
-- Of a range, one move at a time.
CREATE UNIQUE INDEX moves_range_idx ON moves (range) WHERE ended_at IS NULL;

-- Who works on the moves. A higher term wins: whoever writes as mover names its own.
CREATE TABLE mover (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  proxy text NOT NULL,
  term bigint NOT NULL,
  lease_until timestamptz NOT NULL,
  -- In the names of replication slots and origins, which all databases of a server share.
  tag text NOT NULL DEFAULT substr(md5(gen_random_uuid()::text), 1, 8)
);
INSERT INTO mover (proxy, term, lease_until) VALUES ('', 0, '-infinity');

-- The proxies that serve clients: which map each plans with, and what is under way there that was
-- begun with older ones.
CREATE TABLE proxies (
  proxy text PRIMARY KEY CHECK (proxy <> ''),
  lease_until timestamptz NOT NULL,
  epoch bigint NOT NULL,       -- statements begin with this map
  in_use bigint NOT NULL,      -- the oldest map that one under way began with
  busy text[] NOT NULL         -- the held ranges that a transaction still uses
);

-- What the automatic balancer is to do, and what it has found at its last look.
CREATE TABLE rebalancer (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  mode text NOT NULL DEFAULT 'off' CHECK (mode IN ('off', 'dry run', 'on')),
  looked_at timestamptz,
  looked_by text,
  decision text
);
INSERT INTO rebalancer DEFAULT VALUES;
