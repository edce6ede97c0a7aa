//! What an operator or a test may choose.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use words::SiteId;
use zeroize::Zeroizing;

/// One server of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The site it stands in.
    pub site: SiteId,
    /// Its host name or address, or the folder of its socket if it begins with `/`.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Whether a server that would lose what it acknowledged is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is refused.
    Required,
    /// It is used all the same: for tests of speed and for nothing else.
    Waived,
}

/// How a node comes to hold the catalog, where one alone may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Only if no other node shows that it uses the catalog.
    Free,
    /// Whoever holds it: that node is taken for dead, and writes nothing any more should it live.
    Taken,
}

/// Settings of the engine on PostgreSQL.
#[derive(Clone)]
pub struct Options {
    /// The servers, one or more; the primary is looked for among them.
    pub members: Vec<Member>,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password, if the server asks for one.
    pub password: Option<Zeroizing<String>>,
    /// TLS to the servers; without it only a socket or a loopback address is used.
    pub tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
    /// How long one batch, one read or one connection attempt may take. Then the connection is dropped.
    pub deadline: Duration,
    /// How long a commit that was not sent yet waits for a primary to appear: over a take-over.
    pub hold: Duration,
    /// Connections for reads.
    pub readers: usize,
    /// Whether a server without durable acknowledgements is refused.
    pub durability: Durability,
    /// The id of this start of a node, if one node alone may write: opening takes the catalog over, and whoever had it
    /// before writes nothing any more.
    pub holder: Option<[u8; 16]>,
    /// How the holder takes its place.
    pub hold_as: Hold,
}

impl Options {
    /// Settings for these servers, the rest as shipped.
    #[must_use]
    pub fn new(members: Vec<Member>, database: &str, user: &str) -> Self {
        Self {
            members,
            database: database.to_owned(),
            user: user.to_owned(),
            password: None,
            tls: None,
            deadline: Duration::from_secs(8),
            hold: Duration::from_secs(30),
            readers: 4,
            durability: Durability::Required,
            holder: None,
            hold_as: Hold::Free,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("members", &self.members)
            .field("database", &self.database)
            .field("user", &self.user)
            .field("deadline", &self.deadline)
            .field("hold", &self.hold)
            .field("readers", &self.readers)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
