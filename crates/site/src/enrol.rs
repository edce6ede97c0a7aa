//! Adding an HSM to what opens a cloud, and taking it away again. Done with a quorum of shares on a node that
//! does not run, because every key above the sites' keys is changed. Repeating an interrupted one finishes it.

use crate::config::NodeConfig;
use crate::keeping::Connected;
use crate::open::{OpenError, connect, header_of, headers, open};
use crate::outer::{OuterError, known, open_outer, reach, records};
use crate::root::files::custody_of;
use charter::{Progress, RootSecret, ShareFile, UnsealError, Unsealing};
use host::{Host, files};
use hsm::{Access, HOLDERS_MAX, Hsm, HsmRecord, KeyName};
use ledger::Kind;
use std::path::PathBuf;
use vault::record::site_header::{self, SiteHeader};
use words::{PartyName, SiteId};
use zeroize::Zeroizing;

/// Why an HSM was not enrolled or withdrawn. Unless the text says otherwise the cloud opens as before.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The folders cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A site's folder is away.
    #[error(
        "the folder of {0} is not there; both are needed, or one would still open the old way; nothing was changed"
    )]
    Away(SiteId),
    /// A share was refused.
    #[error("{0}; nothing was changed")]
    Share(#[from] UnsealError),
    /// Too few shares.
    #[error(
        "{have} of the {need} shares that the charter asks for were given; nothing was changed"
    )]
    TooFew {
        /// Shares that were right.
        have: u8,
        /// Shares that are needed.
        need: u8,
    },
    /// The HSM or its record.
    #[error("{0}; nothing was changed")]
    Outer(#[from] OuterError),
    /// There is none.
    #[error("no HSM holds a part of this cloud; nothing was changed")]
    None,
    /// Too many.
    #[error("{HOLDERS_MAX} tokens are enrolled already; nothing was changed")]
    Full,
    /// No token was named.
    #[error(
        "no token is named; set hsm.uri, or give --hsm pkcs11:token=…?module-path=…&pin-source=…"
    )]
    NoToken,
    /// The keys could not be wrapped anew.
    #[error("{0}; nothing was changed")]
    Keys(#[from] vault::VaultError),
    /// A file could not be written.
    #[error("{} could not be written: {error}; the cloud still opens, in the old way or the new one; mend that and give the same command again", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
    /// It is done, but not in the ledger.
    #[error(
        "it is done, but the node could not be opened to write that into the ledger: {0}; give the same command again"
    )]
    NotEntered(String),
}

/// What was done.
#[derive(Debug)]
pub struct EnrolReport {
    /// The token.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// The enrolled tokens from now on; empty after a withdrawal.
    pub tokens: String,
    /// How many there are.
    pub count: usize,
    /// Which parties gave their shares.
    pub parties: Vec<PartyName>,
    /// Where it stands in the ledger.
    pub ledger_index: u64,
}

/// Both headers, the quorum's root, and what is recorded of HSMs.
struct Bench {
    headers: [SiteHeader; 2],
    root: RootSecret,
    parties: Vec<PartyName>,
    records: Vec<HsmRecord>,
}

fn bench(config: &NodeConfig, shares: Vec<ShareFile>) -> Result<Bench, EnrolError> {
    let layout = &config.layout;
    let (present, header) = headers(layout)?;
    let of = |site: SiteId| match present[site.index()] {
        true => header_of(layout.site(site))?.ok_or(EnrolError::Away(site)),
        false => Err(EnrolError::Away(site)),
    };
    let headers = [of(SiteId::A)?, of(SiteId::B)?];
    let custody = custody_of(layout, &header)?;
    let mut unsealing = Unsealing::new(custody);
    let mut parties = Vec::new();
    for share in shares {
        parties.push(share.party().clone());
        if let Progress::Complete(root) = unsealing.add(share)? {
            let records = records(layout, &header)?;
            return Ok(Bench {
                headers,
                root,
                parties,
                records,
            });
        }
    }
    Err(EnrolError::TooFew {
        have: unsealing.have(),
        need: unsealing.need(),
    })
}

impl Bench {
    /// Whether a header still opens with the shares alone.
    fn plain(&self) -> [bool; 2] {
        [0, 1].map(|i| vault::header_opens(&self.headers[i], &self.root))
    }

    /// The outer secret that is in force, if any header or record needs one.
    fn outer(
        &self,
        host: &Host,
        access: Option<&Access>,
    ) -> Result<Option<Zeroizing<[u8; 32]>>, EnrolError> {
        if self.plain() == [true, true] {
            // Nothing is wrapped under an outer secret yet: a record of an interrupted enrolment does not bind.
            return Ok(None);
        }
        if self.records.is_empty() {
            return Err(OuterError::Missing.into());
        }
        let access = access.ok_or_else(|| OuterError::NotConfigured(known(&self.records)))?;
        let mut hsm = reach(host, access)?;
        Ok(Some(open_outer(&mut hsm, &self.records)?))
    }
}

/// Enrols the token `new` (or the configured one) so that it opens this cloud together with a quorum. It blocks
/// while the token works.
pub async fn enrol(
    config: &NodeConfig,
    host: &Host,
    shares: Vec<ShareFile>,
    new: Option<Access>,
) -> Result<EnrolReport, EnrolError> {
    let held = take_papers(config, host).await?;
    let bench = bench(config, shares)?;
    let cloud = bench.headers[0].cloud;
    let access = new
        .or_else(|| config.hsm.clone())
        .ok_or(EnrolError::NoToken)?;
    let outer = match bench.outer(host, config.hsm.as_ref())? {
        Some(outer) => outer,
        None => Zeroizing::new(host.random()),
    };
    let bound = bench.plain() != [true, true];
    let mut record = HsmRecord {
        cloud,
        holders: Vec::new(),
    };
    if bound && let Some(newest) = bench.records.iter().max_by_key(|r| r.holders.len()) {
        record.holders.clone_from(&newest.holders);
    }
    let (label, serial) = add_holder(&access, host, &mut record, &outer)?;
    let joined = joined(&bench.root, &outer, &bench.headers[0])?;
    let mut changed = bench.headers.clone();
    for header in &mut changed {
        if vault::header_opens(header, &bench.root) {
            *header = vault::rewrap(header, &bench.root, &joined, host)?;
        }
        if !vault::header_opens(header, &joined) {
            return Err(OuterError::OtherHeader.into());
        }
    }
    // The record first: with it and the old header the cloud still opens with the shares alone.
    for site in SiteId::BOTH {
        put(config, site, hsm::FILE, &record.encode())?;
    }
    put_headers(config, &changed)?;
    give_papers(config, host, held).await?;
    let tokens = known(std::slice::from_ref(&record));
    let reason = format!(
        "the token {label:?} ({serial}) holds a part of what opens the sites' keys; the tokens are {tokens}"
    );
    let ledger_index = enter(config, host, joined, &bench.parties, "HsmEnrol", reason).await?;
    Ok(EnrolReport {
        label,
        serial,
        tokens,
        count: record.holders.len(),
        parties: bench.parties,
        ledger_index,
    })
}

/// A new key on the token, and the outer secret under it; read back before it is relied on.
fn add_holder(
    access: &Access,
    host: &Host,
    record: &mut HsmRecord,
    outer: &Zeroizing<[u8; 32]>,
) -> Result<(String, String), EnrolError> {
    let mut token: Hsm = reach(host, access)?;
    let fault = |fault: hsm::Fault| EnrolError::Outer(fault.into());
    let facts = token.token().map_err(fault)?;
    record
        .holders
        .retain(|holder| holder.serial != facts.serial);
    if record.holders.len() >= HOLDERS_MAX {
        return Err(EnrolError::Full);
    }
    let key = KeyName(host.random());
    let label = format!("clarence {}", record.cloud);
    token.make(key, &label).map_err(fault)?;
    let context = HsmRecord::context(record.cloud, &facts.serial, key);
    let wrap = token.wrap(key, &context, outer).map_err(fault)?;
    if token.unwrap(key, &context, wrap).map_err(fault)? != *outer {
        return Err(fault(hsm::Fault::NotOpened));
    }
    record.holders.push(hsm::Holder {
        serial: facts.serial.clone(),
        label: facts.label.clone(),
        key,
        made: host.now(),
        wrap,
    });
    Ok((facts.label, facts.serial))
}

/// Lets a quorum's shares open the cloud alone again. The keys on the tokens stay there; they open nothing more.
pub async fn withdraw(
    config: &NodeConfig,
    host: &Host,
    shares: Vec<ShareFile>,
) -> Result<EnrolReport, EnrolError> {
    let held = take_papers(config, host).await?;
    let bench = bench(config, shares)?;
    if bench.records.is_empty() && bench.plain() == [true, true] {
        return Err(EnrolError::None);
    }
    let before = known(&bench.records);
    if let Some(outer) = bench.outer(host, config.hsm.as_ref())? {
        let joined = joined(&bench.root, &outer, &bench.headers[0])?;
        let mut changed = bench.headers.clone();
        for header in &mut changed {
            if !vault::header_opens(header, &bench.root) {
                *header = vault::rewrap(header, &joined, &bench.root, host)?;
            }
        }
        put_headers(config, &changed)?;
    }
    for site in SiteId::BOTH {
        let path = config.layout.site(site).join(hsm::FILE);
        let removed =
            files::remove(&path).and_then(|()| files::sync_folder(config.layout.site(site)));
        removed.map_err(|error| EnrolError::Write { path, error })?;
    }
    give_papers(config, host, held).await?;
    let reason = format!("the shares open the sites' keys alone again; the tokens were {before}");
    let ledger_index = enter(
        config,
        host,
        bench.root,
        &bench.parties,
        "HsmWithdraw",
        reason,
    )
    .await?;
    Ok(EnrolReport {
        label: String::new(),
        serial: String::new(),
        tokens: before,
        count: 0,
        parties: bench.parties,
        ledger_index,
    })
}

/// Where the catalog is on servers, the papers beside it count: they are fetched first, and no other node holds them
/// meanwhile.
async fn take_papers(config: &NodeConfig, host: &Host) -> Result<Option<Connected>, EnrolError> {
    let held = connect(config, host).await?;
    if let Some(held) = &held {
        let fetched = held.papers(&config.layout, host).fetch().await;
        fetched.map_err(|e| OpenError::Refused(e.to_string()))?;
    }
    Ok(held)
}

/// Puts the changed papers there, and lets go of the catalog.
async fn give_papers(
    config: &NodeConfig,
    host: &Host,
    held: Option<Connected>,
) -> Result<(), EnrolError> {
    if let Some(held) = held {
        let shared = held.papers(&config.layout, host).share().await;
        shared.map_err(|e| OpenError::Refused(e.to_string()))?;
        held.shutdown().await;
    }
    Ok(())
}

fn joined(
    root: &RootSecret,
    outer: &[u8; 32],
    header: &SiteHeader,
) -> Result<RootSecret, EnrolError> {
    root.with_outer(outer, header.cloud)
        .map_err(|e| OuterError::Machine(e.to_string()).into())
}

fn put_headers(config: &NodeConfig, headers: &[SiteHeader; 2]) -> Result<(), EnrolError> {
    for header in headers {
        put(config, header.site, site_header::FILE, &header.encode())?;
    }
    Ok(())
}

fn put(config: &NodeConfig, site: SiteId, name: &str, bytes: &[u8]) -> Result<(), EnrolError> {
    let path = config.layout.site(site).join(name);
    files::write_durable(&path, bytes, 0o600).map_err(|error| EnrolError::Write { path, error })
}

/// Opens the node once with the new root, which proves it, and writes the act into the ledger.
async fn enter(
    config: &NodeConfig,
    host: &Host,
    root: RootSecret,
    parties: &[PartyName],
    operation: &str,
    what: String,
) -> Result<u64, EnrolError> {
    let failed = |e: &dyn ToString| EnrolError::NotEntered(e.to_string());
    let opened = open(config, host).await.map_err(|e| failed(&e))?;
    let names: Vec<&str> = parties.iter().map(PartyName::as_str).collect();
    let reason = format!("by the shares of {}: {what}", names.join(" and "));
    let entered = async {
        opened.vault.unseal(root, &opened.header, parties).await?;
        opened
            .vault
            .record_act(Kind::Admin, operation, reason)
            .await
    }
    .await;
    opened.engine.shutdown().await;
    entered.map_err(|e: vault::VaultError| failed(&e))
}

/// What the records and, if one is configured, the token say. Needs no shares. It blocks while the token works.
pub fn hsm_status(config: &NodeConfig, host: &Host) -> Result<HsmStatus, EnrolError> {
    let (_, header) = headers(&config.layout)?;
    let records = records(&config.layout, &header)?;
    let opens = match (&config.hsm, records.is_empty()) {
        (Some(access), false) => Some(
            reach(host, access)
                .and_then(|mut hsm| open_outer(&mut hsm, &records).map(drop))
                .map_err(|e| e.to_string()),
        ),
        _ => None,
    };
    let mut holders: Vec<hsm::Holder> = Vec::new();
    for holder in records.into_iter().flat_map(|record| record.holders) {
        if holders.iter().all(|known| known.serial != holder.serial) {
            holders.push(holder);
        }
    }
    Ok(HsmStatus { holders, opens })
}

/// See [`hsm_status`].
#[derive(Debug)]
pub struct HsmStatus {
    /// The enrolled tokens.
    pub holders: Vec<hsm::Holder>,
    /// Whether the configured token opens the outer secret now, or why not.
    pub opens: Option<Result<(), String>>,
}
