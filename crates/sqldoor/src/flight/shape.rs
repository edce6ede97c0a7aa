//! The shape in which rows leave: types that every reader of Arrow knows. Views and dictionaries are written out.

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use sql::{Fault, SqlError, datafusion};
use std::sync::Arc;

/// A type as it leaves. A view would carry all bytes that it points into, whatever part of its rows is sent.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => plain(value),
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = plain(field.data_type());
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

/// Columns as they leave.
pub fn shape_of(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new(fields))
}

/// Rows in that shape.
pub fn shaped(shape: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, SqlError> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = batch.columns().iter().zip(shape.fields());
    let columns = columns.map(
        |(column, field)| match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false => cast_with_options(column, field.data_type(), &strict),
        },
    );
    let columns: Result<Vec<_>, ArrowError> = columns.collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    columns
        .and_then(|columns| RecordBatch::try_new_with_options(Arc::clone(shape), columns, &options))
        .map_err(|error| {
            SqlError::new(
                Fault::Unsupported,
                format!("the rows cannot be sent: {error}; cast the column to text"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{
        Array, ArrayRef, BinaryViewArray, DictionaryArray, ListArray, StringArray, StringViewArray,
    };
    use datafusion::arrow::buffer::OffsetBuffer;
    use datafusion::arrow::datatypes::Int32Type;

    #[test]
    fn views_and_dictionaries_are_written_out() {
        let words = StringViewArray::from(vec![Some("a word longer than twelve"), None]);
        let item = Arc::new(Field::new("item", DataType::Utf8View, true));
        let offsets = OffsetBuffer::from_lengths([1, 1]);
        let list = ListArray::new(item, offsets, Arc::new(words.clone()), None);
        let dictionary: DictionaryArray<Int32Type> =
            vec![Some("x"), Some("x")].into_iter().collect();
        let bytes = BinaryViewArray::from(vec![Some(b"y".as_slice()), None]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("words", Arc::new(words)),
            ("list", Arc::new(list)),
            ("dictionary", Arc::new(dictionary)),
            ("bytes", Arc::new(bytes)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let shape = shape_of(&batch.schema());
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let types: Vec<&DataType> = shape.fields().iter().map(|f| f.data_type()).collect();
        assert_eq!(
            types,
            [
                &DataType::Utf8,
                &DataType::List(item),
                &DataType::Utf8,
                &DataType::Binary
            ]
        );
        let shaped = shaped(&shape, &batch).unwrap();
        let words = shaped
            .column(0)
            .as_any()
            .downcast_ref::<StringArray>()
            .unwrap();
        assert_eq!(words.value(0), "a word longer than twelve");
        assert!(words.is_null(1) && shaped.num_rows() == 2);
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let none = Arc::new(Schema::empty());
        let batch = RecordBatch::try_new_with_options(none, Vec::new(), &options).unwrap();
        let shape = shape_of(&batch.schema());
        assert_eq!(shaped(&shape, &batch).unwrap().num_rows(), 3);
    }
}
