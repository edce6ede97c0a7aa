//! One batch in one transaction, in two round trips: the head is locked and what the preconditions ask for is
//! read behind the lock; then, worked out by the same plan as in every engine, everything is written and
//! committed. The requests of each half are sent without waiting for the answers in between.

use super::session::{Session, Statements, error_chain};
use crate::engine::{Commit, KeyRange, Mutation, Precondition, ReadError};
use crate::outcome::Sites;
use crate::plan::{Base, Plan};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row};
use words::OpId;
use words::limits::ROW_KEY_BYTES_MAX;

pub const HEAD: &str = "SELECT version, next_index, current_setting('synchronous_standby_names'), holder \
    FROM clarence.head FOR UPDATE";
pub const VERSIONS: &str = "SELECT k, ver FROM clarence.row WHERE k = ANY($1::bytea[])";
pub const RANGES: &str = "SELECT r.n, s.k FROM unnest($1::bytea[], $2::bytea[]) \
    WITH ORDINALITY AS r(a, b, n) CROSS JOIN LATERAL (SELECT k FROM clarence.row \
    WHERE k >= r.a AND k < r.b ORDER BY k LIMIT $3) s ORDER BY r.n, s.k";
pub const OPS: &str = "SELECT op, ver FROM clarence.op WHERE op = ANY($1::bytea[])";
pub const PUT: &str = "INSERT INTO clarence.row (k, ver, v) \
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) \
    ON CONFLICT (k) DO UPDATE SET ver = excluded.ver, v = excluded.v";
pub const DELETE: &str = "DELETE FROM clarence.row WHERE k = ANY($1::bytea[])";
pub const REMEMBER: &str = "INSERT INTO clarence.op (ver, op) \
    SELECT * FROM unnest($1::bigint[], $2::bytea[])";
pub const ADVANCE: &str = "UPDATE clarence.head SET version = $1, next_index = $2";
pub const STANDBYS: &str = "SELECT current_setting('synchronous_standby_names')";

const MOVE: &str = "UPDATE clarence.head SET barrier = barrier + 1";
const WARNED: &str = "the server warned while it waited for the standby";

/// How many ops can be looked up, as in the embedded engine.
const OPS_KEPT: u64 = 131_072;
/// How often older ones are taken away.
const PRUNE_EVERY: u64 = 4_096;

/// What lies below a batch.
pub struct Below {
    pub version: u64,
    pub next_index: u64,
    versions: HashMap<Vec<u8>, u64>,
    ranges: Vec<(KeyRange, Vec<Vec<u8>>)>,
    pub ops: HashMap<OpId, u64>,
    /// The node that may write, if only one may.
    pub holder: Option<Vec<u8>>,
    /// Whether the server waits for a standby.
    pub standby: bool,
}

impl Base for Below {
    fn version(&self, key: &[u8]) -> Result<Option<u64>, ReadError> {
        Ok(self.versions.get(key).copied())
    }
    fn keys(&self, range: &KeyRange) -> Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + '_> {
        let found = self.ranges.iter().find(|(asked, _)| asked == range);
        let keys = found.map_or(&[][..], |(_, keys)| keys);
        Box::new(keys.iter().cloned().map(Ok))
    }
}

/// What a batch asks for.
struct Asked {
    keys: Vec<Vec<u8>>,
    ranges: Vec<KeyRange>,
    ops: Vec<Vec<u8>>,
    /// So many rows of each range tell whether one is left, for the batch deletes no more than that.
    limit: i64,
}

fn asked(requests: &[&Commit]) -> Asked {
    let mut keys = BTreeSet::new();
    let mut ranges = Vec::new();
    let mut deletes = 0i64;
    for request in requests {
        for precondition in &request.preconditions {
            match precondition {
                Precondition::Absent(key)
                | Precondition::Present(key)
                | Precondition::Version(key, _) => drop(keys.insert(key.clone())),
                Precondition::Empty(range) => {
                    let empty = range.end.as_ref().is_some_and(|end| *end <= range.start);
                    if !empty && !ranges.contains(range) {
                        ranges.push(range.clone());
                    }
                }
            }
        }
        let deleted = request
            .mutations
            .iter()
            .filter(|m| matches!(m, Mutation::Delete { .. }));
        deletes += i64::try_from(deleted.count()).unwrap_or(i64::MAX / 1024);
    }
    Asked {
        keys: keys.into_iter().collect(),
        ranges,
        ops: requests.iter().map(|r| r.op.as_bytes().to_vec()).collect(),
        limit: deletes + 1,
    }
}

/// The end of a range for the server: one behind the largest key, where the range has no end.
pub fn end_of(range: &KeyRange) -> Vec<u8> {
    range
        .end
        .clone()
        .unwrap_or_else(|| vec![u8::MAX; ROW_KEY_BYTES_MAX + 1])
}

/// Begins a transaction, locks the head and reads what the batch asks for. Nothing is written by it.
pub async fn begin(session: &Session, requests: &[&Commit]) -> Result<Below, Error> {
    let (client, statements) = (&session.client, parsed(session));
    let Asked {
        keys,
        ranges,
        ops,
        limit,
    } = asked(requests);
    let starts: Vec<_> = ranges.iter().map(|range| range.start.clone()).collect();
    let ends: Vec<_> = ranges.iter().map(end_of).collect();
    let in_ranges = async {
        match ranges.is_empty() {
            true => Ok(Vec::new()),
            false => {
                client
                    .query(&statements.ranges, &[&starts, &ends, &limit])
                    .await
            }
        }
    };
    let at_keys = async {
        match keys.is_empty() {
            true => Ok(Vec::new()),
            false => client.query(&statements.versions, &[&keys]).await,
        }
    };
    let (begun, head, versions, found, known) = tokio::join!(
        biased;
        client.batch_execute("BEGIN"),
        async { client.query_one(&statements.head, &[]).await },
        at_keys,
        in_ranges,
        async { client.query(&statements.ops, &[&ops]).await },
    );
    begun?;
    let head = head?;
    let standbys: String = head.try_get(2)?;
    let mut below = Below {
        version: unsigned(head.try_get(0)?),
        next_index: unsigned(head.try_get(1)?),
        versions: HashMap::new(),
        ranges: ranges
            .into_iter()
            .map(|range| (range, Vec::new()))
            .collect(),
        ops: HashMap::new(),
        holder: head.try_get(3)?,
        standby: !standbys.trim().is_empty(),
    };
    for row in versions? {
        below
            .versions
            .insert(row.try_get(0)?, unsigned(row.try_get(1)?));
    }
    for row in found? {
        let place: i64 = row.try_get(0)?;
        let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
        if let Some((_, keys)) = below.ranges.get_mut(place) {
            keys.push(row.try_get(1)?);
        }
    }
    below.ops = ops_of(&known?)?;
    Ok(below)
}

/// Ops and the versions they were given.
fn ops_of(rows: &[Row]) -> Result<HashMap<OpId, u64>, Error> {
    let mut ops = HashMap::with_capacity(rows.len());
    for row in rows {
        if let Ok(op) = <[u8; 16]>::try_from(row.try_get::<_, &[u8]>(0)?) {
            ops.insert(OpId::from_bytes(op), unsigned(row.try_get(1)?));
        }
    }
    Ok(ops)
}

/// How a batch that was sent did not end well.
pub enum Failed {
    /// The server took nothing of it, and said why.
    Nothing(String, Option<SqlState>),
    /// It is not known whether it took effect.
    Unknown(String),
}

/// Writes what the plan says and commits. After this the session is good for the next batch, or it failed.
pub async fn finish(session: &Session, below: &Below, plan: &Plan) -> Result<Sites, Failed> {
    let (client, statements) = (&session.client, parsed(session));
    if client.is_closed() {
        let why = "the connection ended before anything was written".to_owned();
        return Err(Failed::Nothing(why, None));
    }
    let Writes {
        put,
        versions,
        values,
        delete,
        op_versions,
        ops,
    } = writes(plan);
    let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
    let last = signed(plan.next_version - 1);
    let next_index = signed(plan.next_index);
    let prune = (plan.next_version / PRUNE_EVERY != (below.version + 1) / PRUNE_EVERY)
        .then(|| plan.next_version.saturating_sub(OPS_KEPT));
    session.take_warning();
    let deleted = async {
        match delete.is_empty() {
            true => Ok(0),
            false => client.execute(&statements.delete, &[&delete]).await,
        }
    };
    let pruned = async {
        match prune {
            None => Ok(()),
            Some(before) => {
                let text = format!("DELETE FROM clarence.op WHERE ver < {before}");
                client.batch_execute(&text).await
            }
        }
    };
    let (put, deleted, remembered, pruned, advanced, committed, standbys) = tokio::join!(
        biased;
        async { client.execute(&statements.put, &[&put, &versions, &values]).await },
        deleted,
        async { client.execute(&statements.remember, &[&op_versions, &ops]).await },
        pruned,
        async { client.execute(&statements.advance, &[&last, &next_index]).await },
        client.batch_execute("COMMIT"),
        async { client.query_one(&statements.standbys, &[]).await },
    );
    let parts = [
        put.map(drop),
        deleted.map(drop),
        remembered.map(drop),
        pruned,
        advanced.map(drop),
    ];
    parts.into_iter().collect::<Result<(), _>>().map_err(part)?;
    committed.map_err(|error| Failed::Unknown(error_chain(&error)))?;
    if session.take_warning() {
        return Err(Failed::Unknown(WARNED.to_owned()));
    }
    let after = standbys.and_then(|row| row.try_get::<_, String>(0));
    let after = after.is_ok_and(|names| !names.trim().is_empty());
    Ok(match below.standby && after {
        true => Sites::Both,
        false => Sites::Only(session.site),
    })
}

/// A part of a batch failed. A statement that the server refused takes the whole transaction with it.
fn part(error: Error) -> Failed {
    match error.as_db_error() {
        Some(said) => Failed::Nothing(said.message().to_owned(), Some(said.code().clone())),
        None => Failed::Unknown(error_chain(&error)),
    }
}

/// Ends a batch of which nothing is written, and makes certain that what it was turned away for is durable wherever the
/// server waits for a standby.
pub async fn confirm(session: &Session) -> Result<(), Failed> {
    session.take_warning();
    let (moved, committed) = tokio::join!(
        biased;
        session.client.batch_execute(MOVE),
        session.client.batch_execute("COMMIT"),
    );
    let unknown = |error: Error| Failed::Unknown(error_chain(&error));
    moved.map_err(unknown)?;
    committed.map_err(unknown)?;
    match session.take_warning() {
        true => Err(Failed::Unknown(WARNED.to_owned())),
        false => Ok(()),
    }
}

/// Looks an op up behind the lock, and makes certain that what is found is durable wherever the server waits for
/// a standby: a row that a restarted primary shows need not have reached it. Gives the holder of the catalog as well.
pub async fn look_up(
    session: &Session,
    op: OpId,
) -> Result<(Option<Vec<u8>>, Option<u64>), Failed> {
    let (client, statements) = (&session.client, parsed(session));
    session.take_warning();
    let ops = vec![op.as_bytes().to_vec()];
    let (begun, head, found, moved, committed) = tokio::join!(
        biased;
        client.batch_execute("BEGIN"),
        async { client.query_one(&statements.head, &[]).await },
        async { client.query(&statements.ops, &[&ops]).await },
        client.batch_execute(MOVE),
        client.batch_execute("COMMIT"),
    );
    let unknown = |error: Error| Failed::Unknown(error_chain(&error));
    begun.map_err(unknown)?;
    let holder = head.and_then(|head| head.try_get(3)).map_err(unknown)?;
    let found = found.map_err(unknown)?;
    moved.map_err(unknown)?;
    committed.map_err(unknown)?;
    if session.take_warning() {
        return Err(Failed::Unknown(WARNED.to_owned()));
    }
    let version = found.first().map(|row| row.try_get(1).map(unsigned));
    let version = version.transpose().map_err(unknown)?;
    Ok((holder, version))
}

struct Writes<'a> {
    put: Vec<&'a [u8]>,
    versions: Vec<i64>,
    values: Vec<&'a Bytes>,
    delete: Vec<&'a [u8]>,
    op_versions: Vec<i64>,
    ops: Vec<&'a [u8]>,
}

fn writes(plan: &Plan) -> Writes<'_> {
    let mut writes = Writes {
        put: Vec::new(),
        versions: Vec::new(),
        values: Vec::new(),
        delete: Vec::new(),
        op_versions: Vec::new(),
        ops: Vec::new(),
    };
    for (key, change) in &plan.changes {
        match change {
            Some(row) => {
                writes.put.push(key);
                writes.versions.push(signed(row.version));
                writes.values.push(&row.value);
            }
            None => writes.delete.push(key),
        }
    }
    for (op, version) in &plan.ops {
        writes.op_versions.push(signed(*version));
        writes.ops.push(op.as_bytes());
    }
    writes
}

/// A session is handed to a batch only with its statements parsed.
fn parsed(session: &Session) -> &Statements {
    match &session.statements {
        Some(statements) => statements,
        None => unreachable!("a session of `Cluster::session` has its statements"),
    }
}

// Versions and indices count commits and entries; 2^63 of them do not happen.
pub const fn signed(number: u64) -> i64 {
    number.cast_signed()
}
pub const fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}
