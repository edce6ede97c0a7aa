//! Rows become a table's next version: sealed Parquet objects, and one commit that makes them count.

use crate::connection::Connection;
use crate::declare::MakeAs;
use crate::error::{Fault, SqlError};
use crate::kinds::{columns_of, schema_of};
use crate::prepared::{Prepared, Verb};
use crate::run::{Begun, Done, reads, timeout_of, too_long};
use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use futures::StreamExt;
use statement::limits::TABLE_VERSION_OBJECTS_MAX;
use statement::{GrantId, GrantedObject, Road, Source, TableAsked, TableRef, Use, Why};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Rows in one object.
const OBJECT_ROWS: usize = 4 * 1024 * 1024;
/// Rows in one row group.
const GROUP_ROWS: usize = 256 * 1024;
/// Pieces of an object that wait to be sealed.
const PIECES: usize = 4;

/// `CREATE TABLE … AS`.
pub async fn make(
    connection: &Arc<Connection>,
    prepared: &Prepared,
    make: &MakeAs,
    plan: LogicalPlan,
) -> Result<Done, SqlError> {
    let mut columns = columns_of(plan.schema().as_arrow())?;
    // That no value was absent now is no promise for later rows.
    for column in &mut columns {
        column.nullable = true;
    }
    let def = make.def(columns)?;
    let writes = TableAsked {
        source: Source::Table {
            table: make.table.clone(),
            version: None,
            at: None,
        },
        columns: None,
        used: Use::Create(def),
    };
    let there = prepared
        .seen
        .shown
        .iter()
        .any(|shown| shown.table == make.table);
    if there && make.if_not_exists {
        return Ok(Done::Count {
            verb: Verb::CreateTableAs,
            rows: 0,
        });
    }
    let rows = written(connection, prepared, plan, writes).await?;
    Ok(Done::Count {
        verb: Verb::CreateTableAs,
        rows,
    })
}

/// `INSERT`.
pub async fn insert(
    connection: &Arc<Connection>,
    prepared: &Prepared,
    table: &TableRef,
    plan: LogicalPlan,
) -> Result<Done, SqlError> {
    let writes = TableAsked {
        source: Source::Table {
            table: table.clone(),
            version: None,
            at: None,
        },
        columns: None,
        used: Use::Append,
    };
    let rows = written(connection, prepared, plan, writes).await?;
    Ok(Done::Count {
        verb: Verb::Insert,
        rows,
    })
}

async fn written(
    connection: &Arc<Connection>,
    prepared: &Prepared,
    plan: LogicalPlan,
    writes: TableAsked,
) -> Result<u64, SqlError> {
    let stop = connection.starts();
    let state = &prepared.seen.state;
    let optimised = state.optimize(&plan)?;
    let reads = reads(&optimised)?;
    let place = reads.len();
    let begun = Begun::begin(connection, prepared, reads, vec![writes], &stop).await?;
    let timeout = timeout_of(connection);
    let work = async {
        let rows = begun.start(state, &plan, optimised).await?;
        write_all(connection, &begun, place, rows).await
    };
    let done = tokio::select! {
        biased;
        cause = stop.stopped() => Err(cause),
        () = tokio::time::sleep(timeout) => Err(too_long(timeout)),
        done = work => done,
    };
    match done {
        Ok(rows) => {
            begun.close(rows, None).await?;
            Ok(rows)
        }
        Err(error) => Err(begun.break_off(error).await),
    }
}

async fn write_all(
    connection: &Connection,
    begun: &Begun,
    place: usize,
    rows: SendableRecordBatchStream,
) -> Result<u64, SqlError> {
    let granted = begun.grants.granted();
    let def = &granted.tables[place].def;
    let schema = schema_of(&def.columns);
    let road = &connection.engine.road;
    let mut rows = connection.engine.compute.drive(rows);
    let mut written: Vec<GrantedObject> = Vec::new();
    let mut count = 0;
    let mut next = rows.next().await.transpose()?;
    while let Some(first) = next.take() {
        if written.len() >= TABLE_VERSION_OBJECTS_MAX {
            return Err(SqlError::new(
                Fault::Resources,
                format!(
                    "a table's version has at most {TABLE_VERSION_OBJECTS_MAX} objects; make several tables"
                ),
            ));
        }
        let mut object = Object::begin(road, granted.id, place, &schema)?;
        let mut batch = Some(first);
        while let Some(rows_of_it) = batch.take() {
            count += rows_of_it.num_rows() as u64;
            object.add(&fitted(&rows_of_it, &schema)?).await?;
            let more = rows.next().await.transpose()?;
            if object.rows >= OBJECT_ROWS {
                next = more;
            } else {
                batch = more;
            }
        }
        written.push(object.finish().await?);
    }
    road.commit(granted.id, place, written).await?;
    Ok(count)
}

/// Rows in the types of the table's columns, by place.
fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, SqlError> {
    if batch.num_columns() != schema.fields().len() {
        return Err(SqlError::new(
            Fault::Value,
            format!(
                "the table has {} columns, and the rows have {}",
                schema.fields().len(),
                batch.num_columns()
            ),
        ));
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns: Result<Vec<ArrayRef>, _> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast_with_options(column, field.data_type(), &strict))
        .collect();
    let fitted = columns.and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns));
    fitted.map_err(|error| {
        SqlError::new(
            Fault::Value,
            format!("a row does not fit into the table: {error}; nothing was added"),
        )
    })
}

/// One object as it is written.
struct Object {
    writer: ArrowWriter<Shared>,
    buffer: Shared,
    pieces: Option<mpsc::Sender<io::Result<Bytes>>>,
    writing: tokio::task::JoinHandle<Result<GrantedObject, statement::Refused>>,
    rows: usize,
}

/// What the writer has made and nobody has taken yet.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Object {
    fn begin(
        road: &Arc<dyn Road>,
        grant: GrantId,
        place: usize,
        schema: &SchemaRef,
    ) -> Result<Self, SqlError> {
        let buffer = Shared::default();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(broken)?))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(buffer.clone(), Arc::clone(schema), Some(properties))
            .map_err(broken)?;
        let (pieces, taken) = mpsc::channel(PIECES);
        let body = futures::stream::unfold(
            taken,
            |mut taken: mpsc::Receiver<io::Result<Bytes>>| async move {
                taken.recv().await.map(|piece| (piece, taken))
            },
        );
        let road = Arc::clone(road);
        let writing = tokio::spawn(async move { road.write(grant, place, body.boxed()).await });
        Ok(Self {
            writer,
            buffer,
            pieces: Some(pieces),
            writing,
            rows: 0,
        })
    }

    async fn add(&mut self, batch: &RecordBatch) -> Result<(), SqlError> {
        self.writer.write(batch).map_err(broken)?;
        self.rows += batch.num_rows();
        self.pass_on().await;
        Ok(())
    }

    /// What is made goes on. If the far end has given up, its answer says why.
    async fn pass_on(&mut self) {
        let made = self.buffer.take();
        if let (false, Some(pieces)) = (made.is_empty(), &self.pieces)
            && pieces.send(Ok(Bytes::from(made))).await.is_err()
        {
            self.pieces = None;
        }
    }

    async fn finish(mut self) -> Result<GrantedObject, SqlError> {
        self.writer.finish().map_err(broken)?;
        self.pass_on().await;
        self.pieces = None;
        let written = self.writing.await.map_err(|_| {
            SqlError::new(
                Fault::Refused(Why::Internal),
                "writing the table was interrupted; nothing was added",
            )
        })?;
        Ok(written?)
    }
}

fn broken(error: impl std::fmt::Display) -> SqlError {
    SqlError::new(
        Fault::Internal,
        format!("the rows could not be written as Parquet: {error}; nothing was added"),
    )
}
