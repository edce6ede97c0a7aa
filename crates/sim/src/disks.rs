//! Everything that survives a crash: the catalog, both sites' chunks, the epoch records at the sites and at
//! the parents, the site headers, and the shares in the parents' hands.

use catalog::{Commit, Engine, Outcome};
use charter::{Charter, Contribution, Custody, ShareFile};
use epoch::{MemoryWitness, Places, Witness};
use host::Host;
use std::sync::Arc;
use vault::record::site_header::SiteHeader;
use words::{CloudId, OpId, PartyName, SiteId};

/// Why a world could not be made or a node not be started.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SimError(pub String);

impl SimError {
    /// From any error, for reports only.
    pub fn of(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

/// What survives a crash.
pub struct Disks {
    /// The rows of both sites.
    pub catalog: Arc<catalog::Memory>,
    /// The chunks of site A and of site B.
    pub chunks: [Arc<chunks::Memory>; 2],
    /// The epoch record in each site's own folder.
    pub site_records: [Arc<MemoryWitness>; 2],
    /// The epoch record at each parent.
    pub parents: Vec<Arc<MemoryWitness>>,
    /// The text of each party's share file.
    pub shares: Vec<(PartyName, String)>,
    /// The record of custody.
    pub custody: Custody,
    /// The headers of the sites.
    pub headers: [SiteHeader; 2],
    /// The cloud.
    pub cloud: CloudId,
    /// The ledger's public keys.
    pub verifier_keys: String,
}

impl Disks {
    /// Founds a cloud: the real ceremony, the real first keys, the first rows.
    pub async fn found(host: &Host) -> Result<Self, SimError> {
        let charter = Charter::default();
        let contributions = Contribution::draw_for_all(charter.parties(), host);
        let founding = charter::found(&charter, host, contributions).map_err(SimError::of)?;
        let digest = *charter.digest().as_bytes();
        let made = vault::found(
            host,
            founding.cloud,
            &founding.root,
            *founding.transcript.custody().ceremony().as_bytes(),
            digest,
            "clarence.example/sim",
            founding.transcript.to_json(),
        );
        let made = made.map_err(SimError::of)?;
        let shares = founding
            .shares
            .iter()
            .map(|(party, share)| (party.clone(), share.to_text().to_string()));
        let disks = Self {
            catalog: Arc::new(catalog::Memory::new()),
            chunks: SiteId::BOTH
                .map(|site| Arc::new(chunks::Memory::new(host.clone(), &site.to_string()))),
            site_records: SiteId::BOTH.map(|site| Arc::new(MemoryWitness::new(&site.to_string()))),
            parents: charter
                .parties()
                .iter()
                .map(|party| Arc::new(MemoryWitness::new(party.as_str())))
                .collect(),
            shares: shares.collect(),
            custody: founding.transcript.custody().clone(),
            headers: made.headers,
            cloud: founding.cloud,
            verifier_keys: made.verifier_keys,
        };
        disks
            .places(host, |witness| witness)
            .found()
            .map_err(SimError::of)?;
        let op = OpId::from_bytes(host.random());
        let commit = Commit {
            op,
            preconditions: Vec::new(),
            mutations: made.rows,
            entries: vec![made.entry],
        };
        match disks.catalog.commit(commit).await {
            Outcome::Committed(_) => Ok(disks),
            other => Err(SimError(format!(
                "the first rows were not written: {other:?}"
            ))),
        }
    }

    /// The places that remember which site is current, seen through `gate`.
    pub fn places(
        &self,
        host: &Host,
        gate: impl Fn(Arc<dyn Witness>) -> Arc<dyn Witness>,
    ) -> Places {
        Places {
            cloud: self.cloud,
            sites: self.site_records.clone().map(|record| gate(record)),
            witnesses: self
                .parents
                .iter()
                .map(|parent| gate(Arc::clone(parent) as _))
                .collect(),
            quorum: self.parents.len() / 2 + 1,
            host: host.clone(),
        }
    }

    /// One party's share, read from its text as a person would hand it over.
    pub fn share(&self, which: usize) -> Result<ShareFile, SimError> {
        let (_, text) = self
            .shares
            .get(which)
            .ok_or_else(|| SimError("there is no such party".into()))?;
        ShareFile::parse(text.as_bytes()).map_err(SimError::of)
    }
}
