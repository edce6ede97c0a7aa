//! The types of columns, here and in Arrow.

use crate::error::{Fault, SqlError};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use statement::{Column, Kind, Partition};
use std::sync::Arc;

const UTC: &str = "+00:00";

/// A kind's type in Arrow. Text and bytes are views: what is read is not copied.
#[must_use]
pub fn arrow_of(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int16 => DataType::Int16,
        Kind::Int32 => DataType::Int32,
        Kind::Int64 => DataType::Int64,
        Kind::Float32 => DataType::Float32,
        Kind::Float64 => DataType::Float64,
        Kind::Decimal(digits, scale) if digits <= 38 => DataType::Decimal128(digits, scale),
        Kind::Decimal(digits, scale) => DataType::Decimal256(digits, scale),
        Kind::Text => DataType::Utf8View,
        Kind::Binary => DataType::BinaryView,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Kind::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
    }
}

/// The kind that holds all values of an Arrow type, if there is one.
#[must_use]
pub fn kind_of(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Boolean => Kind::Bool,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Kind::Int16,
        DataType::Int32 | DataType::UInt16 => Kind::Int32,
        DataType::Int64 | DataType::UInt32 => Kind::Int64,
        DataType::UInt64 => Kind::Decimal(20, 0),
        DataType::Float16 | DataType::Float32 => Kind::Float32,
        DataType::Float64 => Kind::Float64,
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => Kind::Decimal(*digits, *scale),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Kind::Text,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Kind::Binary,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Timestamp(_, None) => Kind::Timestamp,
        DataType::Timestamp(_, Some(_)) => Kind::TimestampUtc,
        DataType::Dictionary(_, value) => return kind_of(value),
        _ => return None,
    })
}

/// A column's field.
#[must_use]
pub fn field_of(column: &Column) -> Field {
    Field::new(&column.name, arrow_of(column.kind), column.nullable)
}

/// A partition's field. Its value stands in a name, so it may be the one that stands for absent.
#[must_use]
pub fn field_of_partition(partition: &Partition) -> Field {
    Field::new(&partition.name, arrow_of(partition.kind), true)
}

/// The schema of columns.
#[must_use]
pub fn schema_of(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(
        columns.iter().map(field_of).collect::<Vec<_>>(),
    ))
}

/// The columns of a schema, none of them sensitive.
pub fn columns_of(schema: &Schema) -> Result<Vec<Column>, SqlError> {
    let column = |field: &Arc<Field>| {
        let kind = kind_of(field.data_type()).ok_or_else(|| {
            SqlError::new(
                Fault::Unsupported,
                format!(
                    "the column {} is of the type {}, which is not served; name the columns that are wanted, or write it as text",
                    field.name(),
                    field.data_type()
                ),
            )
        })?;
        Ok(Column {
            name: field.name().clone(),
            kind,
            nullable: field.is_nullable(),
            sensitive: false,
        })
    };
    schema.fields().iter().map(column).collect()
}
