//! Making a catalog in an empty database, and looking at one before it is used.

use super::cluster::Cluster;
use super::dial::Dial;
use super::error::OpenError;
use super::options::Options;
use super::session::{self, Session, callable, error_chain};
use crate::engine::Row;
use crate::snapshot::Point;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Error;
use words::CloudId;

/// The tables, as an operator may read them before they are made.
pub const SCHEMA: &str = include_str!("schema.sql");
/// The version of the tables.
const FORMAT: i32 = 1;
/// The oldest server, as it counts its versions.
const OLDEST: i32 = 150_000;

/// Makes the catalog of a cloud in an empty database: all of it or nothing. The role of `options` owns the
/// tables then; `worker`, if given, is the role that the node uses, which may change rows and nothing else.
pub async fn found(
    options: Options,
    dial: Arc<dyn Dial>,
    cloud: CloudId,
    worker: Option<&str>,
) -> Result<(), OpenError> {
    let database = options.database.clone();
    callable(&options)?;
    let deadline = options.deadline;
    let session = Cluster::new(options, dial).first().await?;
    let made = timeout(deadline, make(&session, cloud, worker, &database)).await;
    made.map_err(|_| OpenError::NoAnswer)?
}

/// Rows of another catalog in the order of their keys, or why there are no more.
pub type Blocks<'a> = BoxStream<'a, Result<Vec<(Vec<u8>, Row)>, String>>;

/// What filling a database came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// The tables were made and hold the rows.
    Now,
    /// An earlier attempt of the same holder had done it.
    Before,
}

/// How long another node's mark is waited for once its connections were ended.
const MARK_WAIT: Duration = Duration::from_secs(2);
const MARK_PAUSE: Duration = Duration::from_millis(50);
/// How long a server may take to make a whole catalog durable.
const WHOLE: Duration = Duration::from_secs(600);
const FILL: &str = "INSERT INTO clarence.row (k, ver, v) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[])";

/// Whether a catalog can be made in the database: it is empty, or `holder` filled it before.
pub async fn vacant(
    options: Options,
    dial: Arc<dyn Dial>,
    cloud: CloudId,
    holder: [u8; 16],
) -> Result<Filled, OpenError> {
    let database = options.database.clone();
    callable(&options)?;
    let deadline = options.deadline;
    let session = Cluster::new(options, dial).first().await?;
    check_version(&session)?;
    let looked = timeout(deadline, head_of(&session)).await;
    let head = looked.map_err(|_| OpenError::NoAnswer)??;
    filled(head, &database, cloud, holder)
}

fn filled(
    head: Option<Head>,
    database: &str,
    cloud: CloudId,
    holder: [u8; 16],
) -> Result<Filled, OpenError> {
    match head {
        None => Ok(Filled::Now),
        Some(head) if head.cloud == cloud.as_bytes() && head.holder == Some(holder.to_vec()) => {
            Ok(Filled::Before)
        }
        Some(head) => Err(OpenError::Taken(database.to_owned(), head.cloud())),
    }
}

/// Makes the catalog of a cloud in an empty database with rows that come from another one: all of it or nothing, in one
/// transaction. The roles are those of [`found`]. `holder` marks it as made by this attempt, so that it can be given again
/// after an interruption.
pub async fn fill(
    options: Options,
    dial: Arc<dyn Dial>,
    (cloud, holder): (CloudId, [u8; 16]),
    worker: Option<&str>,
    point: Point,
    mut rows: Blocks<'_>,
) -> Result<Filled, OpenError> {
    let database = options.database.clone();
    callable(&options)?;
    let deadline = options.deadline;
    let session = Cluster::new(options, dial).first().await?;
    check_version(&session)?;
    let head = head_of(&session).await?;
    if filled(head, &database, cloud, holder)? == Filled::Before {
        return Ok(Filled::Before);
    }
    let client = &session.client;
    let late = |_| OpenError::NoAnswer;
    let tables = tables(cloud, worker);
    let made = client.batch_execute(&tables);
    timeout(deadline, made).await.map_err(late)?.map_err(told)?;
    client
        .batch_execute("SET LOCAL idle_in_transaction_session_timeout = '20min'")
        .await
        .map_err(told)?;
    let put = client.prepare(FILL).await.map_err(told)?;
    while let Some(block) = rows.next().await {
        let block = block.map_err(OpenError::Server)?;
        let keys: Vec<&[u8]> = block.iter().map(|(key, _)| key.as_slice()).collect();
        let values: Vec<&[u8]> = block.iter().map(|(_, row)| &row.value[..]).collect();
        let versions = block.iter().map(|(_, row)| signed(row.version));
        let versions = versions.collect::<Result<Vec<i64>, _>>()?;
        let put = async { client.execute(&put, &[&keys, &versions, &values]).await };
        timeout(WHOLE, put).await.map_err(late)?.map_err(told)?;
    }
    let head = "UPDATE clarence.head SET version = $1, next_index = $2, holder = $3";
    let (version, next_index) = (signed(point.version)?, signed(point.next_index)?);
    client
        .execute(head, &[&version, &next_index, &&holder[..]])
        .await
        .map_err(told)?;
    session.take_warning();
    let committed = client.batch_execute("COMMIT");
    timeout(WHOLE, committed)
        .await
        .map_err(late)?
        .map_err(told)?;
    match session.take_warning() {
        true => Err(warned()),
        false => Ok(Filled::Now),
    }
}

fn signed(number: u64) -> Result<i64, OpenError> {
    i64::try_from(number)
        .map_err(|_| OpenError::Server(format!("{number} is larger than a version can be")))
}

fn warned() -> OpenError {
    OpenError::Server("the server warned while the tables were made; look at its log".to_owned())
}

async fn make(
    session: &Session,
    cloud: CloudId,
    worker: Option<&str>,
    database: &str,
) -> Result<(), OpenError> {
    check_version(session)?;
    if let Some(head) = head_of(session).await? {
        return Err(OpenError::Taken(database.to_owned(), head.cloud()));
    }
    let text = format!("{}COMMIT;", tables(cloud, worker));
    session.client.batch_execute(&text).await.map_err(told)?;
    match session.take_warning() {
        true => Err(warned()),
        false => Ok(()),
    }
}

/// Begins a transaction that makes the tables.
fn tables(cloud: CloudId, worker: Option<&str>) -> String {
    let format = FORMAT.to_string();
    let cloud = hex(cloud.as_bytes());
    let mut text = format!(
        "BEGIN; {SCHEMA} INSERT INTO clarence.head (format, cloud, version, next_index, barrier) \
         VALUES ({format}, '\\x{cloud}', 0, 0, 0);"
    );
    if let Some(worker) = worker {
        let worker = format!("\"{}\"", worker.replace('"', "\"\""));
        text.push_str(&format!(
            "GRANT USAGE ON SCHEMA clarence TO {worker}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON clarence.row, clarence.op TO {worker}; \
             GRANT SELECT, UPDATE (version, next_index, barrier, holder) ON clarence.head TO {worker};"
        ));
    }
    text
}

/// Looks at a server and its catalog before anything is written.
pub async fn check(session: &Session, cloud: CloudId) -> Result<(), OpenError> {
    let found = founded(session).await?;
    if found != cloud {
        return Err(OpenError::Foreign {
            found: hex(found.as_bytes()),
            expected: hex(cloud.as_bytes()),
        });
    }
    Ok(())
}

/// Whose catalog a database holds, if this build can read it.
pub async fn founded(session: &Session) -> Result<CloudId, OpenError> {
    check_version(session)?;
    let database = session
        .client
        .query_one("SELECT current_database()::text", &[])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(told)?;
    let head = head_of(session)
        .await?
        .ok_or(OpenError::NotFounded(database))?;
    if head.format != FORMAT {
        return Err(OpenError::Format(head.format, FORMAT));
    }
    let cloud = <[u8; 16]>::try_from(&head.cloud[..]);
    let cloud = cloud.map_err(|_| OpenError::Server("its cloud has no id".to_owned()))?;
    Ok(CloudId::from_bytes(cloud))
}

/// Makes this node the one that writes. A second one that starts by mistake is stopped by the mark of the first; one that
/// takes over while the first is cut off, by what each batch reads in the head.
pub async fn hold(session: &Session, holder: [u8; 16]) -> Result<(), OpenError> {
    if !session.mark().await.map_err(told)? {
        let database = "SELECT current_database()::text";
        let row = session.client.query_one(database, &[]).await;
        let name = row.and_then(|row| row.try_get(0)).map_err(told)?;
        return Err(OpenError::InUse(name));
    }
    write_holder(session, holder).await
}

/// Makes this node the one that writes, in the place of one that is taken for dead. What counts is the head, which every
/// batch reads behind its lock; then the other one's connections are ended, which may hold the lock, and its mark falls.
pub async fn supersede(session: &Session, holder: [u8; 16]) -> Result<(), OpenError> {
    write_holder(session, holder).await?;
    let ended = session.client.query(session::END_OTHERS, &[]).await;
    if let Err(error) = ended {
        tracing::debug!(why = %error_chain(&error), "the other node's connections were not ended");
    }
    // The server ends them a moment later, and their mark falls with them.
    let until = Instant::now() + MARK_WAIT;
    while !session.mark().await.map_err(told)? && Instant::now() < until {
        sleep(MARK_PAUSE).await;
    }
    Ok(())
}

async fn write_holder(session: &Session, holder: [u8; 16]) -> Result<(), OpenError> {
    session.take_warning();
    let take = "UPDATE clarence.head SET holder = $1";
    let taken = session.client.execute(take, &[&&holder[..]]).await;
    taken.map_err(told)?;
    match session.take_warning() {
        true => Err(OpenError::Server(
            "the server warned while the catalog was taken over; look at its log".to_owned(),
        )),
        false => Ok(()),
    }
}

/// Nobody holds the catalog any more, if this node did.
pub async fn let_go(session: &Session, holder: [u8; 16]) -> Result<(), OpenError> {
    let free = "UPDATE clarence.head SET holder = NULL WHERE holder = $1";
    let freed = session.client.execute(free, &[&&holder[..]]).await;
    freed.map(drop).map_err(told)
}

struct Head {
    format: i32,
    cloud: Vec<u8>,
    holder: Option<Vec<u8>>,
}

impl Head {
    fn cloud(&self) -> String {
        hex(&self.cloud)
    }
}

async fn head_of(session: &Session) -> Result<Option<Head>, OpenError> {
    let there = "SELECT to_regclass('clarence.head') IS NOT NULL";
    let there = session.client.query_one(there, &[]).await.map_err(told)?;
    if !there.try_get::<_, bool>(0).map_err(told)? {
        return Ok(None);
    }
    let head = "SELECT format, cloud, holder FROM clarence.head";
    let row = session.client.query_opt(head, &[]).await.map_err(told)?;
    let read = |row: tokio_postgres::Row| -> Result<Head, Error> {
        Ok(Head {
            format: row.try_get(0)?,
            cloud: row.try_get(1)?,
            holder: row.try_get(2)?,
        })
    };
    row.map(read).transpose().map_err(told)
}

fn check_version(session: &Session) -> Result<(), OpenError> {
    match session.server.0 < OLDEST {
        true => Err(OpenError::Version(session.server.1.clone())),
        false => Ok(()),
    }
}

fn told(error: Error) -> OpenError {
    let said = error.as_db_error().map(|said| said.message().to_owned());
    OpenError::Server(said.unwrap_or_else(|| error_chain(&error)))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
