//! One relation of the catalog: its columns as a line of text, its rows in memory.
//!
//! A column is written `name:type` or `name:type=value`, where the value stands in every row that does not say another.

use sql::datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int32Array, Int64Array, ListBuilder,
    PrimitiveBuilder, RecordBatch, StringArray, StringBuilder, new_null_array,
};
use sql::datafusion::arrow::datatypes::{
    DataType, Field, Int16Type, Int32Type, Schema, SchemaRef, TimeUnit,
};
use sql::datafusion::catalog::{MemTable, TableProvider};
use sql::datafusion::error::Result;
use std::collections::HashMap;
use std::sync::Arc;

/// Tells the encoder of rows that a number is an object's id.
const OID_KEY: &str = "pg.oid_alias";
/// Tells it that a text is one byte, PostgreSQL's `"char"`.
const CHAR_KEY: &str = "pg.char";

/// A value.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Absent.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Several whole numbers.
    Ints(Vec<i64>),
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}
impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// What a row says; the other columns have what the relation says of all.
pub type Row = Vec<(&'static str, Cell)>;

/// One column of a relation.
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type as it is written in the line.
    pub kind: &'static str,
    default: Option<&'static str>,
}

/// The columns that a line tells of.
pub fn columns(line: &'static str) -> impl Iterator<Item = Column> {
    line.split_whitespace().map(|word| {
        let (name, rest) = word.split_once(':').unwrap_or((word, "text"));
        let (kind, default) = match rest.split_once('=') {
            Some((kind, default)) => (kind, Some(default)),
            None => (rest, None),
        };
        Column {
            name,
            kind,
            default,
        }
    })
}

fn type_of(kind: &str) -> DataType {
    if let Some(inner) = kind.strip_suffix("[]") {
        return DataType::List(Arc::new(Field::new("item", type_of(inner), true)));
    }
    match kind {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" | "oid" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float32,
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        _ => DataType::Utf8,
    }
}

fn field_of(column: &Column) -> Field {
    let field = Field::new(column.name, type_of(column.kind), true);
    let mark = match column.kind {
        "oid" => (OID_KEY, "oid"),
        "char" => (CHAR_KEY, "char"),
        _ => return field,
    };
    field.with_metadata(HashMap::from([(mark.0.to_owned(), mark.1.to_owned())]))
}

/// The schema that a line tells of.
pub fn schema_of(line: &'static str) -> SchemaRef {
    let fields: Vec<Field> = columns(line).map(|column| field_of(&column)).collect();
    Arc::new(Schema::new(fields))
}

/// The relation with these rows.
pub fn table(line: &'static str, rows: &[Row]) -> Result<Arc<dyn TableProvider>> {
    let schema = schema_of(line);
    let arrays: Vec<ArrayRef> = columns(line)
        .zip(schema.fields())
        .map(|(column, field)| {
            let default = column
                .default
                .map_or(Cell::Null, |text| read(text, column.kind));
            let cells = rows.iter().map(|row| {
                let said = row.iter().find(|(name, _)| *name == column.name);
                said.map_or(&default, |(_, cell)| cell)
            });
            array_of(field.data_type(), &cells.collect::<Vec<_>>())
        })
        .collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

fn read(text: &str, kind: &str) -> Cell {
    match kind {
        "bool" => Cell::Bool(text == "t"),
        "int2" | "int4" | "int8" | "oid" | "float4" => text.parse().map_or(Cell::Null, Cell::Int),
        _ => Cell::Text(text.to_owned()),
    }
}

fn int(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Int(value) => Some(*value),
        Cell::Bool(value) => Some(i64::from(*value)),
        _ => None,
    }
}

fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Text(value) => Some(value.clone()),
        Cell::Int(value) => Some(value.to_string()),
        Cell::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn array_of(data_type: &DataType, cells: &[&Cell]) -> ArrayRef {
    let small = |cell: &&Cell| int(cell).and_then(|value| i16::try_from(value).ok());
    let usual = |cell: &&Cell| int(cell).and_then(|value| i32::try_from(value).ok());
    match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(cells.iter().map(
            |cell| match cell {
                Cell::Bool(value) => Some(*value),
                _ => None,
            },
        ))),
        DataType::Int16 => Arc::new(Int16Array::from_iter(cells.iter().map(small))),
        DataType::Int32 => Arc::new(Int32Array::from_iter(cells.iter().map(usual))),
        DataType::Int64 => Arc::new(Int64Array::from_iter(cells.iter().map(|cell| int(cell)))),
        DataType::Float32 => {
            let real = |cell: &&Cell| small(cell).map(f32::from);
            Arc::new(Float32Array::from_iter(cells.iter().map(real)))
        }
        DataType::Utf8 => Arc::new(StringArray::from_iter(cells.iter().map(|cell| text(cell)))),
        DataType::List(item) => list_of(item.data_type(), cells)
            .unwrap_or_else(|| new_null_array(data_type, cells.len())),
        other => new_null_array(other, cells.len()),
    }
}

fn list_of(item: &DataType, cells: &[&Cell]) -> Option<ArrayRef> {
    Some(match item {
        DataType::Int16 => {
            let mut list = ListBuilder::new(PrimitiveBuilder::<Int16Type>::new());
            for cell in cells {
                match cell {
                    Cell::Ints(all) => {
                        list.append_value(all.iter().map(|one| i16::try_from(*one).ok()));
                    }
                    _ => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
        DataType::Int32 => {
            let mut list = ListBuilder::new(PrimitiveBuilder::<Int32Type>::new());
            for cell in cells {
                match cell {
                    Cell::Ints(all) => {
                        list.append_value(all.iter().map(|one| i32::try_from(*one).ok()));
                    }
                    _ => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
        DataType::Utf8 => {
            let mut list = ListBuilder::new(StringBuilder::new());
            for cell in cells {
                match cell {
                    Cell::Text(only) => list.append_value([Some(only)]),
                    _ => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
        _ => return None,
    })
}
