//! Requests and what they come to.

use super::Door;
use super::answer::{Answered, Body, Refusal, not_allowed, refused, streamed, whole};
use super::asked::{Asked, WAIT_MAX, sign};
use super::formats::{Format, Rows};
use super::runs::{Owner, Phase, Run, Within};
use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::json;
use sql::datafusion::arrow::array::RecordBatch;
use sql::{Connection, Fault, SignedIn, SqlError};
use statement::Why;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The database of somebody who names none: their own.
const OWN: &str = "clarence";

/// Answers one request.
pub async fn answer(
    door: &Arc<Door>,
    request: Request<Incoming>,
    from: Option<IpAddr>,
) -> Answered {
    match routed(door, request, from).await {
        Ok(answer) => answer,
        Err(refusal) => refused(&refusal),
    }
}

async fn routed(
    door: &Arc<Door>,
    request: Request<Incoming>,
    from: Option<IpAddr>,
) -> Result<Answered, Refusal> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let method = request.method().clone();
    match (parts.as_slice(), &method) {
        (["v1", "health"], &Method::GET) => Ok(whole(StatusCode::OK, &json!({ "serves": true }))),
        (["v1", "health"], _) => Ok(not_allowed("GET")),
        (["v1", "statements"], &Method::POST) => handed_in(door, request, from).await,
        (["v1", "statements"], &Method::GET) => {
            let owner = owner(door, request.headers(), from).await?;
            let all = door.runs.all_of(&owner);
            Ok(whole(StatusCode::OK, &json!({ "statements": all })))
        }
        (["v1", "statements"], _) => Ok(not_allowed("GET, POST")),
        (["v1", "statements", id], &Method::GET) => {
            let owner = owner(door, request.headers(), from).await?;
            let run = door.runs.of(&owner, id)?;
            run.wait(waits(request.uri().query())?).await;
            Ok(told(&run))
        }
        (["v1", "statements", id], &Method::DELETE) => {
            let owner = owner(door, request.headers(), from).await?;
            let run = door.runs.of(&owner, id)?;
            run.cancel();
            Ok(told(&run))
        }
        (["v1", "statements", _], _) => Ok(not_allowed("GET, DELETE")),
        (["v1", "statements", id, "rows"], &Method::GET) => {
            let owner = owner(door, request.headers(), from).await?;
            let run = door.runs.of(&owner, id)?;
            rows(&run, format(request.uri().query())?).await
        }
        (["v1", "statements", _, "rows"], _) => Ok(not_allowed("GET")),
        _ => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "42883",
            "there is nothing at this path; statements are handed in by POST to /v1/statements (docs/sql.md)",
        )),
    }
}

async fn handed_in(
    door: &Arc<Door>,
    request: Request<Incoming>,
    from: Option<IpAddr>,
) -> Result<Answered, Refusal> {
    let (head, body) = request.into_parts();
    // No page in a browser can send this without asking first (Fetch Standard, section 2.2.2).
    let json = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if !json.is_some_and(|kind| {
        kind.split(';')
            .next()
            .is_some_and(|kind| kind.trim() == "application/json")
    }) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "0A000",
            "a statement is handed in as JSON: Content-Type: application/json (curl --json)",
        ));
    }
    sign(&head.headers)?;
    let asked = Asked::read(body).await?;
    let database = asked.database.clone().unwrap_or_else(|| OWN.to_owned());
    let connection = signed_in(door, &head.headers, &database, from).await?;
    let wait = asked.wait();
    let begun = door.runs.begin(Arc::clone(&connection), asked, Within::Own);
    let run = match begun {
        Ok(run) => run,
        Err(refusal) => {
            connection.end().await;
            return Err(refusal);
        }
    };
    run.wait(wait).await;
    Ok(told(&run))
}

fn told(run: &Run) -> Answered {
    let status = match run.phase() {
        Phase::Running => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    whole(status, &run.told())
}

/// Whoever asks, once the vault has believed them. Their session is over again with that.
async fn owner(
    door: &Arc<Door>,
    headers: &HeaderMap,
    from: Option<IpAddr>,
) -> Result<Owner, Refusal> {
    let connection = signed_in(door, headers, OWN, from).await?;
    let owner = Owner::of(&connection);
    connection.end().await;
    Ok(owner)
}

async fn signed_in(
    door: &Arc<Door>,
    headers: &HeaderMap,
    database: &str,
    from: Option<IpAddr>,
) -> Result<Arc<Connection>, Refusal> {
    match door.engine.sign_in(sign(headers)?, database, from).await {
        Ok(SignedIn::In { connection, .. }) => Ok(connection),
        Ok(SignedIn::Challenge { .. }) => Err(Refusal::from(SqlError::new(
            Fault::Refused(Why::Internal),
            "a secret asks for nothing more",
        ))),
        Err(error) => Err(Refusal::from(error)),
    }
}

/// How long to wait, of `?wait_ms=…`.
fn waits(query: Option<&str>) -> Result<Duration, Refusal> {
    let mut wait = Duration::ZERO;
    for (name, value) in pairs(query) {
        match (name, value.parse()) {
            ("wait_ms", Ok(millis)) => wait = Duration::from_millis(millis).min(WAIT_MAX),
            _ => return Err(unknown(name)),
        }
    }
    Ok(wait)
}

/// The format, of `?format=…`.
fn format(query: Option<&str>) -> Result<Format, Refusal> {
    let mut format = Format::Json;
    for (name, value) in pairs(query) {
        format = match (name, Format::named(value)) {
            ("format", Some(format)) => format,
            ("format", None) => {
                let names = Format::names();
                return Err(Refusal::bad(format!("there are the formats {names}")));
            }
            _ => return Err(unknown(name)),
        };
    }
    Ok(format)
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let all = query.unwrap_or_default().split('&');
    all.filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn unknown(name: &str) -> Refusal {
    let name: String = name.chars().take(40).collect();
    Refusal::bad(format!("{name} is not known here, or its value is none"))
}

/// Rows as they are asked of the engine.
struct Fetch {
    run: Arc<Run>,
    asks: mpsc::Sender<oneshot::Sender<Result<RecordBatch, SqlError>>>,
    rows: Option<Rows>,
}

async fn rows(run: &Arc<Run>, format: Format) -> Result<Answered, Refusal> {
    let (schema, asks) = run.fetch()?;
    // A format that the columns do not fit is known before it begins; the statement ends with what is dropped here.
    let rows = Rows::new(format, &schema)?;
    let mut fetch = Fetch {
        run: Arc::clone(run),
        asks,
        rows: Some(rows),
    };
    // What fails before the first byte is told as a failure.
    let first = fetch.next().await?;
    let frames = stream::try_unfold((first, fetch), |(first, mut fetch)| async move {
        let bytes = match first {
            Some(first) => Some(first),
            None => fetch.next().await.map_err(io::Error::other)?,
        };
        Ok::<_, io::Error>(bytes.map(|bytes| (Frame::data(bytes), (None, fetch))))
    });
    let body: Body = StreamBody::new(frames).boxed_unsync();
    Ok(streamed(format.media_type(), body))
}

impl Fetch {
    /// The next bytes; none when all were given. An answer that breaks off is cut off, so that no client takes it for whole.
    async fn next(&mut self) -> Result<Option<Bytes>, SqlError> {
        let Some(rows) = &mut self.rows else {
            return Ok(None);
        };
        loop {
            let (to, batch) = oneshot::channel();
            if self.asks.send(to).await.is_err() {
                break;
            }
            let Ok(batch) = batch.await else {
                break;
            };
            let bytes = rows.write(&batch?)?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        // All rows were given when the ledger says so.
        self.run.ended().await?;
        let last = self.rows.take().map(Rows::finish).transpose()?;
        Ok(last.filter(|bytes| !bytes.is_empty()))
    }
}
