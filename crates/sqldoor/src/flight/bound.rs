//! Values for a prepared statement's parameters, as they come: one row, a column for each.

use super::checked::Checked;
use super::fail::refused;
use crate::http::answer::Refusal;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use futures::{Stream, StreamExt, TryStreamExt, future};
use sql::datafusion;
use std::time::Duration;
use tonic::Status;

/// How long they may take to come.
const COMES: Duration = Duration::from_secs(30);
/// Bytes of them.
const BYTES_MAX: usize = 1024 * 1024;

/// Reads them; none where the client has sent a command and nothing more.
pub async fn read<S>(stream: S) -> Result<Option<Vec<ScalarValue>>, Status>
where
    S: Stream<Item = Result<FlightData, Status>> + Send + 'static,
{
    // A command alone comes without a header of Arrow.
    let data = stream.try_filter(|message| future::ready(!message.data_header.is_empty()));
    let mut checked = Checked::default();
    let data = data.map(move |message| message.and_then(|message| checked.pass(message)));
    let batches = FlightRecordBatchStream::new_from_flight_data(data.map_err(FlightError::from));
    let read = tokio::time::timeout(COMES, one_row(batches));
    read.await.map_err(|_| {
        Status::deadline_exceeded("the values of the parameters took too long; nothing was done")
    })?
}

async fn one_row(mut batches: FlightRecordBatchStream) -> Result<Option<Vec<ScalarValue>>, Status> {
    let mut row = None;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(unread)?;
        if batch.num_rows() == 0 || batch.num_columns() == 0 {
            continue;
        }
        if row.is_some() || batch.num_rows() > 1 {
            return Err(Status::unimplemented(
                "a statement runs with one row of values at a time; bind and execute row by row, or INSERT … SELECT",
            ));
        }
        if batch.get_array_memory_size() > BYTES_MAX {
            return Err(Status::resource_exhausted(format!(
                "the values of a statement's parameters have at most {BYTES_MAX} bytes"
            )));
        }
        row = Some(values(&batch)?);
    }
    Ok(row)
}

fn values(batch: &RecordBatch) -> Result<Vec<ScalarValue>, Status> {
    let columns = batch.columns().iter();
    let values: Result<Vec<ScalarValue>, _> = columns
        .map(|column| ScalarValue::try_from_array(column, 0))
        .collect();
    values.map_err(|error| refused(&Refusal::bad(error.strip_backtrace())))
}

fn unread(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => Status::invalid_argument(format!(
            "the values of the parameters cannot be read: {other}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_flight::encode::FlightDataEncoderBuilder;
    use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
    use futures::stream;
    use std::sync::Arc;
    use tonic::Code;

    fn batch(rows: usize) -> RecordBatch {
        let numbers: Int64Array = (0..rows).map(|row| i64::try_from(row).ok()).collect();
        let words: StringArray = (0..rows).map(|_| Some("x")).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![("1", Arc::new(numbers)), ("2", Arc::new(words))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    async fn sent(batches: Vec<RecordBatch>) -> Result<Option<Vec<ScalarValue>>, Status> {
        let encoded = FlightDataEncoderBuilder::new().build(stream::iter(batches).map(Ok));
        let command = stream::iter([Ok(FlightData::default())]);
        read(command.chain(encoded.map_err(Status::from))).await
    }

    #[tokio::test]
    async fn one_row_is_read_and_no_more() {
        assert_eq!(sent(Vec::new()).await.unwrap(), None);
        assert_eq!(sent(vec![batch(0)]).await.unwrap(), None);
        let values = sent(vec![batch(1)]).await.unwrap().unwrap();
        let expected = [
            ScalarValue::Int64(Some(0)),
            ScalarValue::Utf8(Some("x".to_owned())),
        ];
        assert_eq!(values, expected);
        for many in [vec![batch(2)], vec![batch(1), batch(1)]] {
            assert_eq!(sent(many).await.unwrap_err().code(), Code::Unimplemented);
        }
        let nonsense = FlightData {
            data_header: "nonsense".into(),
            ..FlightData::default()
        };
        let read = read(stream::iter([Ok(nonsense)])).await;
        assert_eq!(read.unwrap_err().code(), Code::InvalidArgument);
    }
}
