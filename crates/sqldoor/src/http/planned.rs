//! A statement as doors plan it that have no connection to keep settings in.

use crate::catalog;
use crate::postgres::names::names_of;
use crate::postgres::portal::Command;
use arrow_pg::datatypes::arrow_schema_to_pg_fields;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use pgwire::api::portal::Format;
use serde_json::{Value, json};
use sql::{Connection, Prepared, SqlError, datafusion, text};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A statement that is planned.
pub struct Planned {
    pub prepared: Prepared,
    /// Types that it states of its parameters itself (`$1::int8`), by number.
    pub stated: BTreeMap<usize, DataType>,
    /// Names of its answer's columns, where it names them not itself.
    pub names: Vec<Option<String>>,
}

impl Planned {
    pub async fn of(connection: &Connection, sql: &str) -> Result<Self, SqlError> {
        let statement = text::parse(sql)?;
        if Command::of(&statement)?.is_some() {
            return Err(SqlError::unsupported(
                "settings and blocks are of a connection, and there is none here: say purpose, case and timeout_ms with the statement",
            ));
        }
        let stated = catalog::parameter_types(&statement);
        let names = names_of(&statement);
        let statement = catalog::rewrite(statement);
        let prepared = connection.prepare_rewritten(sql, statement).await?;
        Ok(Self {
            prepared,
            stated,
            names,
        })
    }

    /// The columns of its answer, as they are shown.
    pub fn shown(&self) -> SchemaRef {
        renamed(&self.prepared.schema(), &self.names)
    }
}

/// The columns under the names that the statement gives them, as PostgreSQL's clients see them, where those are distinct.
pub fn renamed(schema: &SchemaRef, names: &[Option<String>]) -> SchemaRef {
    if names.len() != schema.fields().len() {
        return Arc::clone(schema);
    }
    let named: Vec<Field> = schema
        .fields()
        .iter()
        .zip(names)
        .map(|(field, name)| {
            let field = field.as_ref().clone();
            match name {
                Some(name) => field.with_name(name),
                None => field,
            }
        })
        .collect();
    let distinct: BTreeSet<&str> = named.iter().map(|field| field.name().as_str()).collect();
    match distinct.len() == named.len() {
        true => Arc::new(Schema::new(named)),
        false => Arc::clone(schema),
    }
}

/// Names and types, in PostgreSQL's words.
pub fn columns(schema: &SchemaRef) -> Result<Value, SqlError> {
    let fields = arrow_schema_to_pg_fields(schema, &Format::UnifiedText, None);
    let fields = fields.map_err(|error| {
        SqlError::unsupported(format!(
            "a column cannot be shown: {error}; cast it to text"
        ))
    })?;
    let named = fields
        .iter()
        .map(|field| json!({ "name": field.name(), "type": field.datatype().name() }));
    Ok(Value::Array(named.collect()))
}
