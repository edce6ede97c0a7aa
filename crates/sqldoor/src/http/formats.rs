//! Rows in the formats that a client may fetch them in.

use bytes::Bytes;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder};
use datafusion::arrow::{csv, json};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::errors::ParquetError;
use sql::{Fault, SqlError, datafusion};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a row group of Parquet that are held before they are written.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Ndjson,
    Csv,
    Arrow,
    Parquet,
}

impl Format {
    const ALL: [(&'static str, Self, &'static str); 5] = [
        ("json", Self::Json, "application/json"),
        ("ndjson", Self::Ndjson, "application/x-ndjson"),
        ("csv", Self::Csv, "text/csv; charset=utf-8"),
        ("arrow", Self::Arrow, "application/vnd.apache.arrow.stream"),
        ("parquet", Self::Parquet, "application/vnd.apache.parquet"),
    ];

    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(own, ..)| *own == name);
        found.map(|(_, format, _)| *format)
    }

    /// All names.
    pub fn names() -> String {
        Self::ALL.map(|(name, ..)| name).join(", ")
    }

    pub fn media_type(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, own, _)| *own == self);
        found.map_or("application/octet-stream", |(.., media_type)| *media_type)
    }
}

/// What was written and not taken yet.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Bytes {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Bytes::from(std::mem::take(&mut *bytes))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sink.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes bytes of rows.
pub struct Rows {
    sink: Sink,
    schema: SchemaRef,
    writer: Writer,
}

enum Writer {
    Json(json::Writer<Sink, JsonArray>),
    Ndjson(json::Writer<Sink, LineDelimited>),
    Csv(Box<csv::Writer<Sink>>, SchemaRef, bool),
    Arrow(StreamWriter<Sink>),
    Parquet(Box<ArrowWriter<Sink>>),
}

impl Rows {
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Self, SqlError> {
        let sink = Sink::default();
        let to = sink.clone();
        let json = || WriterBuilder::new().with_explicit_nulls(true);
        let writer = match format {
            Format::Json => Writer::Json(json().build(to)),
            Format::Ndjson => Writer::Ndjson(json().build(to)),
            Format::Csv => Writer::Csv(
                Box::new(csv::WriterBuilder::new().with_header(true).build(to)),
                Arc::clone(schema),
                false,
            ),
            Format::Arrow => Writer::Arrow(StreamWriter::try_new(to, schema).map_err(unfit)?),
            Format::Parquet => {
                let writer = ArrowWriter::try_new(to, Arc::clone(schema), None);
                Writer::Parquet(Box::new(writer.map_err(unfit_parquet)?))
            }
        };
        Ok(Self {
            sink,
            schema: Arc::clone(schema),
            writer,
        })
    }

    /// The bytes that some rows come to; perhaps none yet.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Bytes, SqlError> {
        // Under the names that the answer's columns have.
        let named = RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            batch.columns().to_vec(),
            &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
        );
        let batch = &named.map_err(unfit)?;
        match &mut self.writer {
            Writer::Json(writer) => writer.write(batch).map_err(unfit)?,
            Writer::Ndjson(writer) => writer.write(batch).map_err(unfit)?,
            Writer::Csv(writer, _, begun) => {
                *begun = true;
                writer.write(batch).map_err(unfit)?;
            }
            Writer::Arrow(writer) => writer.write(batch).map_err(unfit)?,
            Writer::Parquet(writer) => {
                writer.write(batch).map_err(unfit_parquet)?;
                if writer.in_progress_size() > GROUP_BYTES_MAX {
                    writer.flush().map_err(unfit_parquet)?;
                }
            }
        }
        Ok(self.sink.take())
    }

    /// What comes behind the last row.
    pub fn finish(mut self) -> Result<Bytes, SqlError> {
        match &mut self.writer {
            Writer::Json(writer) => writer.finish().map_err(unfit)?,
            Writer::Ndjson(writer) => writer.finish().map_err(unfit)?,
            // Without a row its columns are named all the same.
            Writer::Csv(writer, schema, false) => {
                let none = RecordBatch::new_empty(Arc::clone(schema));
                writer.write(&none).map_err(unfit)?;
            }
            Writer::Csv(..) => {}
            Writer::Arrow(writer) => writer.finish().map_err(unfit)?,
            Writer::Parquet(writer) => {
                writer.finish().map_err(unfit_parquet)?;
            }
        }
        Ok(self.sink.take())
    }
}

fn unfit(error: ArrowError) -> SqlError {
    SqlError::new(
        Fault::Unsupported,
        format!(
            "the rows cannot be written in this format: {error}; cast the column to text, or fetch arrow"
        ),
    )
}

fn unfit_parquet(error: ParquetError) -> SqlError {
    unfit(ArrowError::ParquetError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Int64Array, StringArray};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int64, true),
            Field::new("b", DataType::Utf8, true),
        ]))
    }

    fn written(format: Format, batches: usize) -> Vec<u8> {
        let a = Int64Array::from(vec![Some(1), None]);
        let b = StringArray::from(vec![Some("x,\"y\""), None]);
        let batch = RecordBatch::try_new(schema(), vec![Arc::new(a), Arc::new(b)]).unwrap();
        let mut rows = Rows::new(format, &schema()).unwrap();
        let mut all = Vec::new();
        for _ in 0..batches {
            all.extend_from_slice(&rows.write(&batch).unwrap());
        }
        all.extend_from_slice(&rows.finish().unwrap());
        all
    }

    #[test]
    fn each_format_has_all_rows_and_its_columns_without_any() {
        let text = |format, batches| String::from_utf8(written(format, batches)).unwrap();
        assert_eq!(text(Format::Csv, 0), "a,b\n");
        assert_eq!(
            text(Format::Csv, 2),
            "a,b\n1,\"x,\"\"y\"\"\"\n,\n1,\"x,\"\"y\"\"\"\n,\n"
        );
        assert_eq!(text(Format::Json, 0), "[]");
        let read: serde_json::Value = serde_json::from_str(&text(Format::Json, 2)).unwrap();
        assert_eq!(read[3], serde_json::json!({"a": null, "b": null}));
        assert_eq!(text(Format::Ndjson, 1).lines().count(), 2);
        for (batches, rows) in [(0, 0), (3, 6)] {
            let bytes = written(Format::Arrow, batches);
            let read = datafusion::arrow::ipc::reader::StreamReader::try_new(&*bytes, None);
            let counted: usize = read.unwrap().map(|batch| batch.unwrap().num_rows()).sum();
            assert_eq!(counted, rows);
            let bytes = Bytes::from(written(Format::Parquet, batches));
            let read = datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(
                bytes, 1024,
            );
            let counted: usize = read.unwrap().map(|batch| batch.unwrap().num_rows()).sum();
            assert_eq!(counted, rows);
        }
    }
}
