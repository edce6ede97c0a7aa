//! Statements: begun when their FlightInfo is asked for, and shown to whoever opens its ticket.

use super::Door;
use super::believe::Who;
use super::bound;
use super::fail::{broken, refused, status};
use super::shape::{shape_of, shaped};
use crate::http::asked::{Asked, wanted};
use crate::http::planned::Planned;
use crate::http::runs::{Asks, Run, Within};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::PeekableFlightDataStream;
use arrow_flight::sql::{
    ActionCreatePreparedStatementResult, DoPutPreparedStatementResult, ProstMessageExt,
    TicketStatementQuery,
};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaAsIpc, Ticket};
use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::ipc::writer::IpcWriteOptions;
use datafusion::common::ScalarValue;
use futures::{Stream, TryStreamExt, stream};
use prost::Message;
use sql::{SqlError, datafusion};
use std::sync::Arc;
use tokio::sync::oneshot;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

/// Rows on their way.
pub type Rows = <super::Flight as FlightService>::DoGetStream;

/// What somebody asks to be run.
pub struct Order {
    who: Who,
    asked: Asked,
}

impl Order {
    /// A statement, and what its call's headers say of it: the names are those of the settings in PostgreSQL's protocol.
    pub fn new(
        who: &Who,
        headers: &MetadataMap,
        sql: &str,
        bound: &[ScalarValue],
    ) -> Result<Self, Status> {
        let millis = text(headers, "clarence.timeout-ms")?;
        let millis = millis.map(|millis| {
            millis.parse().map_err(|_| {
                Status::invalid_argument(
                    "the header clarence.timeout-ms is a number of milliseconds",
                )
            })
        });
        Ok(Self {
            who: who.clone(),
            asked: Asked {
                sql: sql.to_owned(),
                purpose: text(headers, "clarence.purpose")?,
                case: text(headers, "clarence.case")?,
                bound: bound.to_vec(),
                timeout_ms: millis.transpose()?,
                ..Asked::default()
            },
        })
    }

    /// Begins it, and waits for the first of its answer. A client that goes away meanwhile ends it.
    async fn begin(self, door: &Door) -> Result<(Arc<Run>, Option<SchemaRef>), Status> {
        let signed = self.who.signed;
        let connection = signed.connection.beside();
        let begun = door
            .runs
            .begin(connection, self.asked, Within::Shared(signed));
        let run = begun.map_err(|refusal| refused(&refusal))?;
        let mut waits = Waits(Some(Arc::clone(&run)));
        let first = run.first().await;
        waits.0 = None;
        Ok((run, first.map_err(|error| status(&error))?))
    }
}

fn text(headers: &MetadataMap, name: &str) -> Result<Option<String>, Status> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(value) => Ok(Some(value.to_owned())),
        Err(_) => Err(Status::invalid_argument(format!(
            "the header {name} has letters that no header has"
        ))),
    }
}

/// Somebody waits for a statement.
struct Waits(Option<Arc<Run>>);

impl Drop for Waits {
    fn drop(&mut self) {
        if let Some(run) = &self.0 {
            run.cancel();
        }
    }
}

/// Where an answer is fetched. What changes something is done when this returns, and has nothing to fetch.
pub async fn info(
    door: &Door,
    order: Order,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let (run, schema) = order.begin(door).await?;
    let info = FlightInfo::new().with_descriptor(descriptor);
    let info = match schema {
        Some(schema) => info
            .try_with_schema(&shape_of(&schema))
            .map_err(broken)?
            .with_endpoint(FlightEndpoint::new().with_ticket(ticket_of(&run))),
        None => info
            .try_with_schema(&Schema::empty())
            .map_err(broken)?
            .with_total_records(counted(&run)),
    };
    Ok(Response::new(info))
}

fn ticket_of(run: &Run) -> Ticket {
    let ticket = TicketStatementQuery {
        statement_handle: run.id.clone().into(),
    };
    Ticket::new(ticket.as_any().encode_to_vec())
}

fn counted(run: &Run) -> i64 {
    i64::try_from(run.count()).unwrap_or(i64::MAX)
}

/// Runs a statement that changes something, and says to how many rows.
pub async fn update(door: &Door, order: Order) -> Result<i64, Status> {
    let (run, schema) = order.begin(door).await?;
    if schema.is_some() {
        run.cancel();
        return Err(Status::invalid_argument(
            "the statement shows rows and changes none; ask for them as a query",
        ));
    }
    Ok(counted(&run))
}

/// The rows of a ticket, for the first who opens it.
pub fn rows(door: &Door, who: &Who, handle: &[u8]) -> Result<Response<Rows>, Status> {
    let id = std::str::from_utf8(handle).unwrap_or_default();
    let run = door.runs.of(&who.signed.owner, id);
    let run = run.map_err(|refusal| refused(&refusal))?;
    let (schema, asks) = run.fetch().map_err(|refusal| refused(&refusal))?;
    let shape = shape_of(&schema);
    let fetch = Fetch {
        run,
        asks,
        shape: Arc::clone(&shape),
    };
    let batches = stream::try_unfold(fetch, |fetch| async move {
        let batch = fetch.next().await.map_err(|error| status(&error))?;
        Ok::<_, Status>(batch.map(|batch| (batch, fetch)))
    });
    Ok(Response::new(sent(shape, batches)))
}

/// Rows as they are asked of the engine. Dropped before all were given, they end their statement.
struct Fetch {
    run: Arc<Run>,
    asks: Asks,
    shape: SchemaRef,
}

impl Fetch {
    async fn next(&self) -> Result<Option<RecordBatch>, SqlError> {
        let (to, batch) = oneshot::channel();
        if self.asks.send(to).await.is_ok()
            && let Ok(batch) = batch.await
        {
            return shaped(&self.shape, &batch?).map(Some);
        }
        // All rows were given when the ledger says so.
        self.run.ended().await?;
        Ok(None)
    }
}

/// Record batches in the messages of Flight, no faster than their reader takes them.
pub fn sent<S>(schema: SchemaRef, batches: S) -> Rows
where
    S: Stream<Item = Result<RecordBatch, Status>> + Send + 'static,
{
    let messages = FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .build(batches.map_err(FlightError::from));
    Box::pin(messages.map_err(broken))
}

/// Plans a statement and keeps it.
pub async fn prepare(
    door: &Door,
    who: &Who,
    sql: &str,
) -> Result<ActionCreatePreparedStatementResult, Status> {
    let planned = Planned::of(&who.signed.connection, sql).await;
    let planned = planned.map_err(|error| status(&error))?;
    let handle = door.shelf.keep(&who.signed.owner, sql);
    let handle = handle.map_err(|refusal| refused(&refusal))?;
    Ok(ActionCreatePreparedStatementResult {
        prepared_statement_handle: handle.into(),
        dataset_schema: written(&shape_of(&planned.shown()))?,
        parameter_schema: written(&parameters(&planned))?,
    })
}

/// The parameters and their types; text, where nothing says which.
fn parameters(planned: &Planned) -> Schema {
    let count = planned.prepared.parameters().len();
    let fields = (0..count).map(|at| {
        let wanted = wanted(&planned.prepared, &planned.stated, at);
        Field::new(
            format!("${}", at + 1),
            wanted.unwrap_or(DataType::Utf8),
            true,
        )
    });
    shape_of(&Schema::new(fields.collect::<Vec<_>>()))
        .as_ref()
        .clone()
}

/// A schema as clients read it; nothing where there is no column.
fn written(schema: &Schema) -> Result<Bytes, Status> {
    if schema.fields().is_empty() {
        return Ok(Bytes::new());
    }
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options)
        .try_into()
        .map_err(|error: datafusion::arrow::error::ArrowError| broken(error))?;
    Ok(bytes)
}

/// Binds values to a statement that was prepared.
pub async fn bind(
    door: &Door,
    who: &Who,
    handle: Bytes,
    stream: PeekableFlightDataStream,
) -> Result<DoPutPreparedStatementResult, Status> {
    // Somebody else's is refused before anything is read.
    let known = door.shelf.of(&who.signed.owner, &handle);
    known.map_err(|refusal| refused(&refusal))?;
    let values = bound::read(stream).await?.unwrap_or_default();
    let bound = door.shelf.bind(&who.signed.owner, &handle, values);
    bound.map_err(|refusal| refused(&refusal))?;
    Ok(DoPutPreparedStatementResult {
        prepared_statement_handle: Some(handle),
    })
}
