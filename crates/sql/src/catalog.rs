//! What SQL sees before anything is granted: tables as they are shown, without their data.
//!
//! A plan holds [`Slot`]s only. When it is made physical, each slot asks the statement's grant for its table; a plan that
//! was not granted cannot be made physical.

use crate::error::{Fault, SqlError};
use crate::kinds::{arrow_of, schema_of};
use crate::rows::is_leak_proof;
use crate::scan::Grants;
use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    SchemaProvider, Session as PlanSession, TableProvider,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use statement::{Database, GrantedTable, Kind, Session, TableName, TableRef, TableShown};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use words::UnixMillis;

/// The schema that tables lie in.
pub const SCHEMA: &str = "public";

/// The name of the column of persons in a plan. No column that is declared has it.
pub const PERSON: &str = "clarence:person";

/// The name of the column that stands for a whole row, where differences between groups are watched.
pub const ROW: &str = "clarence:row";

/// Which state of a table is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// The newest.
    Now,
    /// A version.
    Version(u64),
    /// The newest that was there by then.
    At(UnixMillis),
}

/// A table's place in a plan.
pub struct Slot {
    /// Which table.
    pub table: TableRef,
    /// Which state of it.
    pub when: When,
    /// The column, as it is, of whose distinct values persons are counted. Nobody can name it.
    pub person: Option<String>,
    /// Whether a column that stands for the whole row is the last.
    pub row: bool,
    schema: SchemaRef,
}

impl Slot {
    /// A table as it is shown.
    pub fn new(shown: &TableShown, when: When) -> Self {
        Self {
            table: shown.table.clone(),
            when,
            person: None,
            row: false,
            schema: schema_of(&shown.columns),
        }
    }

    /// The same, with the column of persons behind its own, and where differences are watched the one of rows behind that.
    pub fn with_person(&self, table: &GrantedTable) -> Result<Self, SqlError> {
        let terms = table.terms.aggregate.as_ref();
        let entity = terms.map(|terms| terms.entity.clone());
        let kind = entity.as_ref().and_then(|entity| {
            let columns = table.def.columns.iter();
            let partitions = table.def.partitions.iter();
            let all = columns
                .map(|column| (&column.name, column.kind))
                .chain(partitions.map(|part| (&part.name, part.kind)));
            all.into_iter()
                .find(|(name, _)| *name == entity)
                .map(|(_, kind)| kind)
        });
        let kind = kind.ok_or_else(|| {
            SqlError::new(
                Fault::Internal,
                "the agreement counts persons by a column that is not there; nothing was read",
            )
        })?;
        let mut fields = self.schema.fields().to_vec();
        fields.push(Arc::new(Field::new(PERSON, arrow_of(kind), true)));
        let row = terms.is_some_and(|terms| terms.differencing);
        if row {
            fields.push(Arc::new(Field::new(ROW, arrow_of(Kind::Int64), true)));
        }
        Ok(Self {
            table: self.table.clone(),
            when: self.when,
            person: entity,
            row,
            schema: Arc::new(Schema::new(fields)),
        })
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table.database, self.table.table)
    }
}

#[async_trait]
impl TableProvider for Slot {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn PlanSession,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let grants = state.config().get_extension::<Grants>().ok_or_else(|| {
            DataFusionError::from(SqlError::new(
                Fault::Internal,
                "a table was reached without a grant; nothing was read",
            ))
        })?;
        grants
            .scan(state, self, projection, filters, limit)
            .await
            .map_err(DataFusionError::from)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // One's own tables apply them whole. Under an agreement a column may be masked: there they are a hint only, and asked
        // again above the masks.
        let how = match self.table.database {
            Database::Own => TableProviderFilterPushDown::Exact,
            Database::Agreement(_) => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters
            .iter()
            .map(|filter| match is_leak_proof(filter) {
                true => how.clone(),
                false => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }
}

/// The tables of one database.
#[derive(Debug, Default)]
struct Tables {
    shown: BTreeMap<String, TableShown>,
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        self.shown.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let (bare, when) = split(name)?;
        let slot = |shown| Arc::new(Slot::new(shown, when)) as Arc<dyn TableProvider>;
        Ok(self.shown.get(bare).map(slot))
    }

    fn table_exist(&self, name: &str) -> bool {
        split(name).is_ok_and(|(bare, _)| self.shown.contains_key(bare))
    }
}

/// A name with what the parser put behind it for a version (`planes@v3`) or a time (`planes@t1790000000000`).
fn split(name: &str) -> Result<(&str, When)> {
    let Some((bare, when)) = name.split_once('@') else {
        return Ok((name, When::Now));
    };
    let number = |text: &str| text.parse().ok();
    let when = match when.split_at_checked(1) {
        Some(("v", version)) => number(version).map(When::Version),
        Some(("t", at)) => number(at).map(|at| When::At(UnixMillis(at))),
        _ => None,
    };
    let when = when.ok_or_else(|| {
        DataFusionError::from(SqlError::new(
            Fault::Syntax,
            format!("{name:?} names no version; write {bare} FOR VERSION AS OF 3, or FOR SYSTEM_TIME AS OF '2026-11-26 10:00:00'"),
        ))
    })?;
    Ok((bare, when))
}

/// The name of a database.
#[must_use]
pub fn catalog_of(session: &Session, database: &Database) -> String {
    match database {
        Database::Own => session.tenant.clone(),
        Database::Agreement(_) => database.to_string(),
    }
}

/// The database that a name means, if any does.
#[must_use]
pub fn database_of(session: &Session, catalog: &str) -> Option<Database> {
    match catalog.strip_prefix("agr_") {
        Some(id) => Some(Database::Agreement(id.to_owned())),
        None if catalog == session.tenant || catalog == "clarence" => Some(Database::Own),
        None => None,
    }
}

/// All that somebody sees, with a door's schemas beside the tables of their session's database.
pub fn catalogs(
    session: &Session,
    shown: &[TableShown],
    extra: Vec<(String, Arc<dyn SchemaProvider>)>,
) -> Result<Arc<dyn CatalogProviderList>> {
    let mut databases: BTreeMap<String, Tables> = BTreeMap::new();
    let own = catalog_of(session, &session.database);
    databases.entry(own.clone()).or_default();
    for table in shown {
        let tables = databases
            .entry(catalog_of(session, &table.table.database))
            .or_default();
        let name = table.table.table.as_str().to_owned();
        tables.shown.insert(name, table.clone());
    }
    let list = MemoryCatalogProviderList::new();
    let mut extra = Some(extra);
    for (name, tables) in databases {
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(tables))?;
        if name == own {
            for (schema, provider) in extra.take().unwrap_or_default() {
                catalog.register_schema(&schema, provider)?;
            }
        }
        list.register_catalog(name, Arc::new(catalog));
    }
    Ok(Arc::new(list))
}

/// A table's name as it was written, in the session's database unless it says another.
pub fn named(session: &Session, parts: &[String]) -> Result<TableRef, SqlError> {
    let unknown = |what: String| Err(SqlError::new(Fault::Name, what));
    let (catalog, schema, table) = match parts {
        [table] => (None, None, table),
        [schema, table] => (None, Some(schema), table),
        [catalog, schema, table] => (Some(catalog), Some(schema), table),
        _ => return unknown("a table's name has at most three parts".into()),
    };
    if let Some(schema) = schema
        && schema != SCHEMA
    {
        return unknown(format!(
            "tables lie in the schema {SCHEMA}, not in {schema}"
        ));
    }
    let database = match catalog {
        None => session.database.clone(),
        Some(catalog) => match database_of(session, catalog) {
            Some(database) => database,
            None => return unknown(format!("there is no database {catalog}")),
        },
    };
    let table = TableName::parse(table).map_err(|e| SqlError::new(Fault::Name, e.to_string()))?;
    Ok(TableRef { database, table })
}
