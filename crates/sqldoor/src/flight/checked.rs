//! Messages of Arrow are looked through before they are decoded: the decoder believes what stands in them, and some that no
//! honest client sends would end the process with all that runs in it. Only plain columns pass.

use arrow_flight::FlightData;
use datafusion::arrow::ipc::{
    Buffer, DateUnit, Endianness, Field, MessageHeader, Precision, RecordBatch, Schema, TimeUnit,
    Type, root_as_message,
};
use sql::datafusion;
use tonic::Status;

const COLUMNS_MAX: usize = 1024;
const ROWS_MAX: i64 = 65_536;

/// What was told of the columns so far.
#[derive(Default)]
pub struct Checked {
    /// How each is laid out; none before a schema came.
    columns: Option<Vec<Layout>>,
}

/// How a column lies in the buffers of a batch.
#[derive(Clone, Copy)]
struct Layout {
    /// How many it has: which rows have a value, then values, or where each text begins and the texts.
    buffers: usize,
    /// The bytes that one value, or the place of one text, takes up in the second; 1 also for single bits.
    width: i64,
}

impl Checked {
    /// Lets a message through, if it is one that can be decoded.
    pub fn pass(&mut self, message: FlightData) -> Result<FlightData, Status> {
        let told = root_as_message(&message.data_header);
        let told = told.map_err(|_| odd("are no messages of Arrow"))?;
        match told.header_type() {
            MessageHeader::Schema => {
                let schema = told.header_as_schema().ok_or_else(broken)?;
                self.columns = Some(columns(&schema)?);
            }
            MessageHeader::RecordBatch => {
                let batch = told.header_as_record_batch().ok_or_else(broken)?;
                let columns = self.columns.as_deref().ok_or_else(broken)?;
                if !fits(columns, &batch, message.data_body.len()) {
                    return Err(broken());
                }
            }
            _ => {
                return Err(odd(
                    "come as a schema and a record batch, without dictionaries",
                ));
            }
        }
        Ok(message)
    }
}

fn odd(what: &str) -> Status {
    Status::invalid_argument(format!("the values of the parameters {what}"))
}

fn broken() -> Status {
    odd("are not what their schema says, or compressed")
}

fn columns(schema: &Schema<'_>) -> Result<Vec<Layout>, Status> {
    let fields = schema.fields().ok_or_else(broken)?;
    if schema.endianness() != Endianness::Little || fields.len() > COLUMNS_MAX {
        return Err(broken());
    }
    let layout = |field: Field<'_>| {
        layout_of(&field).ok_or_else(|| {
            odd("are numbers, texts, bytes, dates, timestamps, true, false or null, without views, lists and dictionaries")
        })
    };
    fields.iter().map(layout).collect()
}

/// How a column lies in a batch; none for a type that is not taken.
fn layout_of(field: &Field<'_>) -> Option<Layout> {
    let nested = field
        .children()
        .is_some_and(|children| !children.is_empty());
    if nested || field.dictionary().is_some() {
        return None;
    }
    let layout = |buffers, width| Some(Layout { buffers, width });
    match field.type_type() {
        Type::Null => layout(0, 1),
        Type::Utf8 | Type::Binary => layout(3, 4),
        Type::LargeUtf8 | Type::LargeBinary => layout(3, 8),
        Type::Bool => layout(2, 1),
        Type::Int => match field.type_as_int()?.bitWidth() {
            bits @ (8 | 16 | 32 | 64) => layout(2, i64::from(bits / 8)),
            _ => None,
        },
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            Precision::SINGLE => layout(2, 4),
            Precision::DOUBLE => layout(2, 8),
            _ => None,
        },
        Type::Date => match field.type_as_date()?.unit() {
            DateUnit::DAY => layout(2, 4),
            DateUnit::MILLISECOND => layout(2, 8),
            _ => None,
        },
        Type::Timestamp => match field.type_as_timestamp()?.unit() {
            TimeUnit::SECOND
            | TimeUnit::MILLISECOND
            | TimeUnit::MICROSECOND
            | TimeUnit::NANOSECOND => layout(2, 8),
            _ => None,
        },
        Type::Decimal => {
            let decimal = field.type_as_decimal()?;
            let (most, width) = match decimal.bitWidth() {
                128 => (38, 16),
                256 => (76, 32),
                _ => return None,
            };
            let digits = decimal.precision();
            let told = (1..=most).contains(&digits) && (-most..=digits).contains(&decimal.scale());
            told.then_some(Layout { buffers: 2, width })
        }
        _ => None,
    }
}

/// Whether everything that a batch points to is there.
fn fits(columns: &[Layout], batch: &RecordBatch<'_>, body: usize) -> bool {
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else {
        return false;
    };
    let views = batch.variadicBufferCounts();
    let rows = batch.length();
    if batch.compression().is_some()
        || views.is_some_and(|views| !views.is_empty())
        || !(0..=ROWS_MAX).contains(&rows)
        || nodes.len() != columns.len()
        || buffers.len() != columns.iter().map(|column| column.buffers).sum::<usize>()
        || !buffers.iter().all(|buffer| lies_in(buffer, body))
    {
        return false;
    }
    let mut first = 0;
    nodes.iter().zip(columns).all(|(node, column)| {
        let nulls = node.null_count();
        // One bit for each row says whether it has a value.
        let said =
            column.buffers == 0 || nulls == 0 || buffers.get(first).length() >= (rows + 7) / 8;
        // What is read as numbers has no part of one at its end.
        let whole = column.buffers == 0 || buffers.get(first + 1).length() % column.width == 0;
        first += column.buffers;
        said && whole && node.length() == rows && (0..=rows).contains(&nulls)
    })
}

fn lies_in(buffer: &Buffer, body: usize) -> bool {
    let offset = usize::try_from(buffer.offset());
    let length = usize::try_from(buffer.length());
    match (offset, length) {
        (Ok(offset), Ok(length)) => offset.checked_add(length).is_some_and(|end| end <= body),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_flight::decode::FlightRecordBatchStream;
    use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
    use arrow_flight::error::FlightError;
    use datafusion::arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
        Int8Array, Int64Array, LargeBinaryArray, ListArray, NullArray, RecordBatch, StringArray,
        StringViewArray, TimestampMicrosecondArray,
    };
    use datafusion::arrow::datatypes::Int32Type;
    use futures::{StreamExt, TryStreamExt, stream};
    use std::sync::Arc;

    fn plain() -> RecordBatch {
        let decimal = Decimal128Array::from(vec![Some(1), None]);
        let decimal = decimal.with_precision_and_scale(38, 10).unwrap();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("a", Arc::new(Int64Array::from(vec![Some(1), None]))),
            ("b", Arc::new(StringArray::from(vec![Some("x"), None]))),
            ("c", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("d", Arc::new(Date32Array::from(vec![1, 2]))),
            ("e", Arc::new(TimestampMicrosecondArray::from(vec![1, 2]))),
            ("f", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
            ("g", Arc::new(Int8Array::from(vec![None, Some(2)]))),
            ("h", Arc::new(NullArray::new(2))),
            ("i", Arc::new(decimal)),
            (
                "j",
                Arc::new(LargeBinaryArray::from(vec![Some(b"x".as_slice()), None])),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    async fn messages(batch: RecordBatch) -> Vec<FlightData> {
        let encoded = FlightDataEncoderBuilder::new()
            .with_dictionary_handling(DictionaryHandling::Resend)
            .build(stream::iter([Ok(batch)]));
        encoded.try_collect().await.unwrap()
    }

    fn passes(messages: &[FlightData]) -> bool {
        let mut checked = Checked::default();
        messages
            .iter()
            .all(|message| checked.pass(message.clone()).is_ok())
    }

    #[tokio::test]
    async fn plain_columns_pass_and_others_do_not() {
        assert!(passes(&messages(plain()).await));
        assert!(passes(&messages(plain().slice(0, 0)).await));
        let dictionary: DictionaryArray<Int32Type> = vec![Some("x")].into_iter().collect();
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])]);
        let views = StringViewArray::from(vec!["a text that is long enough"]);
        let odd: [ArrayRef; 3] = [Arc::new(dictionary), Arc::new(list), Arc::new(views)];
        for column in odd {
            let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
            assert!(!passes(&messages(batch).await));
        }
        let whole = messages(plain()).await;
        assert!(!passes(&whole[1..]), "rows without a schema");
        let mut short = whole.clone();
        short[1].data_body.truncate(8);
        assert!(!passes(&short));
    }

    /// What passes is decoded, or refused by the decoder, and never ends it.
    #[tokio::test]
    async fn no_changed_byte_ends_the_decoder() {
        let whole = messages(plain()).await;
        for (at, part) in whole.iter().enumerate() {
            for byte in 0..part.data_header.len() {
                for change in [0x01, 0x02, 0x10, 0x80, 0xff] {
                    let mut changed = whole.clone();
                    let mut header = part.data_header.to_vec();
                    header[byte] ^= change;
                    changed[at].data_header = header.into();
                    decode(changed).await;
                }
            }
        }
        for byte in 0..whole[1].data_body.len() {
            let mut changed = whole.clone();
            let mut body = whole[1].data_body.to_vec();
            body[byte] ^= 0xff;
            changed[1].data_body = body.into();
            decode(changed).await;
        }
    }

    /// The same of several bytes at once, the same ones in every run.
    #[tokio::test]
    async fn no_changed_bytes_end_the_decoder() {
        let whole = messages(plain()).await;
        let mut seed = 0x5eed_0005_u64;
        let mut next = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % 1_000_003).unwrap() % below
        };
        for _ in 0..20_000 {
            let mut changed = whole.clone();
            for _ in 0..=next(4) {
                let part = &mut changed[next(whole.len())];
                let mut header = part.data_header.to_vec();
                let at = next(header.len());
                header[at] = [0, 1, 7, 0x7f, 0x80, 0xff][next(6)];
                part.data_header = header.into();
            }
            let keeps = next(1 + whole[1].data_body.len());
            if next(3) == 0 {
                changed[1].data_body.truncate(keeps);
            }
            decode(changed).await;
        }
    }

    async fn decode(messages: Vec<FlightData>) {
        let mut checked = Checked::default();
        let passed = stream::iter(messages).map(move |message| {
            let passed = checked.pass(message);
            passed.map_err(FlightError::from)
        });
        let decoded = FlightRecordBatchStream::new_from_flight_data(passed);
        // Whichever it is.
        let _ = decoded.try_collect::<Vec<RecordBatch>>().await;
    }
}
