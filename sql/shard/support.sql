-- What each shard's database has of Meridian's: the records of how transactions that wrote on several
-- shards have ended. Kept by the shard that leads such a transaction; written in the transaction that
-- it leads, so that its COMMIT is the decision (proxy/session/transaction_end.h).
--
-- Executed as a whole by whoever finds that its version is missing (sharding/catalog/shard_support.h);
-- idempotent. Not one of the catalog's migrations: most shards do not hold the catalog.

CREATE SCHEMA IF NOT EXISTS meridian;
GRANT USAGE ON SCHEMA meridian TO PUBLIC;

CREATE TABLE IF NOT EXISTS meridian.decisions (
  name text NOT NULL,      -- of the prepared transactions on the other shards
  owner text NOT NULL,     -- who has prepared them: nobody decides about the transactions of others
  committed boolean NOT NULL,
  decided_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, owner)
);
GRANT SELECT ON meridian.decisions TO PUBLIC;  -- pg_dump by the database's owner reads every table
CREATE INDEX IF NOT EXISTS decisions_decided_at_idx ON meridian.decisions (decided_at);

-- Never has rows: transactions that commit on several shards, and those that take snapshots of several,
-- lock it against each other (proxy/session/snapshot_gate.h). The right to lock it is that to delete.
CREATE TABLE IF NOT EXISTS meridian.snapshot_gate ();
GRANT SELECT, DELETE ON meridian.snapshot_gate TO PUBLIC;

-- In the transaction that leads: it is committed if this is. Fails with 23505 where the recovery has
-- given the transaction up before. pg_prepared_xacts.owner is the current role, which a function with
-- its owner's rights finds in the setting.
CREATE OR REPLACE FUNCTION meridian.decide(transaction_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- Not now(), when the transaction began: a record is deleted an hour after the decision.
  INSERT INTO meridian.decisions (name, owner, committed, decided_at)
  VALUES (transaction_name,
          CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END,
          true, clock_timestamp());
  -- See proxy/session/snapshot_gate.h.
  LOCK TABLE meridian.snapshot_gate IN ROW EXCLUSIVE MODE;
  -- A decision that a crash could take back would leave the others committed without this one.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;
GRANT EXECUTE ON FUNCTION meridian.decide(text) TO PUBLIC;

-- Recovery: how the transaction has ended; where nobody has decided, it has not, for good. Waits for
-- a decision that is under way.
CREATE OR REPLACE FUNCTION meridian.resolve(transaction_name text, transaction_owner text)
RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO meridian.decisions (name, owner, committed)
  VALUES (transaction_name, transaction_owner, false)
  ON CONFLICT DO NOTHING;
  SELECT committed FROM meridian.decisions
  WHERE name = transaction_name AND owner = transaction_owner;
$$;
REVOKE EXECUTE ON FUNCTION meridian.resolve(text, text) FROM PUBLIC;

-- Which server processes work for which transactions on several shards: only those that have lasted
-- for a moment (proxy/control/deadlock_detector.h), so that every proxy can see who waits for whom.
CREATE UNLOGGED TABLE IF NOT EXISTS meridian.open_transactions (
  proxy text NOT NULL,
  client_id bigint NOT NULL,
  began bigint NOT NULL,  -- microseconds since 1970, by the proxy's clock
  pid integer NOT NULL,
  PRIMARY KEY (proxy, pid)
);
GRANT SELECT ON meridian.open_transactions TO PUBLIC;

-- The term of the mover that works on this shard (rebalance/mover_lease.h). Who has a lower one is
-- refused; while a transaction acts as mover, no later mover begins.
CREATE TABLE IF NOT EXISTS meridian.mover_term (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  term bigint NOT NULL
);
INSERT INTO meridian.mover_term (term) VALUES (0) ON CONFLICT DO NOTHING;
GRANT SELECT ON meridian.mover_term TO PUBLIC;

CREATE OR REPLACE FUNCTION meridian.act_as_mover(own_term bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE meridian.mover_term SET term = own_term WHERE term < own_term;
  PERFORM FROM meridian.mover_term WHERE term = own_term FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'another proxy has taken over the moves' USING ERRCODE = 'M0003';
  END IF;
END $$;
REVOKE EXECUTE ON FUNCTION meridian.act_as_mover(bigint) FROM PUBLIC;

-- The replica identities that tables had before moves gave them FULL (rebalance/full_identity.h), for
-- each move that needs it.
CREATE TABLE IF NOT EXISTS meridian.replica_identities (
  owner text NOT NULL,       -- the move's, as its fence
  relation oid NOT NULL,
  identity "char" NOT NULL,  -- pg_class.relreplident
  index oid,                 -- where that is an index
  PRIMARY KEY (owner, relation)
);
GRANT SELECT ON meridian.replica_identities TO PUBLIC;

COMMENT ON FUNCTION meridian.decide(text) IS 'meridian shard support 3';
