-- The catalog's tables in PostgreSQL 15 or newer, schema version 1. Drawn in docs/format/catalog-postgresql.md.
-- Run once, in an empty database, by the role that shall own them.

CREATE SCHEMA clarence;

-- One row. A batch locks it first, so batches take effect one after the other: versions and ledger
-- indices come out of it without gaps, and who reads behind the lock reads what the batch before left.
CREATE TABLE clarence.head (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    format     integer NOT NULL,
    cloud      bytea   NOT NULL CHECK (octet_length(cloud) = 16),
    version    bigint  NOT NULL,
    next_index bigint  NOT NULL,
    barrier    bigint  NOT NULL,
    -- The node that alone may write, if only one may. Whoever takes the catalog over writes itself in here first.
    holder     bytea   CHECK (octet_length(holder) = 16)
) WITH (fillfactor = 10);

-- Every row of every room; bytea compares byte by byte. Values are sealed or random: compressing them is in vain.
CREATE TABLE clarence.row (
    k   bytea  NOT NULL CHECK (octet_length(k) BETWEEN 1 AND 2048),
    ver bigint NOT NULL,
    v   bytea  NOT NULL CHECK (octet_length(v) <= 65536)
) PARTITION BY RANGE (k);
ALTER TABLE clarence.row ALTER COLUMN v SET STORAGE EXTERNAL;

CREATE TABLE clarence.row_first PARTITION OF clarence.row FOR VALUES FROM (MINVALUE) TO ('\x4c')
    WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
-- Keys that begin with L: the ledger.
CREATE TABLE clarence.row_ledger PARTITION OF clarence.row FOR VALUES FROM ('\x4c') TO ('\x4d');
CREATE TABLE clarence.row_rest PARTITION OF clarence.row FOR VALUES FROM ('\x4d') TO (MAXVALUE)
    WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE clarence.row ADD PRIMARY KEY (k);

-- Which requests took effect, so that an unknown outcome can be looked up.
CREATE TABLE clarence.op (
    ver bigint PRIMARY KEY,
    op  bytea  NOT NULL CHECK (octet_length(op) = 16)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX op_by_id ON clarence.op (op);

-- What the ledger holds stays, whoever is connected. Only the owner of the tables could take this away.
CREATE FUNCTION clarence.ledger_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of the ledger never change' USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;
CREATE TRIGGER ledger_stays BEFORE UPDATE OR DELETE ON clarence.row_ledger
    FOR EACH ROW EXECUTE FUNCTION clarence.ledger_stays();
CREATE TRIGGER ledger_stays_whole BEFORE TRUNCATE ON clarence.row_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION clarence.ledger_stays();
