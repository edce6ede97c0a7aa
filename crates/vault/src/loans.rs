//! The other end of a lease: a guest's own vault opens the key of a bucket at its host, for a reason that is on this
//! ledger before anything is given, sealed to the recipient that the host's vault drew for this one request. The key of
//! the loan never leaves.

use crate::Vault;
use crate::error::VaultError;
use crate::identities::Maker;
use crate::leases::{on_its_way, under_loan, wrapped};
use crate::record::identity::{self, Sort};
use crate::record::loan::{LoanRow, LoanState};
use crate::secrets::{Secrets, Tenant};
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition};
use charter::envelope::{self, Recipient};
use ledger::lease::LEASE_SECONDS;
use ledger::{Entry, Kind, Lease, LeaseAsk, LeasedKey, VerifierKeys};
use seal::{BucketKey, TenantKey, Wrapped};
use std::sync::Arc;
use words::{BucketId, BucketName, OpId, TenantId, TenantName, UnixMillis};
use zeroize::Zeroizing;

/// Most loans of one tenant.
const LOANS_MAX: usize = 1000;
const NO_BUCKET: BucketId = BucketId::from_bytes([0; 16]);

/// What is asked for a new loan.
pub struct NewLoan {
    /// The tenant here that lends.
    pub tenant: TenantName,
    /// The bucket to be made at the host.
    pub bucket: BucketName,
    /// How the host is called, as its client reads it.
    pub place: Zeroizing<String>,
    /// The public keys of the host's log.
    pub host_keys: String,
    /// The longest lease, in seconds.
    pub seconds: u32,
}

/// One loan.
pub struct Loan {
    /// Its id.
    pub id: [u8; 16],
    /// Whose it is.
    pub tenant: TenantId,
    /// The bucket at the host.
    pub bucket: BucketName,
    /// How far it has come.
    pub state: LoanState,
    /// The longest lease, in seconds.
    pub seconds: u32,
    /// When it was begun.
    pub created: UnixMillis,
    /// The name of the host's log, and the fingerprint of its keys.
    pub host: (String, String),
    /// How the host is called.
    pub place: Zeroizing<String>,
}

/// An answer to one request of a host.
pub struct LoanAnswer {
    /// The request.
    pub nonce: [u8; 16],
    /// The bucket.
    pub bucket: BucketName,
    /// The lease, signed.
    pub lease: String,
    /// Why it was asked.
    pub reason: String,
    /// For how long.
    pub seconds: u32,
    /// Where this ledger has it.
    pub entry: u64,
}

fn refused(why: impl std::fmt::Display) -> VaultError {
    VaultError::Usage(format!("the request for a lease is refused: {why}"))
}

fn row_key(tenant: TenantId, id: &[u8; 16]) -> Vec<u8> {
    let mut padded = [0; 32];
    for (to, from) in padded.iter_mut().zip(id) {
        *to = *from;
    }
    identity::key(tenant, Sort::Loan, &padded)
}

/// A loan with the row that it was read from.
struct Found {
    tenant: Arc<Tenant>,
    id: [u8; 16],
    row: LoanRow,
    version: u64,
}

impl Found {
    fn key(&self) -> Vec<u8> {
        row_key(self.tenant.id, &self.id)
    }
    fn loan(self) -> Loan {
        let keys = VerifierKeys::parse(&self.row.host_keys).ok();
        let host = keys.map(|keys| (keys.name().to_owned(), keys.fingerprint()));
        Loan {
            id: self.id,
            tenant: self.tenant.id,
            bucket: self.row.bucket,
            state: self.row.state,
            seconds: self.row.seconds,
            created: self.row.created,
            host: host.unwrap_or_default(),
            place: self.row.place,
        }
    }
}

impl Vault {
    /// Begins to lend a bucket's key. Where the charter asks for a quorum the loan waits for `lease-grant`.
    pub async fn loan_begin(&self, new: NewLoan) -> Result<Loan, VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, &new.tenant).await?;
        let keys =
            VerifierKeys::parse(&new.host_keys).map_err(|e| VaultError::Usage(e.to_string()))?;
        if !LEASE_SECONDS.contains(&new.seconds) {
            return Err(VaultError::Usage(format!(
                "a lease takes {} to {} seconds",
                LEASE_SECONDS.start(),
                LEASE_SECONDS.end()
            )));
        }
        if self.loans_of(&tenant).await?.len() >= LOANS_MAX {
            return Err(VaultError::Limit(format!(
                "the tenant has {LOANS_MAX} loans, the most there may be"
            )));
        }
        let state = match self.refuse_plain("lease-grant") {
            Ok(()) => LoanState::Offered,
            Err(VaultError::NeedsQuorum(_)) => LoanState::Waiting,
            Err(error) => return Err(error),
        };
        let id = self.host.random();
        let row = LoanRow {
            bucket: new.bucket,
            bucket_id: NO_BUCKET,
            created: self.host.now(),
            state,
            seconds: new.seconds,
            key: Zeroizing::new(self.host.random()),
            host_keys: new.host_keys,
            place: new.place,
        };
        let what = format!(
            "the key of bucket {} at {}, at most {} s at a time: {}",
            row.bucket.as_str(),
            keys.name(),
            row.seconds,
            state.word()
        );
        let entry = self.made(&tenant, &Maker::Operator(&secrets), "LendBegin", &what);
        let key = row_key(tenant.id, &id);
        let put = self.sealed_put(&tenant, key.clone(), &row.encode());
        self.commit_act(vec![Precondition::Absent(key)], put, entry)
            .await?;
        let version = 0;
        Ok(Found {
            tenant,
            id,
            row,
            version,
        }
        .loan())
    }

    async fn loans_of(&self, tenant: &Arc<Tenant>) -> Result<Vec<Found>, VaultError> {
        let range = KeyRange::prefix(&identity::prefix(tenant.id, Sort::Loan));
        let rows = self.engine.scan(range, LOANS_MAX, Order::Ascending).await?;
        let mut found = Vec::with_capacity(rows.len());
        for (key, _) in rows {
            let Some((row, plain)) = self.sealed_row(tenant, &key).await? else {
                continue;
            };
            let padded = key.get(key.len().saturating_sub(32)..);
            let id = padded.and_then(|padded| padded.first_chunk::<16>());
            found.push(Found {
                tenant: Arc::clone(tenant),
                id: *id.ok_or(words::wire::WireError::Short)?,
                row: LoanRow::decode(&plain)?,
                version: row.version,
            });
        }
        Ok(found)
    }

    /// Every loan, also those that were recalled.
    pub async fn loans(&self) -> Result<Vec<Loan>, VaultError> {
        let secrets = self.secrets()?;
        let mut all = Vec::new();
        for info in self.tenant_list().await? {
            let tenant = match self.tenant(&secrets, info.id).await {
                Err(VaultError::Abroad(_)) => continue,
                other => other?,
            };
            all.extend(self.loans_of(&tenant).await?.into_iter().map(Found::loan));
        }
        Ok(all)
    }

    async fn loan(&self, secrets: &Secrets, id: &[u8; 16]) -> Result<Found, VaultError> {
        for info in self.tenant_list().await? {
            if self.engine.get(&row_key(info.id, id)).await?.is_none() {
                continue;
            }
            let tenant = self.tenant(secrets, info.id).await?;
            let all = self.loans_of(&tenant).await?;
            if let Some(found) = all.into_iter().find(|one| one.id == *id) {
                return Ok(found);
            }
        }
        Err(VaultError::NoSuchLoan(words::hex::encode(id)))
    }

    /// Stops answering a host, or answers it again. Closing takes one alone.
    pub async fn loan_recall(&self, id: &[u8; 16], again: bool) -> Result<Loan, VaultError> {
        let secrets = self.secrets()?;
        if again {
            self.refuse_plain("lease-grant")?;
        }
        let mut found = self.loan(&secrets, id).await?;
        let known = found.row.bucket_id != NO_BUCKET;
        found.row.state = match (again, known) {
            (false, _) => LoanState::Recalled,
            (true, true) => LoanState::Lent,
            (true, false) => LoanState::Offered,
        };
        let operation = if again { "LendResume" } else { "LendRecall" };
        let what = format!("the key of bucket {}", found.row.bucket.as_str());
        let entry = self.made(&found.tenant, &Maker::Operator(&secrets), operation, &what);
        let stands = Precondition::Version(found.key(), found.version);
        let put = self.sealed_put(&found.tenant, found.key(), &found.row.encode());
        self.commit_act(vec![stands], put, entry).await?;
        Ok(found.loan())
    }

    /// What `lease-grant` and `lease-revoke` change in a loan, for a commit of joint control.
    pub(crate) async fn loan_act(
        &self,
        secrets: &Secrets,
        id: &str,
        seconds: Option<u32>,
    ) -> Result<(Arc<Tenant>, Precondition, Mutation, String), VaultError> {
        let none = || VaultError::NoSuchLoan(id.chars().take(64).collect());
        let id = words::hex::decode_array(id).ok_or_else(none)?;
        let mut found = self.loan(secrets, &id).await?;
        match seconds {
            None => found.row.state = LoanState::Recalled,
            Some(seconds) => {
                found.row.seconds = found.row.seconds.min(seconds);
                found.row.state = match found.row.bucket_id == NO_BUCKET {
                    true => LoanState::Offered,
                    false => LoanState::Lent,
                };
            }
        }
        let put = self.sealed_put(&found.tenant, found.key(), &found.row.encode());
        let stands = Precondition::Version(found.key(), found.version);
        let bucket = found.row.bucket.as_str().to_owned();
        Ok((found.tenant, stands, put, bucket))
    }

    /// Answers one request of a host. The entry is durable before a key is opened.
    pub async fn loan_answer(&self, text: &str) -> Result<LoanAnswer, VaultError> {
        let secrets = self.secrets()?;
        let id = LeaseAsk::loan_in(text).ok_or_else(|| refused("it names no loan"))?;
        let found = self.loan(&secrets, &id).await?;
        let keys = VerifierKeys::parse(&found.row.host_keys).map_err(refused)?;
        let ask = LeaseAsk::open(text.as_bytes(), &keys);
        let row = &found.row;
        let checked = ask.map_err(refused).and_then(|ask| {
            let first = ask.keys.is_empty();
            let fits = ask.loan == id
                && ask.name == row.bucket
                && (first || ask.bucket == row.bucket_id)
                && first == (row.state == LoanState::Offered);
            match row.state {
                LoanState::Recalled | LoanState::Waiting => {
                    Err(refused("nothing is lent under this loan now"))
                }
                _ if !fits => Err(refused("it is about another bucket")),
                _ => Ok(ask),
            }
        });
        let ask = match checked {
            Ok(ask) => ask,
            Err(error) => {
                let mut fields = self.fields(Kind::Refuse);
                fields.tenant = Some(found.tenant.id);
                fields.operation = Some("LendKey".into());
                fields.resource = Some(row.bucket.as_str().to_owned());
                fields.decision = Some(error.to_string());
                self.note(self.entry_for(&found.tenant, &fields)).await?;
                return Err(error);
            }
        };
        let recipient = Recipient::parse(&ask.recipient).map_err(refused)?;
        let entry = self.lend_entry(&found, &ask, keys.name());
        self.lend(&secrets, found, ask, &recipient, entry).await
    }

    fn lend_entry(&self, found: &Found, ask: &LeaseAsk, host: &str) -> Entry {
        let mut fields = self.fields(Kind::Grant);
        fields.tenant = Some(found.tenant.id);
        fields.operation = Some("LendKey".into());
        fields.resource = Some(ask.name.as_str().to_owned());
        fields.bucket = Some(ask.bucket);
        fields.reason = Some(ask.reason.clone());
        fields.request_digest = Some(ask.digest());
        fields.decision = Some(format!("lent to {host} for {} s", found.row.seconds));
        self.entry_for(&found.tenant, &fields)
    }

    async fn lend(
        &self,
        secrets: &Secrets,
        mut found: Found,
        ask: LeaseAsk,
        recipient: &Recipient,
        entry: Entry,
    ) -> Result<LoanAnswer, VaultError> {
        let mut commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![Precondition::Version(found.key(), found.version)],
            mutations: Vec::new(),
            entries: vec![entry],
        };
        if ask.keys.is_empty() {
            found.row.bucket_id = ask.bucket;
            found.row.state = LoanState::Lent;
            let put = self.sealed_put(&found.tenant, found.key(), &found.row.encode());
            commit.mutations.push(put);
        }
        let committed = match self.engine.commit(commit).await {
            Outcome::Committed(committed) => committed,
            other => return Err(VaultError::from_outcome(other)),
        };
        let receipt = crate::entries::only_receipt(committed)?;
        let own = TenantKey::from_bytes(*found.row.key);
        let drawn = Zeroizing::new(self.host.random::<32>());
        let transport = TenantKey::from_bytes(*drawn);
        let (keys, stored) = self.opened_keys(&found, &ask, &own, &transport)?;
        let envelope = envelope::seal(std::slice::from_ref(recipient), &*drawn, &self.host);
        let lease = Lease {
            ask: ask.digest(),
            bucket: ask.bucket,
            loan: found.id,
            entry: receipt.index(),
            granted: self.host.now(),
            seconds: found.row.seconds,
            envelope: envelope.map_err(refused)?,
            keys,
            stored,
        };
        let signed = lease.signed(&secrets.log_keys);
        Ok(LoanAnswer {
            nonce: ask.nonce,
            bucket: ask.name,
            lease: signed.map_err(|e| VaultError::Ledger(e.to_string()))?,
            reason: ask.reason,
            seconds: found.row.seconds,
            entry: receipt.index(),
        })
    }

    /// The keys on their way, and, of a bucket that is made, the one that the host keeps.
    fn opened_keys(
        &self,
        found: &Found,
        ask: &LeaseAsk,
        own: &TenantKey,
        transport: &TenantKey,
    ) -> Result<(Vec<LeasedKey>, Option<LeasedKey>), VaultError> {
        let leased = |version, wrapped: &Wrapped| LeasedKey {
            version,
            wrapped: wrapped.as_bytes().to_vec(),
        };
        let mut keys = Vec::with_capacity(ask.keys.len().max(1));
        let mut on = |version, key: &BucketKey| {
            let context = on_its_way(&ask.nonce, ask.bucket, version);
            let wrapped = seal::wrap(transport, key, &context, self.host.random());
            keys.push(leased(version, &wrapped));
        };
        if ask.keys.is_empty() {
            let key = BucketKey::from_bytes(self.host.random());
            on(1, &key);
            let context = under_loan(&found.id, ask.bucket, 1);
            let kept = seal::wrap(own, &key, &context, self.host.random());
            return Ok((keys, Some(leased(1, &kept))));
        }
        for one in &ask.keys {
            let context = under_loan(&found.id, ask.bucket, one.version);
            let key = Wrapped::from_bytes(wrapped(one)?);
            on(one.version, &seal::unwrap(own, &key, &context)?);
        }
        Ok((keys, None))
    }
}
