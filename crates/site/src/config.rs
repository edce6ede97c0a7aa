//! What a node is told at its start. The binary reads it from flags, environment and file.

use crate::guest::EmbassyConfig;
use crate::layout::Layout;
use s3::Place;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
pub use tls::Classical;
pub use vault::SitePolicy;
use words::SiteId;

/// Where the certificates come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Certificates {
    /// A chain and its key, as PEM files, given out by somebody else.
    Files {
        /// The chain.
        chain: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The local authority in the data folder.
    LocalAuthority,
}

/// SQL: a process of its own, if an address is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlConfig {
    /// Where PostgreSQL's protocol is served.
    pub listen: Option<SocketAddr>,
    /// Where SQL over HTTP is served.
    pub http_listen: Option<SocketAddr>,
    /// Where Arrow Flight SQL is served.
    pub flight_listen: Option<SocketAddr>,
    /// The query engine's program; `clarence-sql` beside this one, if absent.
    pub engine: Option<PathBuf>,
    /// Bytes of memory that statements may use together; a quarter of the machine's, if absent.
    pub memory_bytes: Option<u64>,
    /// Bytes of the cache of what was read.
    pub cache_bytes: u64,
    /// Bytes that statements may spill together.
    pub spill_bytes_max: u64,
    /// How long a statement may take, in seconds.
    pub statement_timeout_seconds: u64,
}

impl Default for SqlConfig {
    fn default() -> Self {
        Self {
            listen: None,
            http_listen: None,
            flight_listen: None,
            engine: None,
            memory_bytes: None,
            cache_bytes: 512 * 1024 * 1024,
            spill_bytes_max: 64 * 1024 * 1024 * 1024,
            statement_timeout_seconds: 600,
        }
    }
}

impl SqlConfig {
    /// The addresses that are given, each with the flag that sets it.
    #[must_use]
    pub fn addresses(&self) -> Vec<(SocketAddr, &'static str)> {
        [
            (self.listen, "--sql"),
            (self.http_listen, "--sql-http"),
            (self.flight_listen, "--sql-flight"),
        ]
        .into_iter()
        .filter_map(|(address, flag)| Some((address?, flag)))
        .collect()
    }
}

/// A server that keeps the catalog: `a=/run/postgresql:5432`, `b=db-b.internal:5432`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CatalogServer {
    /// The site it stands in.
    pub site: SiteId,
    /// Its name or address, or the folder of its socket.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl FromStr for CatalogServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no server of the catalog; one is written as SITE=HOST:PORT or SITE=/FOLDER/OF/SOCKET:PORT, such as a=db-a.internal:5432"
            )
        };
        let (site, place) = text.split_once('=').ok_or_else(wrong)?;
        let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let site = match site {
            "a" => SiteId::A,
            "b" => SiteId::B,
            _ => return Err(wrong()),
        };
        match (host.is_empty(), port.parse()) {
            (false, Ok(port)) => Ok(Self {
                site,
                host: host.to_owned(),
                port,
            }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for CatalogServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = match self.site {
            SiteId::A => 'a',
            SiteId::B => 'b',
        };
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => write!(f, "{site}=[{address}]:{}", self.port),
            Err(_) => write!(f, "{site}={}:{}", self.host, self.port),
        }
    }
}

impl TryFrom<String> for CatalogServer {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CatalogServer> for String {
    fn from(server: CatalogServer) -> Self {
        server.to_string()
    }
}

/// The catalog on servers of PostgreSQL, instead of in the sites' folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogServers {
    /// The servers, one or more; the primary is looked for among them.
    pub servers: Vec<CatalogServer>,
    /// The database.
    pub database: String,
    /// The role of the node.
    pub user: String,
    /// A file with its password.
    pub password_file: Option<PathBuf>,
    /// At the founding: the role that makes the tables and owns them; the node's, if absent.
    pub owner: Option<String>,
    /// A file with its password.
    pub owner_password_file: Option<PathBuf>,
    /// A file with the authorities of the servers' certificates, PEM; without it servers are called on this machine only.
    pub authorities: Option<PathBuf>,
}

impl CatalogServers {
    /// Whether a server is called over the network, were it this machine's own.
    #[must_use]
    pub fn over_network(&self) -> bool {
        let socket = |server: &CatalogServer| server.host.starts_with('/');
        !self.servers.iter().all(socket)
    }
}

/// What a node is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeConfig {
    /// Where things lie.
    pub layout: Layout,
    /// Where S3 is served.
    pub s3_listen: SocketAddr,
    /// SQL.
    pub sql: SqlConfig,
    /// The region that signatures must be made for.
    pub region: String,
    /// The node's name in the ledger.
    pub node: String,
    /// In which jurisdiction the node is; where both sites are, if absent.
    pub jurisdiction: Option<String>,
    /// Domains under which a bucket may be the first label of the host name.
    pub base_domains: Vec<String>,
    /// What TLS is served with; plain HTTP, if absent.
    pub tls: Option<Certificates>,
    /// What happens to TLS clients that know no hybrid key exchange.
    pub tls_classical: Classical,
    /// The operator said that plain HTTP may leave the loopback address.
    pub allow_plain_beyond_loopback: bool,
    /// The HSM token that holds a part of what opens the sites' keys.
    pub hsm: Option<hsm::Access>,
    /// This machine's TPM, for restarts without officers.
    pub tpm: tpm::Place,
    /// What happens to writes in new buckets while a site is away.
    pub site_policy: SitePolicy,
    /// The shares lie on this machine and the node unseals itself with them. Unsafe, for development.
    pub unsafe_unseal_from_this_machine: bool,
    /// Where a guest keeps its twin; a cloud that is no guest has none.
    pub embassy: Option<EmbassyConfig>,
    /// Keys of buckets at hosts may be lent: the vault may call out.
    pub lends: bool,
    /// Make this tenant with a credential when there is none yet.
    pub first_tenant: Option<String>,
    /// Write `connect.json` when serving.
    pub write_connect: bool,
    /// The servers that keep the catalog; it lies in the sites' folders, if absent.
    pub catalog: Option<CatalogServers>,
    /// While another node holds the catalog on servers, wait and take over when that one ends.
    pub standby: bool,
    /// The buckets of sites whose chunks lie on an S3; a site's folder has them, if absent.
    pub site_buckets: [Option<Place>; 2],
    /// Bytes of each site's catalog cache.
    pub catalog_cache_bytes: u64,
    /// Bytes of the cache of opened index pages.
    pub names_cache_bytes: usize,
}

/// Where a TPM is: `/dev/tpmrm0`, or `unix:/run/swtpm.sock`.
#[must_use]
pub fn tpm_place(text: &str) -> tpm::Place {
    tpm::Place::parse(text)
}

impl NodeConfig {
    /// The defaults of a node that keeps everything under one folder.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            s3_listen: SocketAddr::from(([127, 0, 0, 1], 7480)),
            sql: SqlConfig::default(),
            region: "lu-1".into(),
            node: "node-1".into(),
            jurisdiction: None,
            base_domains: vec!["s3.lu-1.clarence.internal".into(), "localhost".into()],
            tls: None,
            tls_classical: Classical::default(),
            allow_plain_beyond_loopback: false,
            hsm: None,
            tpm: tpm::Place::parse("/dev/tpmrm0"),
            site_policy: SitePolicy::Available,
            unsafe_unseal_from_this_machine: false,
            embassy: None,
            lends: false,
            first_tenant: None,
            write_connect: false,
            catalog: None,
            standby: false,
            site_buckets: [None, None],
            catalog_cache_bytes: 32 * 1024 * 1024,
            names_cache_bytes: 32 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_they_are_written() {
        for text in [
            "a=/run/postgresql:5432",
            "b=db-b.internal:5433",
            "a=192.0.2.7:5432",
            "b=[2001:db8::1]:5432",
        ] {
            let server: CatalogServer = text.parse().unwrap();
            assert_eq!(server.to_string(), text);
        }
        let six: CatalogServer = "b=[2001:db8::1]:5432".parse().unwrap();
        assert_eq!(six.host, "2001:db8::1");
        for wrong in [
            "",
            "a",
            "a=",
            "c=x:1",
            "a=x",
            "a=:5432",
            "a=x:70000",
            "x:5432",
        ] {
            assert!(wrong.parse::<CatalogServer>().is_err(), "{wrong}");
        }
    }
}
