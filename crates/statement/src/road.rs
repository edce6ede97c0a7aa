//! The road between the query engine and the vault.

use crate::cohort::Cohort;
use crate::table::{TableDef, TableRef, TableShown};
use crate::terms::Terms;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use words::{BucketName, UnixMillis, VersionId};

/// Why the vault says no; the door translates it into its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// Who asks is not believed.
    Unauthenticated,
    /// Too many wrong attempts.
    Locked,
    /// The session has ended.
    SessionEnded,
    /// There is no such database, table or object, or it is not there for whoever asks.
    NotFound,
    /// It is there and may not be done: the message names the missing basis.
    Denied,
    /// The agreement or the credential behind the grant was taken back, or the grant has ended.
    Revoked,
    /// What was asked makes no sense.
    Invalid,
    /// Something else came between.
    Conflict,
    /// More than a limit allows.
    TooLarge,
    /// The node is sealed, or a site is away: come again.
    Unavailable,
    /// Something here is broken.
    Internal,
}

/// A refusal. It is on the ledger already where it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Why.
    pub why: Why,
    /// What happened, what is safe and what to do next.
    pub message: String,
}

impl Refused {
    /// A refusal in words.
    pub fn new(why: Why, message: impl Into<String>) -> Self {
        Self {
            why,
            message: message.into(),
        }
    }
}

/// A session on the vault's side. Not a secret: it only works over the engine's own road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 16]);

/// A grant on the vault's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GrantId(pub [u8; 16]);

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How somebody signs in. The user is an access key's id; the password is its secret.
#[derive(Clone, Serialize, Deserialize)]
pub enum Sign {
    /// The first message of SCRAM-SHA-256 (RFC 5802, RFC 7677) as it came, with the user that the protocol named.
    ScramFirst {
        /// The user.
        user: String,
        /// `n,,n=…,r=…`
        message: String,
    },
    /// The last one; answers the challenge of this exchange.
    ScramFinal {
        /// From the challenge.
        exchange: [u8; 16],
        /// `c=…,r=…,p=…`
        message: String,
    },
    /// The secret itself, over TLS or loopback.
    Password {
        /// The user.
        user: String,
        /// The secret.
        password: String,
        /// For a session's temporary credential.
        token: Option<String>,
    },
}

impl fmt::Debug for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ScramFirst { .. } => "ScramFirst(…)",
            Self::ScramFinal { .. } => "ScramFinal(…)",
            Self::Password { .. } => "Password(…)",
        })
    }
}

/// What signing in came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Signed {
    /// The server's first message of SCRAM, to be passed on.
    Challenge {
        /// Names the exchange.
        exchange: [u8; 16],
        /// `r=…,s=…,i=…`
        message: String,
    },
    /// A session.
    In {
        /// The session.
        session: Session,
        /// SCRAM's last message, `v=…`; empty for a password.
        message: String,
    },
}

/// Somebody who is signed in to one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Names it.
    pub id: SessionId,
    /// The user, as they signed in.
    pub user: String,
    /// The tenant's name.
    pub tenant: String,
    /// The database they asked for: the tenant's own, or an agreement's.
    pub database: crate::Database,
    /// When it ends.
    pub expires: UnixMillis,
}

/// What a table is used for in a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Use {
    /// Its rows are read.
    Read,
    /// A version is added to a managed table: rows are appended.
    Append,
    /// A managed table is made, or replaced by a new version.
    Create(TableDef),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A table, as of a version or (in milliseconds since 1970) a time.
    Table {
        /// Which.
        table: TableRef,
        /// For managed tables: this version rather than the newest.
        version: Option<u64>,
        /// For managed tables: the newest version that was committed by then.
        at: Option<UnixMillis>,
    },
    /// Objects of the tenant's own that no table is declared over yet, to learn their schema.
    Objects {
        /// The bucket.
        bucket: BucketName,
        /// How their names begin.
        prefix: String,
    },
}

/// One table of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableAsked {
    /// Which.
    pub source: Source,
    /// The columns that the plan touches; all that are shown, if absent.
    pub columns: Option<Vec<String>>,
    /// What for.
    pub used: Use,
}

/// What a statement asks for, all tables at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its tables.
    pub tables: Vec<TableAsked>,
    /// SHA-256 of its text.
    pub statement: [u8; 32],
    /// The purpose (`SET clarence.purpose`); where an agreement names exactly one it may be left out.
    pub purpose: Option<String>,
    /// The reference of the case (`SET clarence.case`).
    pub case: Option<String>,
}

/// One object version that may be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedObject {
    /// Its name in the bucket.
    pub key: String,
    /// Its version: what it says never changes under this id, so it may be cached under it.
    pub version: VersionId,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub modified: UnixMillis,
}

/// One table that may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedTable {
    /// As the owner declared it. For [`Source::Objects`], without columns.
    pub def: TableDef,
    /// The version of a managed table.
    pub version: Option<u64>,
    /// Its objects.
    pub objects: Vec<GrantedObject>,
    /// How it may be seen.
    pub terms: Terms,
    /// The index of the grant's entry in the ledger.
    pub entry: u64,
}

/// A statement may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Names the grant in what follows.
    pub id: GrantId,
    /// In the order they were asked for.
    pub tables: Vec<GrantedTable>,
    /// Nothing is read after this.
    pub ends: UnixMillis,
}

/// Whose persons' rows were read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    /// Nobody's: the table names no persons, or no row was read.
    Nobody,
    /// These, each once; at most [`SUBJECTS_MAX`](crate::limits::SUBJECTS_MAX).
    These(Vec<String>),
    /// Perhaps anybody's.
    Whole,
}

impl fmt::Debug for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("Nobody"),
            Self::These(all) => write!(f, "These({})", all.len()),
            Self::Whole => f.write_str("Whole"),
        }
    }
}

/// How a statement ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Rows of the answer.
    pub rows: u64,
    /// Bytes that the engine was given, or took from what it had kept, for each table.
    pub bytes: Vec<u64>,
    /// Whose rows were read, for each table.
    pub whom: Vec<Whom>,
    /// Why it ended early, if it did.
    pub broken: Option<String>,
}

/// What is about to be shown of groups of persons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The table, among those of the grant.
    pub table: usize,
    /// Each group.
    pub cohorts: Vec<Cohort>,
}

/// Grants that ended before their time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endings {
    /// To be told next time.
    pub next: u64,
    /// Which.
    pub grants: Vec<GrantId>,
}

/// The vault, as the query engine sees it.
#[async_trait]
pub trait Road: Send + Sync + 'static {
    /// Signs somebody in to a database: the tenant's name or `clarence` for its own tables, `agr_<id>` for an
    /// agreement's.
    async fn sign_in(
        &self,
        sign: Sign,
        database: &str,
        from: Option<IpAddr>,
    ) -> Result<Signed, Refused>;

    /// Ends a session.
    async fn sign_out(&self, session: SessionId);

    /// The tables that somebody sees, their own first. That they looked is on the ledger.
    async fn tables(&self, session: SessionId) -> Result<Vec<TableShown>, Refused>;

    /// Grants a statement. Its entries are durable when this returns.
    async fn begin(&self, session: SessionId, asked: Asked) -> Result<Granted, Refused>;

    /// Ranges of one granted object, in plaintext, in the order asked.
    async fn read(
        &self,
        grant: GrantId,
        table: usize,
        object: usize,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>, Refused>;

    /// Says what is about to be shown of groups, and hears of each whether it may be: one that differs from another, shown
    /// before, by too few persons may not. Nothing of them may leave before this has returned.
    async fn release(&self, grant: GrantId, release: Release) -> Result<Vec<bool>, Refused>;

    /// Writes an object for a table that is appended to or made, and gives its name.
    async fn write(
        &self,
        grant: GrantId,
        table: usize,
        bytes: BoxStream<'static, io::Result<Bytes>>,
    ) -> Result<GrantedObject, Refused>;

    /// Makes what was written the newest version of its table, at once, and gives the version's number.
    async fn commit(
        &self,
        grant: GrantId,
        table: usize,
        written: Vec<GrantedObject>,
    ) -> Result<u64, Refused>;

    /// Says how a statement ended; the entries that close its grant are durable when this returns.
    async fn close(&self, grant: GrantId, ended: Ended) -> Result<(), Refused>;

    /// Declares a table over objects of the tenant's own.
    async fn declare(&self, session: SessionId, def: TableDef) -> Result<(), Refused>;

    /// Takes a table's declaration away; its objects stay.
    async fn withdraw(&self, session: SessionId, table: TableRef) -> Result<(), Refused>;

    /// Waits for grants that end before their time, after those that were told already.
    async fn endings(&self, after: u64) -> Result<Endings, Refused>;
}
