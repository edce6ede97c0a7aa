//! A granted table's objects as files of their format.

use crate::error::{Fault, SqlError};
use crate::objects::{Objects, meta_of};
use crate::rows::columns_in;
use crate::scan::{Columns, partition_value};
use datafusion::arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::Session as PlanSession;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, ScalarValue, Statistics};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use statement::{Format, GrantedObject, GrantedTable};
use std::sync::Arc;

/// Objects of which the footers are read before a plan is made.
const FOOTERS_MAX: usize = 512;
/// Footers that are read at once.
const FOOTERS_AT_ONCE: usize = 16;
/// Bytes in which a CSV object's line of names has to end.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

/// A table's objects.
pub struct Files<'a> {
    table: &'a GrantedTable,
    columns: &'a Columns,
}

impl<'a> Files<'a> {
    /// Of a granted table.
    pub const fn new(table: &'a GrantedTable, columns: &'a Columns) -> Self {
        Self { table, columns }
    }

    /// The plan that reads some columns of them; none where no object is left.
    #[allow(clippy::too_many_arguments)] // one per fact of a scan
    pub async fn plan(
        &self,
        state: &dyn PlanSession,
        at: usize,
        objects: &Arc<Objects>,
        read: &[usize],
        conditions: &[Expr],
        with_sizes: bool,
        limit: Option<usize>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>, SqlError> {
        let mut files = Vec::new();
        for object in self.table.objects.iter().filter(|object| is_data(object)) {
            let file = PartitionedFile::new_from_meta(meta_of(object));
            files.push(file.with_partition_values(self.partition_values(object)?));
        }
        let files = self.pruned(state, files, conditions)?;
        if files.is_empty() {
            return Ok(None);
        }
        let format = format_of(&self.table.def.format)?;
        if let Format::Csv {
            header: true,
            delimiter,
        } = self.table.def.format
        {
            self.check_headers(objects, &files, delimiter).await?;
        }
        let schema = TableSchema::builder(Arc::clone(&self.columns.file))
            .with_table_partition_cols(self.columns.partitions.clone())
            .build();
        let statistics = match with_sizes && self.table.def.format == Format::Parquet {
            true => self.sizes(state, format.as_ref(), objects, &files).await?,
            false => None,
        };
        let threads = state.config().target_partitions();
        let mut scan = FileScanConfigBuilder::new(
            ObjectStoreUrl::parse(url_of(at))?,
            format.file_source(schema),
        )
        .with_file_groups(groups(files, threads))
        .with_projection_indices(Some(read.to_vec()))?
        .with_limit(limit);
        if let Some(statistics) = statistics {
            scan = scan.with_statistics(statistics);
        }
        let plan = format.create_physical_plan(state, scan.build()).await?;
        let spread = plan.repartitioned(threads, state.config_options())?;
        Ok(Some(spread.unwrap_or(plan)))
    }

    /// The values in an object's name, for each partition.
    fn partition_values(&self, object: &GrantedObject) -> Result<Vec<ScalarValue>, SqlError> {
        let rest = object.key.strip_prefix(&self.table.def.prefix);
        let rest = rest.unwrap_or(&object.key);
        let value = |field: &Arc<datafusion::arrow::datatypes::Field>| {
            let found = rest
                .split('/')
                .filter_map(|part| part.split_once('='))
                .find(|(name, _)| name == field.name());
            let (_, value) = found.ok_or_else(|| {
                SqlError::new(
                    Fault::Value,
                    format!(
                        "the object {} has no {}=… in its name, as the table {} says; move it or declare the table over a narrower prefix",
                        object.key,
                        field.name(),
                        self.table.def.name
                    ),
                )
            })?;
            partition_value(&decoded(value), field)
        };
        self.columns.partitions.iter().map(value).collect()
    }

    /// Without objects of which the name says already that no row is wanted.
    fn pruned(
        &self,
        state: &dyn PlanSession,
        files: Vec<PartitionedFile>,
        conditions: &[Expr],
    ) -> Result<Vec<PartitionedFile>, SqlError> {
        let partitions = &self.columns.partitions;
        let about_names = |condition: &&Expr| {
            let names = columns_in(condition);
            !names.is_empty()
                && names
                    .iter()
                    .all(|name| partitions.iter().any(|field| field.name() == name))
        };
        let conditions: Vec<&Expr> = conditions.iter().filter(about_names).collect();
        if conditions.is_empty() || files.is_empty() {
            return Ok(files);
        }
        let schema = Arc::new(Schema::new(partitions.clone()));
        let columns: Result<Vec<_>, _> = (0..partitions.len())
            .map(|place| {
                let values = files
                    .iter()
                    .filter_map(|file| file.partition_values.get(place).cloned());
                ScalarValue::iter_to_array(values)
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(files.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns?, &options)
            .map_err(datafusion::error::DataFusionError::from)?;
        let of = DFSchema::try_from(schema)?;
        let mut keep = vec![true; files.len()];
        for condition in conditions {
            let condition = state.create_physical_expr(condition.clone(), &of)?;
            let said = condition.evaluate(&batch)?.into_array(files.len())?;
            let said = said.as_boolean();
            for (place, keep) in keep.iter_mut().enumerate() {
                *keep &= said.is_valid(place) && said.value(place);
            }
        }
        let kept = files.into_iter().zip(keep);
        Ok(kept
            .filter_map(|(file, keep)| keep.then_some(file))
            .collect())
    }

    /// About how many rows there are, so that joins begin at the right end. Never exact: an exact number would answer a
    /// question without reading a row.
    async fn sizes(
        &self,
        state: &dyn PlanSession,
        format: &dyn FileFormat,
        objects: &Arc<Objects>,
        files: &[PartitionedFile],
    ) -> Result<Option<Statistics>, SqlError> {
        if files.len() > FOOTERS_MAX || !self.columns.partitions.is_empty() {
            return Ok(None);
        }
        let store: Arc<dyn ObjectStore> = Arc::clone(objects) as Arc<dyn ObjectStore>;
        let schema = &self.columns.file;
        let metas: Vec<_> = files.iter().map(|file| file.object_meta.clone()).collect();
        let all: Vec<Statistics> = futures::stream::iter(metas)
            .map(|meta| {
                let store = Arc::clone(&store);
                async move {
                    format
                        .infer_stats(state, &store, Arc::clone(schema), &meta)
                        .await
                }
            })
            .buffer_unordered(FOOTERS_AT_ONCE)
            .try_collect()
            .await?;
        let mut merged = Statistics::try_merge_iter(&all, schema)?.to_inexact();
        let bytes: u64 = files.iter().map(|file| file.object_meta.size).sum();
        merged.total_byte_size = Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(Some(merged))
    }

    /// Whether each CSV object names the columns that the table says, in its order: values go by place.
    async fn check_headers(
        &self,
        objects: &Arc<Objects>,
        files: &[PartitionedFile],
        delimiter: char,
    ) -> Result<(), SqlError> {
        let expected: Vec<&str> = self
            .columns
            .file
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let expected = &expected;
        let metas: Vec<_> = files.iter().map(|file| file.object_meta.clone()).collect();
        futures::stream::iter(metas)
            .map(|meta| async move {
                let bytes = objects
                    .get_ranges(&meta.location, std::slice::from_ref(&(0..meta.size.min(HEADER_BYTES_MAX))))
                    .await
                    .map_err(datafusion::error::DataFusionError::from)?;
                let first = bytes.first().map(|bytes| bytes.as_ref()).unwrap_or_default();
                let found = header_of(first, delimiter);
                if found.iter().map(String::as_str).eq(expected.iter().copied()) {
                    return Ok(());
                }
                let key = self.key_of(&meta.location);
                Err(SqlError::new(
                    Fault::Value,
                    format!(
                        "the object {key} begins with the names {found:?}, the table {} has {expected:?}; nothing of it was read. Declare a table for each shape, or write the object anew",
                        self.table.def.name
                    ),
                ))
            })
            .buffer_unordered(FOOTERS_AT_ONCE)
            .try_collect::<()>()
            .await
    }

    fn key_of(&self, location: &object_store::path::Path) -> &str {
        let found = self
            .table
            .objects
            .iter()
            .find(|object| crate::objects::path_of(object) == *location);
        found.map_or("", |object| object.key.as_str())
    }
}

/// Where the objects of a statement's table are found.
pub fn url_of(table: usize) -> String {
    format!("granted://table-{table}/")
}

/// A reader of a format.
pub fn format_of(format: &Format) -> Result<Arc<dyn FileFormat>, SqlError> {
    Ok(match format {
        Format::Parquet => Arc::new(ParquetFormat::default()),
        Format::Json => Arc::new(JsonFormat::default()),
        Format::Csv { header, delimiter } => {
            let delimiter = u8::try_from(*delimiter)
                .ok()
                .filter(u8::is_ascii)
                .ok_or_else(|| {
                    SqlError::new(Fault::Value, "CSV is parted by one ASCII character")
                })?;
            // A value may hold a line's end (RFC 4180, section 2.6).
            let format = CsvFormat::default()
                .with_has_header(*header)
                .with_delimiter(delimiter)
                .with_newlines_in_values(true);
            Arc::new(format)
        }
    })
}

/// Whether an object holds rows. Markers of folders and of finished jobs do not, by their names.
pub fn is_data(object: &GrantedObject) -> bool {
    let last = object.key.rsplit('/').next().unwrap_or_default();
    object.bytes > 0 && !last.is_empty() && !last.starts_with(['_', '.'])
}

/// Files for each thread, about the same bytes for each.
fn groups(mut files: Vec<PartitionedFile>, threads: usize) -> Vec<FileGroup> {
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let count = threads.clamp(1, files.len().max(1));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); count];
    for file in files {
        if let Some(least) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            least.0 += file.object_meta.size;
            least.1.push(file);
        }
    }
    groups
        .into_iter()
        .map(|(_, files)| FileGroup::new(files))
        .collect()
}

/// The values of a CSV object's first line.
fn header_of(bytes: &[u8], delimiter: char) -> Vec<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let line = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
    let unquoted = |value: &str| {
        let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        inner.map_or_else(|| value.to_owned(), |inner| inner.replace("\"\"", "\""))
    };
    line.trim_end_matches('\r')
        .split(delimiter)
        .map(unquoted)
        .collect()
}

/// Percent-encoding undone (RFC 3986, section 2.1).
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                out.push(byte);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_meant() {
        assert_eq!(decoded("a%20b%2"), "a b%2");
        assert_eq!(
            header_of(b"\xef\xbb\xbfid,\"a \"\"b\"\"\"\r\n1,2", ','),
            ["id", "a \"b\""]
        );
        assert_eq!(header_of(b"id;x", ';'), ["id", "x"]);
    }
}
