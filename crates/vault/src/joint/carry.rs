//! Carrying out: the request and every word on it are judged once more, and if the charter is satisfied the act
//! is done in the commit that marks it as done.

use super::acts::{Act, Then};
use super::docket::Change;
use super::glass::Opened;
use super::ordered::Ordered;
use super::{JointError, Law};
use crate::Vault;
use crate::admin::NewAccessKey;
use crate::error::VaultError;
use crate::record::joint::{self as record, RequestRow};
use crate::secrets::Secrets;
use catalog::Precondition;
use charter::approval::{Bearer, Refusal, RequestDigest, Resolution, Stamp};
use ledger::{Fields, Kind};
use std::sync::Arc;
use words::UnixMillis;

/// What has to be done, or shown, after an act is durable.
pub enum Outcome {
    /// Nothing more.
    Done,
    /// The vault is sealed; what others keep in memory must be forgotten too.
    Sealed,
    /// A credential was made. Its secret is shown once.
    Credential {
        /// The credential.
        key: NewAccessKey,
        /// When it ends.
        expires: Option<UnixMillis>,
    },
    /// An act of many steps is ordered; its steps follow.
    Ordered(Ordered),
    /// Another charter is in force; its paper belongs into every site folder.
    Amended {
        /// The law with it.
        law: Arc<Law>,
        /// The paper.
        paper: String,
    },
}

/// One act that was carried out.
pub struct Done {
    /// The request.
    pub digest: RequestDigest,
    /// What was done.
    pub verb: &'static str,
    /// Who approved.
    pub approved_by: Vec<String>,
    /// Where it stands in the ledger.
    pub ledger_index: u64,
    /// What came of it.
    pub outcome: Outcome,
}

impl Vault {
    /// Carries a request of the docket out, once, if the charter is satisfied now. `paper` is the text of the
    /// amendment, for the verb that needs one.
    pub async fn carry_out(
        &self,
        digest: &RequestDigest,
        paper: Option<&str>,
    ) -> Result<Done, JointError> {
        let secrets = self.secrets()?;
        let _one = self.joint.one.lock().await;
        let bench = self.bench().await?;
        let Some(filed) = self.filed(&secrets, digest).await? else {
            let mut fields = self.fields(Kind::Refuse);
            fields.operation = Some("Execute".into());
            fields.case_reference = Some(digest.to_string());
            let why = Refusal::NotLodged.into();
            return Err(self.refuse_joint(&secrets, fields, why).await);
        };
        let fields = self.docket_fields(Kind::Refuse, "Execute", &filed.signed);
        let memory = self.memory(&filed).await?;
        let now = Stamp::from_millis(self.host.now());
        let resolved = filed.deliberate(&bench).and_then(|(deliberation, _)| {
            deliberation
                .resolve(now, &memory)
                .map_err(|undecided| undecided.why)
        });
        let resolution = match resolved {
            Ok(resolution) => resolution,
            Err(refusal) => {
                return Err(self.refuse_joint(&secrets, fields, refusal.into()).await);
            }
        };
        let act = match self.act_of(&secrets, &bench, &resolution, paper).await {
            Ok(act) => act,
            Err(why) => return Err(self.refuse_joint(&secrets, fields, why).await),
        };
        let mark = RequestRow {
            carried_out: Some(memory.latest),
            ..filed.row
        };
        self.execute(&secrets, resolution, act, (mark, filed.version))
            .await
    }

    /// Does the act. The resolution is used up here.
    async fn execute(
        &self,
        secrets: &Secrets,
        resolution: Resolution,
        act: Act,
        (mark, version): (RequestRow, u64),
    ) -> Result<Done, JointError> {
        let digest = *resolution.digest();
        let approved_by = approvers(&resolution);
        let latest = mark.carried_out.unwrap_or(mark.lodged);
        let key = record::request_key(&digest);
        let fields = self.act_fields(&resolution, &act);
        let mut entries = vec![self.entry_of_cloud(secrets, &fields)];
        if let Some(tenant) = &act.told {
            // The tenant concerned can open this one, with its own key.
            entries.push(self.entry_for(tenant, &fields));
        }
        let mut change = Change {
            preconditions: vec![Precondition::Version(key.clone(), version)],
            mutations: vec![self.sealed_paper(secrets, key, &mark.encode())],
            entries,
        };
        change.preconditions.extend(act.preconditions);
        change.mutations.extend(act.mutations);
        if matches!(act.then, Then::Ordered(_)) {
            let order = self.sealed_paper(secrets, record::ordered_key(&digest), &mark.encode());
            change.mutations.push(order);
        }
        let verb = resolution.request().verb().name;
        let filed = self.file(change, latest).await;
        if matches!(act.then, Then::Seal) {
            // Even if it is not known whether the entry was made: closing does no harm.
            if matches!(filed, Ok(_) | Err(VaultError::Unknown(_))) {
                self.seal();
            }
        }
        let ledger_index = filed?;
        tracing::warn!(verb, %digest, "an act was carried out by joint control");
        Ok(Done {
            digest,
            verb,
            approved_by,
            ledger_index,
            outcome: self.after(secrets, act.then).await?,
        })
    }

    /// What the memory of this node must learn once the act is durable.
    async fn after(&self, secrets: &Secrets, then: Then) -> Result<Outcome, VaultError> {
        match then {
            Then::Nothing => Ok(Outcome::Done),
            Then::Seal => Ok(Outcome::Sealed),
            Then::Ordered(order) => Ok(Outcome::Ordered(order)),
            Then::KeyChanged(id, tenant) => {
                Self::forget_key(secrets, &id, tenant);
                // Loaded again, so that writes under way find it when they settle.
                self.known(secrets, &id).await?;
                Ok(Outcome::Done)
            }
            Then::TenantChanged(id) => {
                self.tenant_changed(secrets, id).await?;
                Ok(Outcome::Done)
            }
            Then::Made { key, expires } => Ok(Outcome::Credential { key, expires }),
            Then::Glass(Opened { key, row }) => {
                let expires = Some(row.ends);
                self.remember_glass(&key.id, row);
                Ok(Outcome::Credential { key, expires })
            }
            Then::Amended { law, paper } => {
                self.govern(law.clone());
                Ok(Outcome::Amended {
                    law: Arc::new(law),
                    paper,
                })
            }
        }
    }

    /// What the entry of the act says.
    fn act_fields(&self, resolution: &Resolution, act: &Act) -> Fields {
        let request = resolution.request();
        let mut fields = self.fields(act.kind);
        fields.operation = Some(act.operation.to_owned());
        fields.tenant = act.tenant;
        fields.resource = Some(act.resource.clone());
        fields.actor = Some(approvers(resolution).join(", "));
        fields.reason = Some(request.reason().to_owned());
        fields.case_reference = Some(resolution.digest().to_string());
        fields.policy_digest = Some(*request.charter().as_bytes());
        fields.response_digest = act.digest;
        fields.purpose = act.purpose.map(str::to_owned);
        fields.decision = Some(format!(
            "carried out: {} of class {}",
            request.verb().name,
            request.class()
        ));
        fields
    }
}

/// The proposer, and everyone who approved.
fn approvers(resolution: &Resolution) -> Vec<String> {
    let proposer = format!("{} (proposed)", resolution.request().proposer());
    let approved = resolution.approved_by().map(|bearer| match bearer {
        Bearer::Person(person) => person.to_string(),
        other => other.to_string(),
    });
    std::iter::once(proposer).chain(approved).collect()
}
