//! Why the engine did not open. Nothing was changed then.

/// Why the engine did not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No member answered as primary in time.
    #[error(
        "no PostgreSQL server answered as primary: {0}; nothing was changed. Look at the cluster with `patronictl list`"
    )]
    NoPrimary(String),
    /// A server said no.
    #[error("{member} refused the connection: {why}; nothing was changed")]
    Denied {
        /// The member.
        member: String,
        /// What it said.
        why: String,
    },
    /// A connection would leave the machine in clear.
    #[error(
        "{0} is not this machine, and no TLS is configured for the catalog's servers; nothing was sent. Set the authority that signed their certificates"
    )]
    Plain(String),
    /// No certificate can be for this name.
    #[error(
        "{0} has no name that a certificate can have; nothing was sent. Name the server as its certificate does"
    )]
    Name(String),
    /// The server is too old.
    #[error("the server is PostgreSQL {0}; version 15 or newer is needed. Nothing was changed")]
    Version(String),
    /// The server acknowledges from memory.
    #[error(
        "the server has {0}: after a power cut it would have lost what it acknowledged. Nothing was changed; set it right and start again"
    )]
    NotDurable(String),
    /// There is no catalog in the database.
    #[error(
        "the database {0} has no catalog of a cloud; make one first, or check the database's name"
    )]
    NotFounded(String),
    /// The database holds something already.
    #[error(
        "the database {0} holds a catalog already, of cloud {1}; nothing was changed. Each cloud needs a database of its own; what a founding that failed left is taken away by DROP SCHEMA clarence CASCADE"
    )]
    Taken(String, String),
    /// Another cloud's catalog.
    #[error(
        "the database holds the catalog of cloud {found}, not of {expected}; nothing was touched. Check the database's name"
    )]
    Foreign {
        /// The cloud it belongs to.
        found: String,
        /// The cloud that was opened.
        expected: String,
    },
    /// Another node writes it.
    #[error(
        "the catalog in the database {0} is in use by another node; nothing was changed. Stop that node first, and start this one again"
    )]
    InUse(String),
    /// The primary does not acknowledge.
    #[error(
        "the catalog could not be taken over: the primary did not acknowledge in time. If its standby is away, bring it back or let the cluster go on without it, then start again"
    )]
    NoAnswer,
    /// A format this build does not read.
    #[error(
        "the catalog has schema version {0}, this build reads version {1}; nothing was touched. Start the release that wrote it, or one that can upgrade it"
    )]
    Format(i32, i32),
    /// The role lacks a right, or a table is missing.
    #[error("the catalog could not be read: {0}; nothing was changed")]
    Server(String),
}
