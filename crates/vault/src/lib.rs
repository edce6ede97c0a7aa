//! The one room that holds secrets. It learns who asks, decides whether they may, makes the entry durable
//! and only then releases the one key for the one object: admit → identify → decide → record → release.
//!
//! Today it lives in the node's process. Its callers hand it plain values and get tokens back, so that it
//! can become a process of its own without a change on their side.
//!
//! Never here: plaintext of objects, networking, HTTP.
//!
//! Reading order: [`Vault`], `identify`, `admit`, `entries`, `settle`, then `secrets` and `unseal`.

mod admin;
mod admit;
mod agreements;
mod anchors;
mod attempts;
mod buckets;
mod certificates;
mod entries;
mod error;
mod found;
mod grant;
mod held_keys;
mod identify;
mod identities;
pub mod inventory;
pub mod joint;
mod journal;
mod leases;
mod loans;
mod meter;
mod object_keys;
mod open_rows;
mod people;
mod policies;
mod providers;
mod query;
pub mod record;
mod restart;
mod reveal;
mod rewrap;
mod rotate;
mod secrets;
mod sessions;
mod settle;
pub mod shred;
mod site_keys;
mod stand;
mod standing;
pub mod statements;
mod sts;
mod table;
mod twin;
mod under_sites;
mod unseal;
mod upkeep;

pub use admin::{NewAccessKey, TenantInfo};
pub use agreements::{AgreementFacts, AgreementStep, SignerOf};
pub use anchors::AnchorInfo;
pub use buckets::BucketFacts;
pub use error::VaultError;
pub use found::{Founded, found};
pub use grant::{
    DeleteGrant, ListGrant, OpenObject, PartGrant, ReadGrant, ReadOutcome, WriteGrant,
};
pub use held_keys::HeldKeys;
pub use identify::{Identified, Refusal};
pub use identities::{IdentityInfo, KeyAsked, NewIdentity};
pub use inventory::{KeyAges, KeyCounts};
pub use journal::{EntryShown, shown_fields};
pub use leases::Lease;
pub use loans::{Loan, LoanAnswer, NewLoan};
pub use meter::MeterLine;
pub use people::PersonRecord;
pub use policies::PolicyAct;
pub use policy::Action;
pub use query::{Element, FORM_BYTES_MAX, QueryDone};
pub use record::bucket::SitePolicy;
pub use record::loan::LoanState;
pub use record::meter::{Counts, Quota};
pub use record::rotation::Target as RotationTarget;
pub use restart::RestartKeys;
pub use rewrap::{header_opens, rewrap};
pub use rotate::{RotationBegun, RotationShown, RotationState};
pub use settle::{Close, Settled, WriteFacts};
pub use shred::grants::member_gone;
pub use twin::twin_key;
pub use unseal::UnsealStep;

use catalog::Engine;
use host::Host;
use policy::Policies;
use secrets::Secrets;
use std::sync::{Arc, RwLock};
use tokio::sync::mpsc;

/// What a vault is told at its making.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// The region name that signatures must be made for.
    pub region: String,
    /// The node's name in entries.
    pub node: String,
    /// What happens to writes in new buckets while a site is away.
    pub site_policy: SitePolicy,
}

/// The vault. It starts sealed.
pub struct Vault {
    host: Host,
    engine: Arc<dyn Engine>,
    policies: Policies,
    config: VaultConfig,
    open: RwLock<Option<Arc<Secrets>>>,
    later: mpsc::Sender<entries::Later>,
    joint: joint::Joint,
    attempts: attempts::Attempts,
    meter: meter::Meter,
    desk: statements::Desk,
}

impl Vault {
    /// A sealed vault over the catalog's engine. Must be called inside a tokio runtime: entries that nobody
    /// waits for are committed by a task.
    pub fn new(
        host: Host,
        engine: Arc<dyn Engine>,
        config: VaultConfig,
    ) -> Result<Arc<Self>, VaultError> {
        let policies = Policies::embedded().map_err(|e| VaultError::Policy(e.to_string()))?;
        let (later, queue) = mpsc::channel(entries::LATER_MAX);
        tokio::spawn(entries::commit_later(
            Arc::clone(&engine),
            host.clone(),
            queue,
        ));
        let desk = statements::Desk::new(seal::NameKey::from_bytes(host.random()));
        Ok(Arc::new(Self {
            desk,
            host,
            engine,
            policies,
            config,
            open: RwLock::new(None),
            later,
            joint: joint::Joint::default(),
            attempts: attempts::Attempts::new(),
            meter: meter::Meter::default(),
        }))
    }

    /// Whether the vault can release nothing.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.secrets().is_err()
    }

    /// Forgets every key. Requests under way keep the keys they were granted.
    pub fn seal(&self) {
        let open = self.open.write().map(|mut open| open.take());
        if let Ok(Some(secrets)) = open {
            // Who waits for a lease holds the secrets as long.
            secrets.leases.wake();
        }
        self.forget_glass();
    }

    fn secrets(&self) -> Result<Arc<Secrets>, VaultError> {
        let open = self.open.read().map_err(|_| VaultError::Sealed)?;
        open.as_ref().map(Arc::clone).ok_or(VaultError::Sealed)
    }

    fn install(&self, secrets: Secrets) {
        if let Ok(mut open) = self.open.write() {
            *open = Some(Arc::new(secrets));
        }
    }
}
