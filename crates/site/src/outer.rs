//! The outer secret: 32 bytes that an HSM holds, without which a quorum's shares open nothing. The sites' keys
//! are then wrapped under a root that is derived from the shares' root and this secret together.
//!
//! Each token that was enrolled opens it, for itself alone. `hsm.clr` in both site folders says which.

use crate::config::NodeConfig;
use crate::layout::Layout;
use charter::RootSecret;
use host::{Host, files};
use hsm::{Access, Fault, Hsm, HsmRecord, PinError, Program, RECORD_BYTES_MAX, RecordError};
use std::path::PathBuf;
use vault::record::site_header::SiteHeader;
use words::SiteId;
use zeroize::Zeroizing;

/// The hidden verb of the process that loads a PKCS #11 module.
pub const MODULE_VERB: &str = "pkcs11-module";

/// Why the root could not be completed. The node stays sealed; shares that were given are forgotten.
#[derive(Debug, thiserror::Error)]
pub enum OuterError {
    /// A record could not be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
    /// No site has a readable record.
    #[error("{}: {error}; put the file back from the other site's folder or a backup, then give the shares again", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: RecordError,
    },
    /// The record belongs to another cloud.
    #[error("{} belongs to another cloud; put the right file back", .0.display())]
    Foreign(PathBuf),
    /// The shares alone do not open the header, and no record says what else is needed.
    #[error(
        "the shares are right but do not open the sites' keys alone: an HSM holds a part, and its record hsm.clr is in neither site folder; put it back from a backup, then give the shares again"
    )]
    Missing,
    /// No HSM is configured.
    #[error(
        "the shares are right but do not open the sites' keys alone: an HSM holds a part; set hsm.uri to one of the tokens {0}, then give the shares again"
    )]
    NotConfigured(String),
    /// The configured token was never enrolled.
    #[error(
        "the token {token} holds no part of this cloud; the tokens that do are {known}; set hsm.uri, then give the shares again"
    )]
    NotEnrolled {
        /// The configured token.
        token: String,
        /// The enrolled ones.
        known: String,
    },
    /// The header opens neither way.
    #[error(
        "shares and HSM are right, and the header in the site folder does not open: it is of another time than hsm.clr; put both files back from the same site's folder"
    )]
    OtherHeader,
    /// The PIN.
    #[error("{0}; then give the shares again")]
    Pin(#[from] PinError),
    /// The HSM.
    #[error(
        "the HSM gave nothing, so the sites' keys stay closed: {0}; then give the shares again"
    )]
    Hsm(#[from] Fault),
    /// The cryptographic library refused to work, or a process could not be started.
    #[error("{0}")]
    Machine(String),
}

/// The records in both folders; the same one twice is one.
pub(crate) fn records(layout: &Layout, header: &SiteHeader) -> Result<Vec<HsmRecord>, OuterError> {
    let mut found: Vec<HsmRecord> = Vec::new();
    let mut broken = None;
    for site in SiteId::BOTH {
        let path = layout.site(site).join(hsm::FILE);
        let bytes = match files::read(&path, RECORD_BYTES_MAX) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            Err(error) => {
                broken = Some(OuterError::Read { path, error });
                continue;
            }
        };
        match HsmRecord::decode(&bytes) {
            Ok(record) if record.cloud != header.cloud => {
                broken = Some(OuterError::Foreign(path));
            }
            Ok(record) if found.contains(&record) => {}
            Ok(record) => found.push(record),
            Err(error) => broken = Some(OuterError::Record { path, error }),
        }
    }
    match (found.is_empty(), broken) {
        (true, Some(error)) => Err(error),
        (false, Some(error)) => {
            tracing::warn!(%error, "one site's record of the HSM is bad; the other one is used");
            Ok(found)
        }
        _ => Ok(found),
    }
}

/// Opens a token. It blocks.
pub(crate) fn reach(host: &Host, access: &Access) -> Result<Hsm, OuterError> {
    let mut program = Program::own(MODULE_VERB).map_err(|e| OuterError::Machine(e.to_string()))?;
    program.starter = access.starter.clone();
    Ok(Hsm::new(host.clone(), program, access)?)
}

/// The outer secret, from the records' entry of that token. It blocks.
pub(crate) fn open_outer(
    hsm: &mut Hsm,
    records: &[HsmRecord],
) -> Result<Zeroizing<[u8; 32]>, OuterError> {
    let serial = hsm.token()?.serial;
    let mut last = None;
    for record in records {
        let Some(holder) = record.holder(&serial) else {
            continue;
        };
        let context = HsmRecord::context(record.cloud, &serial, holder.key);
        match hsm.unwrap(holder.key, &context, holder.wrap) {
            Ok(secret) => return Ok(secret),
            Err(fault) => last = Some(fault),
        }
    }
    match last {
        Some(fault) => Err(fault.into()),
        None => Err(OuterError::NotEnrolled {
            token: serial,
            known: known(records),
        }),
    }
}

/// Labels and serial numbers of the enrolled tokens, for messages.
pub(crate) fn known(records: &[HsmRecord]) -> String {
    let mut names: Vec<String> = records
        .iter()
        .flat_map(|record| &record.holders)
        .map(|holder| format!("{:?} ({})", holder.label, holder.serial))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// A new root together with the HSM's part; `None` where no HSM holds one.
pub(crate) async fn join(
    config: &NodeConfig,
    host: &Host,
    header: &SiteHeader,
    root: &RootSecret,
) -> Result<Option<RootSecret>, OuterError> {
    let records = records(&config.layout, header)?;
    if records.is_empty() {
        return Ok(None);
    }
    let outer = outer(config, host, records).await?;
    let joined = root.with_outer(&outer, header.cloud);
    joined
        .map(Some)
        .map_err(|e| OuterError::Machine(e.to_string()))
}

/// The HSM's part, from the configured token.
async fn outer(
    config: &NodeConfig,
    host: &Host,
    records: Vec<HsmRecord>,
) -> Result<Zeroizing<[u8; 32]>, OuterError> {
    let Some(access) = config.hsm.clone() else {
        return Err(OuterError::NotConfigured(known(&records)));
    };
    let host = host.clone();
    tokio::task::spawn_blocking(move || {
        let mut hsm = reach(&host, &access)?;
        open_outer(&mut hsm, &records)
    })
    .await
    .map_err(|e| OuterError::Machine(e.to_string()))?
}

/// The root that opens the header: the shares' own, or that one together with the HSM's part.
pub(crate) async fn complete(
    config: &NodeConfig,
    host: &Host,
    header: &SiteHeader,
    root: RootSecret,
) -> Result<RootSecret, OuterError> {
    let records = records(&config.layout, header)?;
    if vault::header_opens(header, &root) {
        if !records.is_empty() {
            tracing::warn!(
                "the shares open the sites' keys without the HSM: an enrolment was interrupted; stop the node and give `clarence hsm enrol` again"
            );
        }
        return Ok(root);
    }
    if records.is_empty() {
        return Err(OuterError::Missing);
    }
    let outer = outer(config, host, records).await?;
    let joined = root
        .with_outer(&outer, header.cloud)
        .map_err(|e| OuterError::Machine(e.to_string()))?;
    match vault::header_opens(header, &joined) {
        true => Ok(joined),
        false => Err(OuterError::OtherHeader),
    }
}
