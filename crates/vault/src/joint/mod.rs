//! Joint control on the node: the docket of requests, and the acts that enough have approved.
//!
//! What is handed in is judged by the charter in force, and written down with an entry whether it is taken or
//! refused. An act is done once: the mark that it was carried out, its rows and its entry are one commit.
//! A cloud whose charter names no keys (version 1, for development) has no docket; there the plain verbs do
//! everything. Nothing here works while the vault is sealed: openings and requests are under the cloud's key.
//!
//! Reading order: [`Law`], `docket`, `carry`, `acts`, `ordered`, `amend`, `glass`.

// A refusal names what was signed and what is here; a handful is made in a day.
#![allow(clippy::result_large_err)]

mod acts;
mod amend;
mod carry;
mod docket;
mod error;
mod glass;
mod ordered;
mod papers;
mod show;

pub use acts::CARRIED_OUT;
pub use amend::check_can_be_opened;
pub use carry::{Done, Outcome};
pub use docket::HandedIn;
pub use error::JointError;
pub use glass::{GlassShown, GlassTick};
pub use ordered::Ordered;
pub use show::Pending;

use crate::Vault;
use crate::error::VaultError;
use crate::record::joint::{self as record, GlassRow};
use charter::law::{Chain, Jurisdiction};
use charter::{Charter, Class, verbs, who};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use tokio::sync::Mutex;
use words::{CloudId, PartyName, TenantId};

/// What a node is ruled by.
#[derive(Clone, Debug)]
pub struct Law {
    /// The cloud.
    pub cloud: CloudId,
    /// From the founding charter to the one in force.
    pub chain: Chain,
    /// Where this node is; `None` where the charter names no jurisdictions.
    pub place: Option<Jurisdiction>,
    /// Who holds a share of the root.
    pub holders: Vec<PartyName>,
}

impl Law {
    /// The charter in force.
    #[must_use]
    pub const fn charter(&self) -> &Charter {
        self.chain.in_force()
    }
    /// Whether acts are decided by signed requests: the charter names keys.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        self.charter().terms().is_some()
    }
    /// The charter's number in its chain.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.charter().terms().map_or(1, |terms| terms.number())
    }
}

/// What the vault remembers of joint control while the node runs.
#[derive(Default)]
pub(crate) struct Joint {
    law: RwLock<Option<Arc<Law>>>,
    /// One document at a time: a veto and an execution never pass each other.
    one: Mutex<()>,
    /// Credentials of break-glass that have not been reported on, by access key.
    glass: RwLock<BTreeMap<String, Arc<GlassRow>>>,
    /// Whether there are any: every request asks, and nearly always there is none.
    any_glass: AtomicBool,
}

impl Vault {
    /// Says which charter rules, before the vault is opened.
    pub fn govern(&self, law: Law) {
        if let Ok(mut slot) = self.joint.law.write() {
            *slot = Some(Arc::new(law));
        }
    }

    /// What rules; `None` in a vault that nobody has told.
    #[must_use]
    pub fn law(&self) -> Option<Arc<Law>> {
        self.joint.law.read().ok().and_then(|law| law.clone())
    }

    /// Refuses a plain verb of the control socket where its class asks for a quorum. Closing takes one alone,
    /// and stays possible without a request.
    pub fn refuse_plain(&self, verb: &str) -> Result<(), VaultError> {
        let Some(law) = self.law().filter(|law| law.is_joint()) else {
            return Ok(());
        };
        let Some(verb) = verbs::find(verb) else {
            return Ok(());
        };
        let answer = who::who_can(law.charter(), verb);
        if answer.class == Class::R0 {
            return Ok(());
        }
        Err(VaultError::NeedsQuorum(format!(
            "{} is of class {} under this cloud's charter and nobody does it alone: {}; nothing was done. \
             Ask for it with `clarence propose {} … --node`, then `clarence approve` and `clarence execute --node`",
            verb.name,
            answer.class,
            answer.needs().join("; "),
            verb.name,
        )))
    }

    /// Refuses the keys of a tenant whose list does not have this node's jurisdiction.
    pub(crate) async fn check_place(&self, tenant: TenantId) -> Result<(), VaultError> {
        let Some(law) = self.law() else { return Ok(()) };
        let Some(here) = &law.place else {
            return Ok(());
        };
        let Some(row) = self.engine.get(&record::places_key(tenant)).await? else {
            return Ok(());
        };
        let allowed = record::decode_places(&row.value)?;
        if allowed.iter().any(|label| label == here.as_str()) {
            return Ok(());
        }
        Err(VaultError::Abroad(format!(
            "the keys of tenant {tenant} may be used in {} only, and this node is in {here}; they were not opened",
            allowed.join(", ")
        )))
    }
}
