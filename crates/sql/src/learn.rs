//! Declaring a table, its columns learned from its objects where they were not named; and withdrawing it.

use crate::connection::Connection;
use crate::declare::{Declaration, mark_sensitive};
use crate::error::{Fault, SqlError};
use crate::files::{format_of, is_data};
use crate::kinds::columns_of;
use crate::objects::meta_of;
use crate::prepared::{Prepared, Verb};
use crate::run::{Begun, Done};
use datafusion::arrow::datatypes::Schema;
use object_store::{ObjectMeta, ObjectStore};
use statement::{Column, Source, TableAsked, TableDef, TableRef, Use, Why};
use std::sync::Arc;

/// Objects that columns are learned from.
const OBJECTS: usize = 16;

/// `CREATE EXTERNAL TABLE`.
pub async fn declare(
    connection: &Arc<Connection>,
    prepared: &Prepared,
    declaration: &Declaration,
) -> Result<Done, SqlError> {
    let done = Done::Count {
        verb: Verb::CreateTable,
        rows: 0,
    };
    let name = &declaration.def.name;
    let there = prepared.seen.shown.iter().any(|shown| {
        shown.table.table == *name && shown.table.database == statement::Database::Own
    });
    if there && declaration.if_not_exists {
        return Ok(done);
    }
    let mut def = declaration.def.clone();
    if def.columns.is_empty() {
        def.columns = learned(connection, prepared, &def).await?;
    }
    mark_sensitive(&mut def.columns, &declaration.sensitive)?;
    let engine = &connection.engine;
    engine.road.declare(connection.session().id, def).await?;
    Ok(done)
}

/// The columns that a table's objects have.
async fn learned(
    connection: &Arc<Connection>,
    prepared: &Prepared,
    def: &TableDef,
) -> Result<Vec<Column>, SqlError> {
    let stop = connection.starts();
    let asked = TableAsked {
        source: Source::Objects {
            bucket: def.bucket.clone(),
            prefix: def.prefix.clone(),
        },
        columns: None,
        used: Use::Read,
    };
    let begun = Begun::begin(connection, prepared, Vec::new(), vec![asked], &stop).await?;
    let found = tokio::select! {
        biased;
        cause = stop.stopped() => Err(cause),
        found = inferred(&begun, prepared, def) => found,
    };
    match found {
        Ok(schema) => {
            begun.close(0, None).await?;
            let mut columns = columns_of(&schema)?;
            columns.retain(|column| {
                def.partitions
                    .iter()
                    .all(|partition| partition.name != column.name)
            });
            Ok(columns)
        }
        Err(error) => Err(begun.break_off(error).await),
    }
}

async fn inferred(
    begun: &Begun,
    prepared: &Prepared,
    def: &TableDef,
) -> Result<Arc<Schema>, SqlError> {
    let objects: Vec<ObjectMeta> = begun.grants.granted().tables[0]
        .objects
        .iter()
        .filter(|object| is_data(object))
        .take(OBJECTS)
        .map(meta_of)
        .collect();
    if objects.is_empty() {
        return Err(SqlError::new(
            Fault::Value,
            format!(
                "under s3://{}/{} there is no object to learn the columns from; name them: CREATE EXTERNAL TABLE {} (…) …",
                def.bucket.as_str(),
                def.prefix,
                def.name
            ),
        ));
    }
    begun.grants.objects()[0].are(&def.format);
    let store = Arc::clone(&begun.grants.objects()[0]) as Arc<dyn ObjectStore>;
    let format = format_of(&def.format)?;
    Ok(format
        .infer_schema(&prepared.seen.state, &store, &objects)
        .await?)
}

/// `DROP TABLE`: the objects stay.
pub async fn withdraw(
    connection: &Arc<Connection>,
    tables: &[TableRef],
    if_exists: bool,
) -> Result<Done, SqlError> {
    let engine = &connection.engine;
    for table in tables {
        let done = engine
            .road
            .withdraw(connection.session().id, table.clone())
            .await;
        match done {
            Err(refused) if refused.why == Why::NotFound && if_exists => {}
            other => other?,
        }
    }
    Ok(Done::Count {
        verb: Verb::DropTable,
        rows: 0,
    })
}
