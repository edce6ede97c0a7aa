-- The roles of the registry. Once, at the primary, as postgres over its socket:
--   psql -X -v ON_ERROR_STOP=1 -v owner_password="$(cat owner.password)" -v node_password="$(cat node.password)" \
--        -v rewind_password="$(cat rewind.password)" -f roles.sql
-- SCRAM is what the server stores (password_encryption). The owner makes the tables and is not used again; the node may
-- add to the ledger and never change it.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
CREATE ROLE registry_owner LOGIN PASSWORD :'owner_password' CONNECTION LIMIT 4;
CREATE ROLE registry_node LOGIN PASSWORD :'node_password' CONNECTION LIMIT 40;
CREATE DATABASE registry OWNER registry_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE CONNECT ON DATABASE registry FROM PUBLIC;
GRANT CONNECT ON DATABASE registry TO registry_node;
-- What pg_rewind needs when a site comes back, and no more. Patroni makes the role where it bootstraps.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rewinder') THEN CREATE ROLE rewinder LOGIN; END IF;
END $$;
ALTER ROLE rewinder PASSWORD :'rewind_password';
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO rewinder;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO rewinder;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO rewinder;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO rewinder;
