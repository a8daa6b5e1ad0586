-- The shard map, its epoch, and the log of its changes.
-- Applied with search_path set to the catalog's schema alone.

-- One row: the number of the map that these tables hold. A change locks it first, so changes happen one by one.
CREATE TABLE epoch (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch bigint NOT NULL CHECK (epoch >= 1)
);
INSERT INTO epoch (epoch) VALUES (1);

CREATE TABLE changes (
  epoch bigint PRIMARY KEY,
  id uuid NOT NULL UNIQUE,  -- by which a proxy finds out whether a lost COMMIT happened
  changed_at timestamptz NOT NULL DEFAULT now(),
  changed_by text NOT NULL,
  command text NOT NULL
);

CREATE TABLE shards (
  shard text PRIMARY KEY CHECK (shard <> ''),
  position integer NOT NULL CHECK (position >= 0),  -- 0: the default shard
  dbname text NOT NULL,                             -- '': the database that the client named
  UNIQUE (position) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE nodes (
  shard text NOT NULL REFERENCES shards ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  position integer NOT NULL CHECK (position >= 0),
  host text NOT NULL CHECK (host <> ''),
  port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
  PRIMARY KEY (shard, position),
  UNIQUE (shard, host, port) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE distributions (
  distribution text PRIMARY KEY CHECK (distribution <> '')
);

CREATE TABLE distribution_columns (
  distribution text NOT NULL
    REFERENCES distributions ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  position integer NOT NULL CHECK (position >= 0),
  type text NOT NULL CHECK (type <> ''),
  hashed boolean NOT NULL,
  PRIMARY KEY (distribution, position)
);

-- A range reaches from its lower bound to the next one's: so ranges cannot overlap, and cover the key space
-- when one of them starts with MINVALUE, the empty bound.
CREATE TABLE key_ranges (
  range text PRIMARY KEY CHECK (range <> ''),
  distribution text NOT NULL REFERENCES distributions DEFERRABLE INITIALLY DEFERRED,
  lower text[] NOT NULL CHECK (array_position(lower, NULL) IS NULL),
  owner text NOT NULL REFERENCES shards DEFERRABLE INITIALLY DEFERRED,
  UNIQUE (distribution, lower) DEFERRABLE INITIALLY DEFERRED
);

CREATE FUNCTION check_key_space_covered() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed text := CASE WHEN TG_OP = 'DELETE' THEN OLD.distribution ELSE NEW.distribution END;
  covered boolean;
BEGIN
  EXECUTE format('SELECT bool_or(cardinality(lower) = 0) FROM %I.key_ranges WHERE distribution = $1',
                 TG_TABLE_SCHEMA)
    INTO covered USING changed;
  IF NOT covered THEN
    RAISE EXCEPTION 'no key range of distribution "%" starts with MINVALUE', changed
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER key_space_covered
  AFTER INSERT OR UPDATE OR DELETE ON key_ranges DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION check_key_space_covered();

-- Sharded and reference tables; any other table is local.
CREATE TABLE tables (
  schema_name text NOT NULL CHECK (schema_name <> ''),
  table_name text NOT NULL CHECK (table_name <> ''),
  kind text NOT NULL CHECK (kind IN ('sharded', 'reference')),
  distribution text REFERENCES distributions DEFERRABLE INITIALLY DEFERRED,
  PRIMARY KEY (schema_name, table_name),
  UNIQUE (schema_name, table_name, distribution),
  CHECK ((kind = 'sharded') = (distribution IS NOT NULL))
);

CREATE TABLE table_key_columns (
  schema_name text NOT NULL,
  table_name text NOT NULL,
  position integer NOT NULL,
  distribution text NOT NULL,
  column_name text NOT NULL CHECK (column_name <> ''),
  PRIMARY KEY (schema_name, table_name, position),
  FOREIGN KEY (schema_name, table_name, distribution)
    REFERENCES tables (schema_name, table_name, distribution)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (distribution, position) REFERENCES distribution_columns
    DEFERRABLE INITIALLY DEFERRED
);
