//! What a guest's node says to the vault of its host, as forms to the S3 door: it offers a bucket whose key stays
//! at home, looks for requests, answers them, and takes a lease back.

use super::asked::Of;
use super::{Why, lock, millis};
use crate::Vault;
use crate::entries::Who;
use crate::error::VaultError;
use crate::identify::Refusal;
use crate::query::{Asks, Element, Form, refusal, text};
use crate::record::bucket::{self, BucketRow, Lessor};
use crate::secrets::{Secrets, Tenant};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger::{Kind, VerifierKeys};
use policy::Action;
use std::time::Duration;
use words::{BucketId, BucketName};

/// The longest time that a look for requests may wait for one.
const WAIT_SECONDS_MAX: u32 = 20;

fn invalid(why: impl std::fmt::Display) -> Refusal {
    refusal("ValidationError", 400, why.to_string())
}

fn bucket_name(form: &mut Form) -> Result<BucketName, Refusal> {
    BucketName::parse(&form.want("Bucket")?).map_err(invalid)
}

fn sixteen(form: &mut Form, name: &str) -> Result<[u8; 16], Refusal> {
    words::hex::decode_array(&form.want(name)?)
        .ok_or_else(|| invalid(format!("{name} must be 32 hexadecimal digits")))
}

impl Vault {
    /// One of the forms.
    pub(crate) async fn lease_form(
        &self,
        secrets: &Secrets,
        asks: Asks,
        action: &str,
        form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        match action {
            "LeaseOffer" => self.lease_offer(secrets, asks, form).await,
            "LeaseRequests" => self.lease_requests(secrets, asks, form).await,
            "LeaseAnswer" => self.lease_answer(secrets, asks, form).await,
            _ => self.lease_end(secrets, asks, form).await,
        }
    }

    /// A bucket shall be made whose key the guest keeps. The request for its first lease is the answer.
    async fn lease_offer(
        &self,
        secrets: &Secrets,
        asks: Asks,
        mut form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        let name = bucket_name(&mut form)?;
        let loan = sixteen(&mut form, "Loan")?;
        let keys = form.want("Lessor")?;
        form.finish()?;
        let keys = STANDARD
            .decode(keys)
            .ok()
            .and_then(|keys| String::from_utf8(keys).ok())
            .ok_or_else(|| invalid("Lessor is not base64 of a log's public keys"))?;
        VerifierKeys::parse(&keys).map_err(invalid)?;
        let actor = asks.who.access_key.clone();
        let (_, tenant) = self
            .admit_tenant(secrets, asks.caller, Action::CreateBucket, name.as_str())
            .await?;
        if self.leased_row(&tenant, &name).await?.is_some() {
            let what = format!("a bucket named {}", name.as_str());
            return Err(VaultError::Exists(what).into());
        }
        let lessor = Lessor { loan, keys };
        let of = Of::new(BucketId::from_bytes(self.host.random()), &lessor);
        let why = Why {
            actor: &actor,
            operation: "CreateBucket",
        };
        let pending = self.new_ask(secrets, tenant.id, &name, of, why)?;
        let request = STANDARD.encode(&pending.text);
        lock(&secrets.leases.pending).insert(pending.ask.nonce, pending);
        Ok(vec![text("Request", request)])
    }

    /// Requests that nobody has answered; waits for one if there is none.
    async fn lease_requests(
        &self,
        secrets: &Secrets,
        asks: Asks,
        mut form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        let wait = form.number("Wait", 0)?;
        form.finish()?;
        if wait > WAIT_SECONDS_MAX {
            return Err(invalid(format!(
                "Wait must be at most {WAIT_SECONDS_MAX} seconds"
            )));
        }
        let asks = self.judge_form(asks, Action::LeaseKeys, "*").await?;
        let (leases, tenant) = (&secrets.leases, asks.tenant.id);
        let patience = tokio::time::Instant::now() + Duration::from_secs(u64::from(wait));
        loop {
            let mut asked = std::pin::pin!(leases.asked.notified());
            asked.as_mut().enable();
            let now = millis(&self.host);
            leases.looked(tenant, now);
            let found = leases.unseen(tenant, now);
            if !found.is_empty() || tokio::time::timeout_at(patience, asked).await.is_err() {
                let members = found.iter().map(|one| text("member", STANDARD.encode(one)));
                return Ok(vec![Element::Group("Requests".into(), members.collect())]);
            }
            // A vault that was sealed meanwhile has forgotten what it asked for.
            if self.is_sealed() {
                return Err(VaultError::Sealed.into());
            }
        }
    }

    async fn lease_answer(
        &self,
        secrets: &Secrets,
        asks: Asks,
        mut form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        let nonce = sixteen(&mut form, "Request")?;
        let lease = form.want("Lease")?;
        form.finish()?;
        let lease = STANDARD.decode(lease).ok();
        let lease = lease.and_then(|lease| String::from_utf8(lease).ok());
        let lease = lease.ok_or_else(|| invalid("Lease is not base64 of a text"))?;
        let asks = self.judge_form(asks, Action::LeaseKeys, "*").await?;
        let taken = self.take_lease(secrets, &asks.who, &nonce, &lease).await;
        if let Err(error) = &taken {
            let mut fields = self.fields_of(Kind::Refuse, &asks.who, "LeaseKey");
            fields.decision = Some(error.to_string());
            self.note(self.entry_for(&asks.tenant, &fields)).await?;
        }
        Ok(vec![text("Seconds", taken?.to_string())])
    }

    /// Forgets the key of a bucket at once. Closing asks nobody but the tenant.
    async fn lease_end(
        &self,
        secrets: &Secrets,
        asks: Asks,
        mut form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        let name = bucket_name(&mut form)?;
        form.finish()?;
        let asks = self
            .judge_form(asks, Action::LeaseKeys, name.as_str())
            .await?;
        let row = self.leased_row(&asks.tenant, &name).await?;
        let Some(row) = row.filter(|row| row.lessor.is_some()) else {
            return Err(refusal(
                "NoSuchEntity",
                404,
                "there is no such leased bucket",
            ));
        };
        self.take_back(secrets, &asks.who, &name, row.id).await?;
        Ok(Vec::new())
    }

    async fn take_back(
        &self,
        secrets: &Secrets,
        who: &Who,
        name: &BucketName,
        id: BucketId,
    ) -> Result<(), VaultError> {
        secrets.leases.forget_asks(id);
        let held = lock(&secrets.leases.held).remove(&id);
        if let Some(bucket) = held {
            if let Some(lease) = &bucket.lease {
                lease.end();
            }
            self.forget_bucket(secrets, &bucket);
        }
        let mut fields = self.fields_of(Kind::Admin, who, "LeaseRevoke");
        fields.resource = Some(name.as_str().to_owned());
        fields.bucket = Some(id);
        fields.decision = Some("the key is forgotten".into());
        self.note(self.entry_for(&who.tenant, &fields)).await
    }

    async fn leased_row(
        &self,
        tenant: &Tenant,
        name: &BucketName,
    ) -> Result<Option<BucketRow>, VaultError> {
        let hash = seal::name_hash(&tenant.name_key, name.as_str().as_bytes());
        let row = self.engine.get(&bucket::key(tenant.id, &hash)).await?;
        Ok(row.map(|row| BucketRow::decode(&row.value)).transpose()?)
    }
}
