//! What a door adds to what SQL sees: the catalog tables and functions of its protocol.

use datafusion::catalog::SchemaProvider;
use datafusion::logical_expr::ScalarUDF;
use statement::{Session, TableShown};
use std::sync::Arc;

/// A door's additions. Nothing of them reads a tenant's data.
pub trait Extra: Send + Sync + 'static {
    /// Functions, such as `format_type`, over what somebody sees.
    fn functions(&self, session: &Session, tables: &[TableShown]) -> Vec<Arc<ScalarUDF>>;

    /// Schemas beside `public` in the session's database, such as `pg_catalog`, made from what somebody sees.
    fn schemas(
        &self,
        session: &Session,
        tables: &[TableShown],
    ) -> Vec<(String, Arc<dyn SchemaProvider>)>;
}

/// Adds nothing.
pub struct Nothing;

impl Extra for Nothing {
    fn functions(&self, _: &Session, _: &[TableShown]) -> Vec<Arc<ScalarUDF>> {
        Vec::new()
    }
    fn schemas(&self, _: &Session, _: &[TableShown]) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        Vec::new()
    }
}
