//! How an act becomes an entry: its fields, a fresh entry key, the hiding commitment, and the opening sealed
//! to the tenant concerned. What was decided is taken from the permit or the denial, never from the caller.

use crate::Vault;
use crate::error::VaultError;
use crate::secrets::{Secrets, Tenant};
use authn::Caller;
use catalog::{Commit, Committed, Engine, Outcome, ReadError};
use host::Host;
use ledger::{Entry, Fields, Kind, Receipt};
use seal::LedgerKey;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use words::{OpId, TenantId, UnixMillis};

/// Entries that nobody waits for (closes, refusals of strangers) and that are not committed yet.
pub const LATER_MAX: usize = 16_384;
const LATER_BATCH: usize = 256;
/// Between two attempts to write them.
const LATER_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);
/// What waits in the queue of entries that nobody waits for.
pub enum Later {
    /// An entry.
    Entry(Entry),
    /// Somebody wants to know when all entries before are durable.
    Flush(oneshot::Sender<()>),
}

/// The owner that stands before a sealed opening: a tenant, or this for the cloud's own acts.
const CLOUD: [u8; 16] = [0; 16];

/// Who is named in an entry.
#[derive(Clone)]
pub struct Who {
    pub tenant: Arc<Tenant>,
    /// Whose data it is, to whom the entries are sealed: the tenant itself, or the provider of an agreement.
    pub owner: Arc<Tenant>,
    /// The agreement under which it is asked.
    pub under: Option<Arc<Under>>,
    pub access_key: String,
    pub request_digest: [u8; 32],
    pub policy_digest: [u8; 32],
}

/// What every entry under an agreement says of it.
pub struct Under {
    pub agreement: String,
    pub provider: String,
    pub consumer: String,
    pub purpose: String,
    pub legal_basis: String,
    /// By order the persons concerned are not told before; 0 for at once.
    pub visible_from: UnixMillis,
}

impl Who {
    pub fn of(tenant: Arc<Tenant>, caller: &Caller, policy_digest: [u8; 32]) -> Self {
        Self {
            owner: Arc::clone(&tenant),
            under: None,
            tenant,
            access_key: caller.access_key().to_string(),
            request_digest: *caller.request_digest(),
            policy_digest,
        }
    }
}

/// What an opening of `owner` is bound to.
pub fn opening_context(owner: &[u8; 16]) -> Vec<u8> {
    [b"opening\0".as_slice(), owner].concat()
}

fn seal_entry(host: &Host, owner: [u8; 16], key: &LedgerKey, fields: &Fields) -> Entry {
    let entry_key: [u8; 32] = host.random();
    let commitment = fields.commit(&entry_key);
    let opening = fields.opening(&entry_key);
    let mut sealed = owner.to_vec();
    sealed.extend(seal::seal_value(
        key,
        &opening_context(&owner),
        host.random(),
        &opening,
    ));
    Entry::prepare(commitment, sealed)
}

/// An entry about the cloud itself, before there is a vault that is open.
pub fn entry_of(host: &Host, key: &LedgerKey, fields: &Fields) -> Entry {
    seal_entry(host, CLOUD, key, fields)
}

impl Vault {
    /// The fields that every entry of a caller has.
    pub(crate) fn fields_of(&self, kind: Kind, who: &Who, operation: &str) -> Fields {
        let mut fields = self.fields(kind);
        fields.tenant = Some(who.tenant.id);
        fields.actor = Some(who.access_key.clone());
        fields.operation = Some(operation.to_owned());
        fields.request_digest = Some(who.request_digest);
        fields.policy_digest = Some(who.policy_digest);
        if let Some(under) = &who.under {
            fields.agreement = Some(under.agreement.clone());
            fields.provider = Some(under.provider.clone());
            fields.consumer = Some(under.consumer.clone());
            fields.purpose = Some(under.purpose.clone());
            fields.legal_basis = Some(under.legal_basis.clone());
        }
        self.mark_glass(&who.access_key, &mut fields);
        fields
    }

    /// The fields that every entry has.
    pub(crate) fn fields(&self, kind: Kind) -> Fields {
        let mut fields = Fields::new(kind, self.host.now());
        fields.node = Some(self.config.node.clone());
        fields
    }

    /// An entry that the tenant can open.
    pub(crate) fn entry_for(&self, tenant: &Tenant, fields: &Fields) -> Entry {
        seal_entry(
            &self.host,
            *tenant.id.as_bytes(),
            &tenant.ledger_key,
            fields,
        )
    }

    /// An entry about the cloud itself, or about somebody who is not known.
    pub(crate) fn entry_of_cloud(&self, secrets: &Secrets, fields: &Fields) -> Entry {
        seal_entry(&self.host, CLOUD, &secrets.cloud_ledger_key, fields)
    }

    /// Makes one entry durable and gives the receipt.
    pub(crate) async fn record(&self, entry: Entry) -> Result<Receipt, VaultError> {
        let outcome = self
            .engine
            .commit(only_entries(&self.host, vec![entry]))
            .await;
        let Outcome::Committed(committed) = outcome else {
            return Err(VaultError::from_outcome(outcome));
        };
        only_receipt(committed)
    }

    /// Makes one entry durable that no key depends on: a denial, a list, an act that was done already.
    pub(crate) async fn note(&self, entry: Entry) -> Result<(), VaultError> {
        self.record(entry).await.map(drop)
    }

    /// Queues an entry that nobody waits for. If the queue is full the entry is written at once instead:
    /// none is ever dropped while the node lives.
    pub(crate) async fn record_later(&self, entry: Entry) {
        if self.later.send(Later::Entry(entry)).await.is_err() {
            tracing::error!(
                "the queue of ledger entries is closed; one entry that nobody waits for was not written"
            );
        }
    }

    /// Waits until every entry that was queued before is durable, for at most `patience`. Gives whether
    /// they are.
    pub async fn flush_later(&self, patience: std::time::Duration) -> bool {
        let (done, told) = oneshot::channel();
        let flushed =
            async { self.later.send(Later::Flush(done)).await.is_ok() && told.await.is_ok() };
        tokio::time::timeout(patience, flushed)
            .await
            .unwrap_or(false)
    }

    /// An act of the node itself: a site lost or back, a repair. Durable when this returns.
    pub async fn record_act(
        &self,
        kind: Kind,
        operation: &str,
        reason: String,
    ) -> Result<u64, VaultError> {
        let secrets = self.secrets()?;
        let mut fields = self.fields(kind);
        fields.operation = Some(operation.to_owned());
        fields.reason = Some(reason);
        Ok(self
            .record(self.entry_of_cloud(&secrets, &fields))
            .await?
            .index())
    }

    /// The key that opens an opening of `owner`.
    pub(crate) async fn open_opening(
        &self,
        secrets: &Secrets,
        sealed: &[u8],
    ) -> Result<Fields, VaultError> {
        Ok(self.open_entry(secrets, sealed).await?.0)
    }

    /// The same with the entry's key, with which single fields can be shown.
    pub(crate) async fn open_entry(
        &self,
        secrets: &Secrets,
        sealed: &[u8],
    ) -> Result<(Fields, [u8; 32]), VaultError> {
        let (owner, sealed) = sealed
            .split_first_chunk::<16>()
            .ok_or(words::wire::WireError::Short)?;
        let context = opening_context(owner);
        let plain = if *owner == CLOUD {
            seal::open_value(&secrets.cloud_ledger_key, &context, sealed)?
        } else {
            let tenant = self.tenant(secrets, TenantId::from_bytes(*owner)).await?;
            seal::open_value(&tenant.ledger_key, &context, sealed)?
        };
        Fields::from_opening(&plain).map_err(|e| VaultError::Ledger(e.to_string()))
    }
}

fn only_entries(host: &Host, entries: Vec<Entry>) -> Commit {
    Commit {
        op: OpId::from_bytes(host.random()),
        preconditions: Vec::new(),
        mutations: Vec::new(),
        entries,
    }
}

/// Commits what is queued, many entries at a time, and tells those who asked for it.
pub async fn commit_later(engine: Arc<dyn Engine>, host: Host, mut queue: mpsc::Receiver<Later>) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, LATER_BATCH).await > 0 {
        let mut entries = Vec::new();
        let mut asked = Vec::new();
        for later in waiting.drain(..) {
            match later {
                Later::Entry(entry) => entries.push(entry),
                Later::Flush(done) => asked.push(done),
            }
        }
        if !entries.is_empty() {
            commit_until_taken(&*engine, &host, entries).await;
        }
        for done in asked {
            let _ = done.send(());
        }
    }
}

/// A batch that the catalog does not take is tried again until it does; one whose outcome is not known is
/// looked up first, so that no entry is written twice.
async fn commit_until_taken(engine: &dyn Engine, host: &Host, mut entries: Vec<Entry>) {
    loop {
        let again: Vec<Entry> = entries.iter().map(again).collect();
        let commit = only_entries(host, entries);
        let op = commit.op;
        let outcome = engine.commit(commit).await;
        let written = match &outcome {
            Outcome::Committed(_) => true,
            Outcome::Unknown(_) => match looked_up(engine, op).await {
                Some(written) => written,
                None => return,
            },
            Outcome::Conflict { .. } | Outcome::Refused(_) => false,
        };
        if written {
            return;
        }
        tracing::error!(
            "ledger entries that nobody waits for are not written yet; they are tried again"
        );
        tokio::time::sleep(LATER_PAUSE).await;
        entries = again;
    }
}

/// Whether an op took effect, asked until somebody knows; none if the catalog has stopped, for then nobody will.
async fn looked_up(engine: &dyn Engine, op: OpId) -> Option<bool> {
    loop {
        match engine.lookup(op).await {
            Ok(found) => return Some(found.is_some()),
            Err(ReadError::Stopped(why)) => {
                tracing::error!(why, "whether ledger entries were written is not known");
                return None;
            }
            Err(error) => {
                tracing::error!(%error, "whether ledger entries were written is not known yet");
                tokio::time::sleep(LATER_PAUSE).await;
            }
        }
    }
}

/// The same entry once more, for a commit that may have to be repeated.
fn again(entry: &Entry) -> Entry {
    let row = entry.row_value();
    let opening = row.get(row.len() - (entry.row_bytes() - ledger::record::row::HEAD_BYTES)..);
    Entry::prepare(
        entry.leaf().commitment(),
        opening.unwrap_or_default().to_vec(),
    )
}

/// The receipt of a commit's first entry.
pub(crate) fn only_receipt(committed: Committed) -> Result<Receipt, VaultError> {
    let receipt = committed.into_receipts().into_iter().next();
    receipt.ok_or_else(|| VaultError::NotRecorded("the catalog gave no receipt".into()))
}
