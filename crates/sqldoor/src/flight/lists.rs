//! What there is: databases, tables and their columns, as far as the vault shows them to whoever asks, and what is served.

use super::fail::{broken, status};
use super::shape::shape_of;
use super::statements::{Rows, sent};
use super::tokens::Signed;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, ProstMessageExt, SqlInfo, SqlSupportedTransaction,
};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use futures::stream;
use prost::Message;
use sql::{SCHEMA, arrow_of, catalog_of, datafusion};
use statement::{Session, TableShown};
use std::collections::BTreeSet;
use std::sync::Arc;
use tonic::{Response, Status};

/// The only type of a table.
const TABLE: &str = "TABLE";

/// Where a list is fetched: the command is its own ticket, for it is made when it is fetched.
pub fn info<C: ProstMessageExt>(
    command: &C,
    schema: &Schema,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let ticket = Ticket::new(command.as_any().encode_to_vec());
    let info = FlightInfo::new()
        .with_descriptor(descriptor)
        .try_with_schema(schema)
        .map_err(broken)?
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket));
    Ok(Response::new(info))
}

/// A list as its rows.
pub fn listed(batch: RecordBatch) -> Response<Rows> {
    let schema = batch.schema();
    Response::new(sent(schema, stream::iter([Ok(batch)])))
}

async fn seen(signed: &Signed) -> Result<(&Session, Arc<Vec<TableShown>>), Status> {
    let tables = signed.connection.tables().await;
    let tables = tables.map_err(|error| status(&error))?;
    Ok((signed.connection.session(), tables))
}

/// The session's database and those that others' tables are shown in.
fn databases(session: &Session, tables: &[TableShown]) -> BTreeSet<String> {
    let others = tables
        .iter()
        .map(|table| catalog_of(session, &table.table.database));
    let own = catalog_of(session, &session.database);
    others.chain([own]).collect()
}

pub async fn catalogs(
    signed: &Signed,
    command: CommandGetCatalogs,
) -> Result<Response<Rows>, Status> {
    let (session, tables) = seen(signed).await?;
    let mut list = command.into_builder();
    for database in databases(session, &tables) {
        list.append(database);
    }
    Ok(listed(list.build().map_err(broken)?))
}

pub async fn schemas(
    signed: &Signed,
    command: CommandGetDbSchemas,
) -> Result<Response<Rows>, Status> {
    let (session, tables) = seen(signed).await?;
    let mut list = command.into_builder();
    for database in databases(session, &tables) {
        list.append(database, SCHEMA);
    }
    Ok(listed(list.build().map_err(broken)?))
}

pub async fn tables(signed: &Signed, command: CommandGetTables) -> Result<Response<Rows>, Status> {
    let (session, tables) = seen(signed).await?;
    let mut list = command.into_builder();
    for shown in tables.iter() {
        let database = catalog_of(session, &shown.table.database);
        let name = shown.table.table.as_str();
        let columns = columns(shown);
        list.append(database, SCHEMA, name, TABLE, &columns)
            .map_err(broken)?;
    }
    Ok(listed(list.build().map_err(broken)?))
}

/// The columns as they will leave.
fn columns(shown: &TableShown) -> Schema {
    let columns = shown.columns.iter();
    let fields =
        columns.map(|column| Field::new(&column.name, arrow_of(column.kind), column.nullable));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    shape_of(&schema).as_ref().clone()
}

pub fn table_types(command: CommandGetTableTypes) -> Result<Response<Rows>, Status> {
    let mut list = command.into_builder();
    list.append(TABLE);
    Ok(listed(list.build().map_err(broken)?))
}

/// What a client may learn of this door.
pub fn served() -> Result<SqlInfoData, Status> {
    let mut all = SqlInfoDataBuilder::new();
    all.append(SqlInfo::FlightSqlServerName, "Clarence");
    all.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    all.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    all.append(SqlInfo::FlightSqlServerReadOnly, false);
    all.append(SqlInfo::FlightSqlServerSql, true);
    all.append(SqlInfo::FlightSqlServerSubstrait, false);
    let none = SqlSupportedTransaction::None as i32;
    all.append(SqlInfo::FlightSqlServerTransaction, none);
    all.append(SqlInfo::FlightSqlServerCancel, true);
    all.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    all.append(SqlInfo::SqlDdlCatalog, false);
    all.append(SqlInfo::SqlDdlSchema, false);
    all.append(SqlInfo::SqlDdlTable, true);
    all.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    all.append(SqlInfo::SqlSchemaTerm, "schema");
    all.append(SqlInfo::SqlCatalogTerm, "database");
    all.build().map_err(broken)
}

pub fn sql_info(command: CommandGetSqlInfo) -> Result<Response<Rows>, Status> {
    let served = served()?;
    let list = command.into_builder(&served);
    Ok(listed(list.build().map_err(broken)?))
}

/// No type is told of: an answer's own schema says what its columns are.
pub fn types(command: CommandGetXdbcTypeInfo) -> Result<Response<Rows>, Status> {
    let none = XdbcTypeInfoDataBuilder::new().build().map_err(broken)?;
    let list = command.into_builder(&none);
    Ok(listed(list.build().map_err(broken)?))
}

/// Tables have no keys; this is how none of them look (`CommandGetPrimaryKeys`).
pub fn no_primary_keys() -> Schema {
    Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ])
}

/// Nor do they point to one another (`CommandGetImportedKeys` and its likes).
pub fn no_foreign_keys() -> Schema {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ])
}

/// A list without a row.
pub fn none(schema: Schema) -> Response<Rows> {
    listed(RecordBatch::new_empty(Arc::new(schema)))
}
