//! What PostgreSQL clients ask about the catalog: `pg_catalog`, `information_schema` and their functions, over exactly what
//! the session sees.
//!
//! Everything here is made from the session and the tables that the vault shows it. Nothing asks the vault, and no row
//! of a table is read.
//!
//! Reading order: `known`, `relation`, `specs`, `rows`, `information`, `schema`, `function`, `functions`, `rewrite`.

mod build;
mod casts;
mod empty;
mod factors;
mod function;
mod functions;
mod information;
mod known;
mod parameters;
mod relation;
mod rewrite;
mod rows;
mod schema;
mod settings;
mod specs;
mod types;

pub use parameters::parameter_types;
pub use rewrite::rewrite;
pub use settings::{SERVER_VERSION, SERVER_VERSION_NUM};

use function::CatalogFunction;
use functions::FUNCTIONS;
use known::Known;
use schema::Schema;
use sql::Extra;
use sql::datafusion::catalog::SchemaProvider;
use sql::datafusion::logical_expr::ScalarUDF;
use statement::{Session, TableShown};
use std::sync::Arc;

/// The catalog of PostgreSQL.
pub struct Catalog;

impl Extra for Catalog {
    fn functions(&self, session: &Session, tables: &[TableShown]) -> Vec<Arc<ScalarUDF>> {
        let known = Arc::new(Known::new(session, tables));
        let function = |definition| {
            Arc::new(ScalarUDF::new_from_impl(CatalogFunction::new(
                &known, definition,
            )))
        };
        FUNCTIONS.iter().map(function).collect()
    }

    fn schemas(
        &self,
        session: &Session,
        tables: &[TableShown],
    ) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        let known = Arc::new(Known::new(session, tables));
        let schema =
            |name: &str, schema| (name.to_owned(), Arc::new(schema) as Arc<dyn SchemaProvider>);
        vec![
            schema("pg_catalog", Schema::pg_catalog(Arc::clone(&known))),
            schema("information_schema", Schema::information(known)),
        ]
    }
}

/// The number by which a client knows its session. It tells nothing else.
#[must_use]
pub fn backend_pid(session: &Session) -> i32 {
    let mut pid = [0; 4];
    pid.copy_from_slice(&session.id.0[..4]);
    i32::from_be_bytes(pid) & i32::MAX
}
