//! Arrow Flight SQL, as a client of Arrow's own speaks it.

use crate::house::{ROWS, planes};
use crate::road::TestRoad;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, Any, CommandGetDbSchemas,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo,
    ProstMessageExt, SqlInfo,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, Empty, FlightInfo,
    IpcMessage,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use sql::datafusion::arrow::array::{
    ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use sql::datafusion::arrow::datatypes::{DataType, Int64Type, Schema};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

type Client = FlightSqlServiceClient<Channel>;

const ENDLESS: &str =
    "SELECT count(*) FROM planes a, generate_series(1, 100000000) AS g(x) WHERE (a.id * x) % 7 = 9";
const MANY: &str = "SELECT a.name, b.name FROM planes a, planes b";

struct House {
    road: Arc<TestRoad>,
    at: SocketAddr,
    _spill: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let (road, engine, spill) = planes();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(sqldoor::flight::serve(listener, engine, None));
        Self {
            road,
            at,
            _spill: spill,
        }
    }

    /// Somebody who has not said who they are.
    async fn stranger(&self) -> Client {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.at)).unwrap();
        Client::new(endpoint.connect().await.unwrap())
    }

    /// Somebody with a token.
    async fn client(&self, user: &str) -> Client {
        let mut client = self.stranger().await;
        client.handshake(user, "p").await.unwrap();
        assert!(client.token().is_some());
        client
    }

    /// Somebody who says it with each call.
    async fn basic(&self, user: &str, secret: &str) -> Client {
        let mut client = self.stranger().await;
        let credential = STANDARD.encode(format!("{user}:{secret}"));
        client.set_header("authorization", format!("Basic {credential}"));
        client
    }

    /// Waits until nothing that was granted is open.
    async fn until_closed(&self) {
        for _ in 0..200 {
            if self.road.open_grants() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} grants are open", self.road.open_grants());
    }

    async fn until_sessions(&self, count: u64) {
        for _ in 0..200 {
            if self.road.sessions.load(Ordering::Relaxed) == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let open = self.road.sessions.load(Ordering::Relaxed);
        panic!("{open} sessions are open, not {count}");
    }
}

fn status(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => panic!("it is no status: {other}"),
    }
}

fn code<T>(result: Result<T, FlightError>) -> Code {
    match result {
        Ok(_) => Code::Ok,
        Err(error) => status(error).code(),
    }
}

async fn open(client: &mut Client, info: &FlightInfo) -> Result<FlightRecordBatchStream, Status> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    client.do_get(ticket).await.map_err(status)
}

async fn fetch(client: &mut Client, info: &FlightInfo) -> Result<Vec<RecordBatch>, Status> {
    let stream = open(client, info).await?;
    stream.try_collect().await.map_err(status)
}

async fn ask(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>, Status> {
    let info = client.execute(sql.to_owned(), None).await.map_err(status)?;
    fetch(client, &info).await
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn texts(batches: &[RecordBatch], column: usize) -> Vec<String> {
    let of = |batch: &RecordBatch| {
        let column: &StringArray = batch.column(column).as_string();
        column
            .iter()
            .map(|text| text.unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_asked_and_its_rows_come_once() {
    let house = House::new().await;
    let mut client = house.client("u").await;
    let sql = "SELECT id, name FROM planes ORDER BY id";
    let info = client.execute(sql.to_owned(), None).await.unwrap();
    let schema = info.clone().try_decode_schema().unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Int64);
    assert_eq!(schema.field(1).data_type(), &DataType::Utf8, "no view");
    let batches = fetch(&mut client, &info).await.unwrap();
    assert_eq!(rows(&batches), ROWS);
    assert_eq!(batches[0].schema().as_ref(), &schema);
    assert_eq!(texts(&batches, 1)[29_999], "name 29999");
    assert_eq!(house.road.last_end().rows, 30_000);
    assert_eq!(house.road.open_grants(), 0);
    let again = fetch(&mut client, &info).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound, "{again}");
    assert!(again.message().contains("fetched"), "{again}");

    // Without a row its columns are told all the same, under the names that PostgreSQL gives them.
    let info = client
        .execute(
            "SELECT max(id), 1 FROM planes WHERE id < 0 GROUP BY name".to_owned(),
            None,
        )
        .await
        .unwrap();
    let mut stream = open(&mut client, &info).await.unwrap();
    assert!(stream.next().await.is_none());
    let schema = stream.schema().unwrap();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["max", "?column?"]);
    let catalog =
        "SELECT relname FROM pg_catalog.pg_class c WHERE relname OPERATOR(pg_catalog.~) '^planes$'";
    let batches = ask(&mut client, catalog).await.unwrap();
    assert_eq!(texts(&batches, 0), ["planes"]);
    let plan = ask(&mut client, "EXPLAIN SELECT 1").await.unwrap();
    assert!(rows(&plan) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_something_is_done_when_it_is_answered() {
    let house = House::new().await;
    let mut client = house.client("u").await;
    let make = "CREATE TABLE fewer WITH (bucket = 'lake') AS SELECT id FROM planes WHERE id < 5";
    let made = client.execute_update(make.to_owned(), None).await.unwrap();
    assert_eq!(made, 5);
    // As ADBC's execute sends it: there is nothing to fetch.
    let more = "INSERT INTO fewer SELECT id FROM planes WHERE id < 3";
    let info = client.execute(more.to_owned(), None).await.unwrap();
    assert!(info.endpoint.is_empty() && info.total_records == 3);
    let all = ask(&mut client, "SELECT count(*) FROM fewer")
        .await
        .unwrap();
    assert_eq!(all[0].column(0).as_primitive::<Int64Type>().value(0), 8);
    let drop_it = client.execute_update("DROP TABLE fewer".to_owned(), None);
    assert_eq!(drop_it.await.unwrap(), 0);
    let rows = client.execute_update("SELECT id FROM planes".to_owned(), None);
    let refused = status(rows.await.unwrap_err());
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    house.until_closed().await;
    let block = client.begin_transaction().await;
    assert_eq!(code(block), Code::Unimplemented);
    let inside = client.execute("SELECT 1".to_owned(), Some("t".into()));
    assert_eq!(code(inside.await), Code::Unimplemented);
}

fn number(value: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![value]));
    RecordBatch::try_from_iter([("1", numbers)]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_prepared_bound_and_closed() {
    let house = House::new().await;
    let mut client = house.client("u").await;
    client.set_header("clarence.purpose", "statistics");
    client.set_header("clarence.case", "2026/1");
    let sql = "SELECT name FROM planes WHERE id = $1";
    let mut prepared = client.prepare(sql.to_owned(), None).await.unwrap();
    let parameters = prepared.parameter_schema().unwrap();
    assert_eq!(parameters.field(0).data_type(), &DataType::Int64);
    let columns = prepared.dataset_schema().unwrap();
    assert_eq!(columns.field(0).data_type(), &DataType::Utf8);
    let unbound = status(prepared.execute().await.unwrap_err());
    assert_eq!(unbound.code(), Code::InvalidArgument, "{unbound}");
    for value in [7, 8] {
        prepared.set_parameters(number(value)).unwrap();
        let info = prepared.execute().await.unwrap();
        let batches = fetch(&mut client, &info).await.unwrap();
        assert_eq!(texts(&batches, 0), [format!("name {value}")]);
    }
    {
        let state = house.road.state.lock().unwrap();
        let asked = state.asked.last().unwrap();
        assert_eq!(asked.purpose.as_deref(), Some("statistics"));
        assert_eq!(asked.case.as_deref(), Some("2026/1"));
    }
    let two: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let two = RecordBatch::try_from_iter([("1", two)]).unwrap();
    prepared.set_parameters(two).unwrap();
    assert_eq!(code(prepared.execute().await), Code::Unimplemented);
    let words: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let words = RecordBatch::try_from_iter([("1", words)]).unwrap();
    prepared.set_parameters(words).unwrap();
    let unfit = status(prepared.execute().await.unwrap_err());
    assert!(unfit.message().contains("$1"), "{unfit}");

    let sql = "CREATE TABLE few WITH (bucket = 'lake') AS SELECT id FROM planes WHERE id < $1";
    let mut making = client.prepare(sql.to_owned(), None).await.unwrap();
    assert_eq!(making.dataset_schema().unwrap(), &Schema::empty());
    making.set_parameters(number(4)).unwrap();
    assert_eq!(making.execute_update().await.unwrap(), 4);

    // Another key neither runs nor closes it.
    let mut other = house.client("other").await;
    let cmd = arrow_flight::sql::CommandPreparedStatementQuery {
        prepared_statement_handle: handle_of(&mut client, "SELECT 1 AS one").await,
    };
    let descriptor = arrow_flight::FlightDescriptor::new_cmd(cmd.as_any().encode_to_vec());
    for (client, expected) in [(&mut other, Code::NotFound), (&mut client, Code::Ok)] {
        let mut request = tonic::Request::new(descriptor.clone());
        let bearer = format!("Bearer {}", client.token().unwrap());
        let headers = request.metadata_mut();
        headers.insert("authorization", bearer.parse().unwrap());
        let info = client.inner_mut().get_flight_info(request).await;
        assert_eq!(info.map_or_else(|e| e.code(), |_| Code::Ok), expected);
    }
    let mut gone = client.prepare("SELECT 1".to_owned(), None).await.unwrap();
    gone.clone().close().await.unwrap();
    assert_eq!(code(gone.execute().await), Code::NotFound);
}

/// The handle of a statement that is prepared.
async fn handle_of(client: &mut Client, sql: &str) -> bytes::Bytes {
    let request = arrow_flight::sql::ActionCreatePreparedStatementRequest {
        query: sql.to_owned(),
        transaction_id: None,
    };
    let body = request.as_any().encode_to_vec();
    let action = Action::new("CreatePreparedStatement", body);
    let mut answers = client.do_action(action).await.unwrap();
    let answer = answers.message().await.unwrap().unwrap();
    let answer = Any::decode(answer.body).unwrap();
    let answer: arrow_flight::sql::ActionCreatePreparedStatementResult =
        answer.unpack().unwrap().unwrap();
    answer.prepared_statement_handle
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_answered_who_is_not_believed() {
    let house = House::new().await;
    let mut client = house.client("u").await;
    let info = client.execute(MANY.to_owned(), None).await.unwrap();
    let mut messages = Vec::new();
    let mut foreign = house.stranger().await;
    foreign.set_token("00".repeat(48));
    let mut odd = house.stranger().await;
    odd.set_token("x".to_owned());
    for mut nobody in [
        house.stranger().await,
        house.basic("u", "wrong").await,
        house.basic("nobody", "wrong").await,
        foreign,
        odd,
    ] {
        let asked = nobody.execute("SELECT 1".to_owned(), None).await;
        let refused = status(asked.unwrap_err());
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        messages.push(refused.message().to_owned());
        let opened = fetch(&mut nobody, &info).await.unwrap_err();
        assert_eq!(opened.code(), Code::Unauthenticated);
        let updated = nobody.execute_update("DROP TABLE planes".to_owned(), None);
        assert_eq!(code(updated.await), Code::Unauthenticated);
        assert_eq!(code(nobody.get_table_types().await), Code::Unauthenticated);
    }
    assert_eq!(
        messages[1], messages[2],
        "which of both is wrong, nobody hears"
    );
    let mut stranger = house.stranger().await;
    let listed = stranger.inner_mut().list_actions(Empty {}).await;
    assert_eq!(listed.unwrap_err().code(), Code::Unauthenticated);
    assert!(stranger.handshake("u", "wrong").await.is_err());
    assert!(stranger.token().is_none());

    // Another key sees nothing of a statement, and ends nothing.
    for mut other in [house.client("other").await, house.basic("other", "p").await] {
        let opened = fetch(&mut other, &info).await.unwrap_err();
        assert_eq!(opened.code(), Code::NotFound, "{opened}");
        assert_eq!(
            cancel(&mut other, &info).await.unwrap_err().code(),
            Code::NotFound
        );
    }
    // The same key may open it, however it says who it is.
    let mut same = house.basic("u", "p").await;
    let mut stream = open(&mut same, &info).await.unwrap();
    assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    drop(stream);
    house.until_closed().await;
    assert_eq!(rows(&ask(&mut same, "SELECT 1").await.unwrap()), 1);

    // A token ends with its session.
    let close = client.do_action(Action::new("CloseSession", "")).await;
    assert!(close.unwrap().message().await.unwrap().is_some());
    let asked = client.execute("SELECT 1".to_owned(), None).await;
    assert_eq!(code(asked), Code::Unauthenticated);
    // What is left is the token of the other key.
    house.until_sessions(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_say_what_happened() {
    let house = House::new().await;
    let mut client = house.client("u").await;
    for (sql, expected) in [
        ("SELEC 1", Code::InvalidArgument),
        ("SELECT * FROM absent", Code::NotFound),
        ("SELECT nothing FROM planes", Code::InvalidArgument),
        ("SET clarence.purpose = 'x'", Code::Unimplemented),
        ("DELETE FROM planes", Code::Unimplemented),
        ("SELECT 1; SELECT 2", Code::InvalidArgument),
        (
            "SELECT id / (id - id) FROM planes WHERE id = 3",
            Code::InvalidArgument,
        ),
    ] {
        let failed = ask(&mut client, sql).await.unwrap_err();
        assert_eq!(failed.code(), expected, "{sql}: {failed}");
        assert!(!failed.message().is_empty());
        let prepared = client.prepare(sql.to_owned(), None).await;
        // What only its values make wrong can be prepared.
        assert_eq!(prepared.is_ok(), sql.contains('/'), "{sql}");
    }
    let long = format!("SELECT '{}'", "x".repeat(1 << 20));
    let long = ask(&mut client, &long).await.unwrap_err();
    assert_eq!(long.code(), Code::ResourceExhausted, "{long}");
    assert_eq!(house.road.open_grants(), 0);

    let mut odd = house.client("u").await;
    odd.set_header("clarence.timeout-ms", "soon");
    let asked = odd.execute("SELECT 1".to_owned(), None).await;
    assert_eq!(code(asked), Code::InvalidArgument);
    let mut odd = house.client("u").await;
    odd.set_header("database", "agr_0000000000000000");
    let asked = status(odd.execute("SELECT 1".to_owned(), None).await.unwrap_err());
    assert_eq!(asked.code(), Code::InvalidArgument, "{asked}");
    for action in ["SetSessionOptions", "x"] {
        let done = client.do_action(Action::new(action, "")).await;
        assert_eq!(code(done), Code::Unimplemented);
    }
    // Whoever speaks another protocol is sent away.
    let mut stream = TcpStream::connect(house.at).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    let _ = read.await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
}

async fn cancel(client: &mut Client, info: &FlightInfo) -> Result<CancelStatus, Status> {
    let request = CancelFlightInfoRequest::new(info.clone());
    let action = Action::new("CancelFlightInfo", request.encode_to_vec());
    let mut answers = client.do_action(action).await.map_err(status)?;
    let answer = answers.message().await?.unwrap();
    Ok(CancelFlightInfoResult::decode(answer.body)
        .unwrap()
        .status())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_cancelled_by_its_client_and_by_its_time() {
    let house = House::new().await;
    let mut client = house.client("u").await;
    // While it waits to be fetched.
    let info = client.execute(MANY.to_owned(), None).await.unwrap();
    let cancelled = cancel(&mut client, &info).await.unwrap();
    assert_eq!(cancelled, CancelStatus::Cancelled);
    let opened = fetch(&mut client, &info).await.unwrap_err();
    assert_eq!(opened.code(), Code::FailedPrecondition, "{opened}");
    // While it is fetched; in the older way too.
    for older in [false, true] {
        let info = client.execute(MANY.to_owned(), None).await.unwrap();
        let mut stream = open(&mut client, &info).await.unwrap();
        stream.next().await.unwrap().unwrap();
        match older {
            false => drop(cancel(&mut client, &info).await.unwrap()),
            true => {
                let info = info.encode_to_vec().into();
                let body = ActionCancelQueryRequest { info }.as_any().encode_to_vec();
                let action = Action::new("CancelQuery", body);
                let mut answers = client.do_action(action).await.unwrap();
                let answer = answers.message().await.unwrap().unwrap();
                let answer: ActionCancelQueryResult =
                    Any::decode(answer.body).unwrap().unpack().unwrap().unwrap();
                assert_eq!(answer.result, CancelStatus::Cancelled as i32);
            }
        }
        let ended = loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break status(error),
                None => panic!("an answer that was cut off looks whole"),
            }
        };
        assert_eq!(ended.code(), Code::Cancelled, "{ended}");
    }
    house.until_closed().await;
    assert!(house.road.last_end().broken.is_some());
    let unknown = cancel(&mut client, &FlightInfo::new()).await.unwrap();
    assert_eq!(unknown, CancelStatus::NotCancellable);
    // It took too long.
    let mut hasty = house.client("u").await;
    hasty.set_header("clarence.timeout-ms", "300");
    let late = ask(&mut hasty, ENDLESS).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    // And while it is fetched, if not before.
    let late = ask(&mut hasty, MANY).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    house.until_closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_wants_any_more_is_ended() {
    let house = House::new().await;
    let mut client = house.client("u").await;
    // Whoever fetches goes away in the middle: the stream alone, then the whole client.
    let info = client.execute(MANY.to_owned(), None).await.unwrap();
    let mut stream = open(&mut client, &info).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert_eq!(house.road.open_grants(), 1);
    drop(stream);
    house.until_closed().await;
    assert!(house.road.last_end().broken.is_some());
    let mut leaves = house.client("u").await;
    let info = leaves.execute(MANY.to_owned(), None).await.unwrap();
    let mut stream = open(&mut leaves, &info).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop((stream, leaves));
    house.until_closed().await;
    // Nobody waits any more for one that has no rows yet.
    let running = client.execute(ENDLESS.to_owned(), None);
    let given_up = tokio::time::timeout(Duration::from_secs(1), running).await;
    assert!(given_up.is_err());
    house.until_closed().await;
    assert!(house.road.last_end().broken.is_some());
    // A client that takes nothing holds nothing up, and is not run ahead of.
    let info = client.execute(MANY.to_owned(), None).await.unwrap();
    let mut stream = open(&mut client, &info).await.unwrap();
    stream.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(rows(&ask(&mut client, "SELECT 1").await.unwrap()), 1);
    assert_eq!(house.road.open_grants(), 1);
    // A grant that is taken back cuts it off.
    house.road.end_all();
    let ended = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break status(error),
            None => panic!("an answer that was cut off looks whole"),
        }
    };
    assert_eq!(ended.code(), Code::PermissionDenied, "{ended}");
    house.until_closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_has_so_much_and_no_more() {
    let house = House::new().await;
    let first = house.client("u").await;
    house.road.slow.store(3000, Ordering::Relaxed);
    let asked = (0..33).map(|_| {
        let mut client = first.clone();
        async move {
            code(
                client
                    .execute("SELECT id FROM planes".to_owned(), None)
                    .await,
            )
        }
    });
    let codes = futures::future::join_all(asked).await;
    let refused = codes
        .iter()
        .filter(|code| **code == Code::ResourceExhausted);
    assert_eq!(refused.count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Code::Ok).count(), 32);
    house.road.slow.store(0, Ordering::Relaxed);
    let mut other = house.client("other").await;
    let held_up = ask(&mut other, "SELECT id FROM planes").await;
    assert_eq!(rows(&held_up.unwrap()), ROWS, "another key is held up");

    // The token that was not used for longest makes room; one in use does not.
    let mut idle = house.client("third").await;
    let mut busy = house.client("third").await;
    let info = busy.execute(MANY.to_owned(), None).await.unwrap();
    let mut last = house.stranger().await;
    for _ in 0..255 {
        last.clear_token();
        last.handshake("third", "p").await.unwrap();
    }
    let idle = idle.execute("SELECT 1".to_owned(), None).await;
    assert_eq!(code(idle), Code::Unauthenticated);
    assert_eq!(rows(&ask(&mut last, "SELECT 1").await.unwrap()), 1);
    assert_eq!(
        cancel(&mut busy, &info).await.unwrap(),
        CancelStatus::Cancelled
    );
}

async fn list(client: &mut Client, info: Result<FlightInfo, FlightError>) -> Vec<RecordBatch> {
    let info = info.unwrap();
    let schema = info.clone().try_decode_schema().unwrap();
    let batches = fetch(client, &info).await.unwrap();
    assert!(
        batches
            .iter()
            .all(|batch| batch.schema().as_ref() == &schema)
    );
    batches
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_there_is_can_be_listed() {
    let house = House::new().await;
    let client = &mut house.client("u").await;
    let info = client.get_catalogs().await;
    assert_eq!(texts(&list(client, info).await, 0), ["ministry"]);
    let info = client.get_db_schemas(CommandGetDbSchemas::default()).await;
    let schemas = list(client, info).await;
    assert_eq!(texts(&schemas, 1), ["public"]);
    let info = client.get_table_types().await;
    assert_eq!(texts(&list(client, info).await, 0), ["TABLE"]);
    for (pattern, found) in [("pl%", 1), ("x%", 0)] {
        let asked = CommandGetTables {
            table_name_filter_pattern: Some(pattern.to_owned()),
            include_schema: true,
            ..CommandGetTables::default()
        };
        let info = client.get_tables(asked).await;
        let tables = list(client, info).await;
        assert_eq!(rows(&tables), found);
        if found == 1 {
            assert_eq!(texts(&tables, 2), ["planes"]);
            let schema: &BinaryArray = tables[0].column(4).as_binary();
            let schema = Schema::try_from(IpcMessage(schema.value(0).to_vec().into())).unwrap();
            assert_eq!(schema.field(1).data_type(), &DataType::Utf8);
        }
    }
    let planes = || "planes".to_owned();
    let keys = CommandGetPrimaryKeys {
        table: planes(),
        ..CommandGetPrimaryKeys::default()
    };
    let info = client.get_primary_keys(keys).await;
    assert_eq!(rows(&list(client, info).await), 0);
    let keys = CommandGetImportedKeys {
        table: planes(),
        ..CommandGetImportedKeys::default()
    };
    let info = client.get_imported_keys(keys).await;
    assert_eq!(rows(&list(client, info).await), 0);
    let types = CommandGetXdbcTypeInfo { data_type: None };
    let info = client.get_xdbc_type_info(types).await;
    assert_eq!(rows(&list(client, info).await), 0);
    let asked = vec![
        SqlInfo::FlightSqlServerName,
        SqlInfo::FlightSqlServerReadOnly,
        SqlInfo::FlightSqlServerTransaction,
    ];
    let info = client.get_sql_info(asked).await;
    let told = list(client, info).await;
    let ids: &UInt32Array = told[0].column(0).as_primitive();
    assert_eq!(ids.values().to_vec(), [0, 3, 8]);
    let value = told[0].column(1).as_union().value(0);
    let name: &StringArray = value.as_string();
    assert_eq!(name.value(0), "Clarence");
}
