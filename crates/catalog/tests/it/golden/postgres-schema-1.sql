--
-- PostgreSQL database dump
--

\restrict 2TI2l6dY0CzhGAOG272jZlVgTgN7pVM2Jq98fTeOOj7dUizcPQ9kWcbKmOPgIxn

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: clarence; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA clarence;


--
-- Name: ledger_stays(); Type: FUNCTION; Schema: clarence; Owner: -
--

CREATE FUNCTION clarence.ledger_stays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of the ledger never change' USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: head; Type: TABLE; Schema: clarence; Owner: -
--

CREATE TABLE clarence.head (
    one boolean DEFAULT true NOT NULL,
    format integer NOT NULL,
    cloud bytea NOT NULL,
    version bigint NOT NULL,
    next_index bigint NOT NULL,
    barrier bigint NOT NULL,
    holder bytea,
    CONSTRAINT head_cloud_check CHECK ((octet_length(cloud) = 16)),
    CONSTRAINT head_holder_check CHECK ((octet_length(holder) = 16)),
    CONSTRAINT head_one_check CHECK (one)
)
WITH (fillfactor='10');


--
-- Name: op; Type: TABLE; Schema: clarence; Owner: -
--

CREATE TABLE clarence.op (
    ver bigint NOT NULL,
    op bytea NOT NULL,
    CONSTRAINT op_op_check CHECK ((octet_length(op) = 16))
)
WITH (autovacuum_vacuum_scale_factor='0.05');


--
-- Name: row; Type: TABLE; Schema: clarence; Owner: -
--

CREATE TABLE clarence."row" (
    k bytea NOT NULL,
    ver bigint NOT NULL,
    v bytea NOT NULL,
    CONSTRAINT row_k_check CHECK (((octet_length(k) >= 1) AND (octet_length(k) <= 2048))),
    CONSTRAINT row_v_check CHECK ((octet_length(v) <= 65536))
)
PARTITION BY RANGE (k);
ALTER TABLE ONLY clarence."row" ALTER COLUMN v SET STORAGE EXTERNAL;


--
-- Name: row_first; Type: TABLE; Schema: clarence; Owner: -
--

CREATE TABLE clarence.row_first (
    k bytea NOT NULL,
    ver bigint NOT NULL,
    v bytea NOT NULL,
    CONSTRAINT row_k_check CHECK (((octet_length(k) >= 1) AND (octet_length(k) <= 2048))),
    CONSTRAINT row_v_check CHECK ((octet_length(v) <= 65536))
)
WITH (fillfactor='85', autovacuum_vacuum_scale_factor='0.02');
ALTER TABLE ONLY clarence.row_first ALTER COLUMN v SET STORAGE EXTERNAL;


--
-- Name: row_ledger; Type: TABLE; Schema: clarence; Owner: -
--

CREATE TABLE clarence.row_ledger (
    k bytea NOT NULL,
    ver bigint NOT NULL,
    v bytea NOT NULL,
    CONSTRAINT row_k_check CHECK (((octet_length(k) >= 1) AND (octet_length(k) <= 2048))),
    CONSTRAINT row_v_check CHECK ((octet_length(v) <= 65536))
);
ALTER TABLE ONLY clarence.row_ledger ALTER COLUMN v SET STORAGE EXTERNAL;


--
-- Name: row_rest; Type: TABLE; Schema: clarence; Owner: -
--

CREATE TABLE clarence.row_rest (
    k bytea NOT NULL,
    ver bigint NOT NULL,
    v bytea NOT NULL,
    CONSTRAINT row_k_check CHECK (((octet_length(k) >= 1) AND (octet_length(k) <= 2048))),
    CONSTRAINT row_v_check CHECK ((octet_length(v) <= 65536))
)
WITH (fillfactor='85', autovacuum_vacuum_scale_factor='0.02');
ALTER TABLE ONLY clarence.row_rest ALTER COLUMN v SET STORAGE EXTERNAL;


--
-- Name: row_first; Type: TABLE ATTACH; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence."row" ATTACH PARTITION clarence.row_first FOR VALUES FROM (MINVALUE) TO ('\x4c');


--
-- Name: row_ledger; Type: TABLE ATTACH; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence."row" ATTACH PARTITION clarence.row_ledger FOR VALUES FROM ('\x4c') TO ('\x4d');


--
-- Name: row_rest; Type: TABLE ATTACH; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence."row" ATTACH PARTITION clarence.row_rest FOR VALUES FROM ('\x4d') TO (MAXVALUE);


--
-- Data for Name: head; Type: TABLE DATA; Schema: clarence; Owner: -
--

INSERT INTO clarence.head VALUES (true, 1, '\xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1', 3, 3, 0, NULL);


--
-- Data for Name: op; Type: TABLE DATA; Schema: clarence; Owner: -
--

INSERT INTO clarence.op VALUES (1, '\x01010101010101010101010101010101');
INSERT INTO clarence.op VALUES (2, '\x02020202020202020202020202020202');
INSERT INTO clarence.op VALUES (3, '\x03030303030303030303030303030303');


--
-- Data for Name: row_first; Type: TABLE DATA; Schema: clarence; Owner: -
--



--
-- Data for Name: row_ledger; Type: TABLE DATA; Schema: clarence; Owner: -
--

INSERT INTO clarence.row_ledger VALUES ('\x4c0000000000000000', 1, '\x01011e90b0d49fd1ad3d7c4f7d821edd262a29f74222c4af2cb0bc705cb2c77fa10c6b657074');
INSERT INTO clarence.row_ledger VALUES ('\x4c0000000000000001', 2, '\x01011e90b0d49fd1ad3d7c4f7d821edd262a29f74222c4af2cb0bc705cb2c77fa10c6b657074');
INSERT INTO clarence.row_ledger VALUES ('\x4c0000000000000002', 3, '\x01011e90b0d49fd1ad3d7c4f7d821edd262a29f74222c4af2cb0bc705cb2c77fa10c6b657074');


--
-- Data for Name: row_rest; Type: TABLE DATA; Schema: clarence; Owner: -
--

INSERT INTO clarence.row_rest VALUES ('\x5431', 2, '\x74776f');
INSERT INTO clarence.row_rest VALUES ('\x5432', 2, '\x000102feff');


--
-- Name: head head_pkey; Type: CONSTRAINT; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence.head
    ADD CONSTRAINT head_pkey PRIMARY KEY (one);


--
-- Name: op op_pkey; Type: CONSTRAINT; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence.op
    ADD CONSTRAINT op_pkey PRIMARY KEY (ver);


--
-- Name: row row_pkey; Type: CONSTRAINT; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence."row"
    ADD CONSTRAINT row_pkey PRIMARY KEY (k);


--
-- Name: row_first row_first_pkey; Type: CONSTRAINT; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence.row_first
    ADD CONSTRAINT row_first_pkey PRIMARY KEY (k);


--
-- Name: row_ledger row_ledger_pkey; Type: CONSTRAINT; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence.row_ledger
    ADD CONSTRAINT row_ledger_pkey PRIMARY KEY (k);


--
-- Name: row_rest row_rest_pkey; Type: CONSTRAINT; Schema: clarence; Owner: -
--

ALTER TABLE ONLY clarence.row_rest
    ADD CONSTRAINT row_rest_pkey PRIMARY KEY (k);


--
-- Name: op_by_id; Type: INDEX; Schema: clarence; Owner: -
--

CREATE UNIQUE INDEX op_by_id ON clarence.op USING btree (op);


--
-- Name: row_first_pkey; Type: INDEX ATTACH; Schema: clarence; Owner: -
--

ALTER INDEX clarence.row_pkey ATTACH PARTITION clarence.row_first_pkey;


--
-- Name: row_ledger_pkey; Type: INDEX ATTACH; Schema: clarence; Owner: -
--

ALTER INDEX clarence.row_pkey ATTACH PARTITION clarence.row_ledger_pkey;


--
-- Name: row_rest_pkey; Type: INDEX ATTACH; Schema: clarence; Owner: -
--

ALTER INDEX clarence.row_pkey ATTACH PARTITION clarence.row_rest_pkey;


--
-- Name: row_ledger ledger_stays; Type: TRIGGER; Schema: clarence; Owner: -
--

CREATE TRIGGER ledger_stays BEFORE DELETE OR UPDATE ON clarence.row_ledger FOR EACH ROW EXECUTE FUNCTION clarence.ledger_stays();


--
-- Name: row_ledger ledger_stays_whole; Type: TRIGGER; Schema: clarence; Owner: -
--

CREATE TRIGGER ledger_stays_whole BEFORE TRUNCATE ON clarence.row_ledger FOR EACH STATEMENT EXECUTE FUNCTION clarence.ledger_stays();


--
-- PostgreSQL database dump complete
--

\unrestrict 2TI2l6dY0CzhGAOG272jZlVgTgN7pVM2Jq98fTeOOj7dUizcPQ9kWcbKmOPgIxn

