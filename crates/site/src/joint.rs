//! What the control socket is asked about joint control: documents handed in, the docket, orders.

use crate::control::{Failure, RotateWhat};
use crate::law::put_papers;
use crate::node::Node;
use charter::approval::{RequestDigest, Stamp};
use charter::{Unsealing, who};
use serde_json::{Value, json};
use std::time::Duration;
use vault::joint::{Done, GlassShown, HandedIn, JointError, Law, Ordered, Outcome, Pending};
use vault::record::joint::GlassState;
use words::{SiteId, Subject, TenantName};

/// Between two looks at whether a break-glass has ended.
const LOOK: Duration = Duration::from_secs(1);

impl From<JointError> for Failure {
    fn from(error: JointError) -> Self {
        match error.word() {
            Some(word) => Self::new(word, error),
            None => match error {
                JointError::Vault(error) => error.into(),
                other => Self::new("internal", other),
            },
        }
    }
}

/// An attempt to open the cloud under its charter: the number that Shamir's scheme needs, and in a charter of
/// version 2 its condition for `unseal` as well.
pub(crate) fn unsealing(custody: charter::Custody, law: Option<&Law>) -> Unsealing {
    match law.and_then(|law| condition(law.charter())) {
        Some(condition) => Unsealing::new(custody).requiring(condition),
        None => Unsealing::new(custody),
    }
}

/// What those who unseal must fulfil, under a charter of version 2.
pub(crate) fn condition(charter: &charter::Charter) -> Option<charter::Formula> {
    let joint = charter.terms().is_some();
    who::condition_of(charter, "unseal").filter(|_| joint)
}

fn digest(text: &str) -> Result<RequestDigest, Failure> {
    words::hex::decode_array(text)
        .map(RequestDigest::from_bytes)
        .ok_or_else(|| {
            let short: String = text.chars().take(80).collect();
            Failure::new(
                "usage",
                format!("{short:?} is no digest of a request: it has 128 hexadecimal digits"),
            )
        })
}

impl Node {
    /// Takes a request, an approval, a veto or a card.
    pub(crate) async fn hand_in(&self, document: &str) -> Result<Value, Failure> {
        let vault = &self.rooms.vault;
        match vault.hand_in(document.as_bytes()).await? {
            HandedIn::Card(person) => Ok(json!({ "card": person })),
            HandedIn::About(digest) => {
                Ok(json!({ "request": shown(&vault.docket_one(&digest).await?) }))
            }
        }
    }

    pub(crate) async fn docket(&self) -> Result<Value, Failure> {
        let list = self.rooms.vault.docket().await?;
        Ok(json!({ "requests": list.iter().map(shown).collect::<Vec<_>>() }))
    }

    /// Carries a request out, once.
    pub(crate) async fn carry_out(
        &self,
        request: &str,
        paper: Option<&str>,
    ) -> Result<Value, Failure> {
        let digest = digest(request)?;
        let Done {
            digest,
            verb,
            approved_by,
            ledger_index,
            outcome,
        } = self.rooms.vault.carry_out(&digest, paper).await?;
        let mut answer = json!({
            "carried_out": true,
            "request_digest": digest.to_string(),
            "verb": verb,
            "approved_by": approved_by,
            "ledger_index": ledger_index,
        });
        match outcome {
            Outcome::Done => self.lending.nudge(),
            Outcome::Sealed => {
                self.opened.index.clear();
                answer["sealed"] = json!(true);
            }
            Outcome::Credential { key, expires } => {
                let connect = self.connect_with(&key.id, &key.secret);
                answer["credential"] = json!({
                    "tenant_id": key.tenant.to_string(),
                    "endpoint": connect.endpoint,
                    "region": connect.region,
                    "ca_bundle": connect.ca_bundle,
                    "access_key": connect.access_key,
                    "secret_key": connect.secret_key,
                    "expires_unix_ms": expires.map(|t| t.0),
                });
            }
            Outcome::Ordered(order) => {
                // What interrupts it from here on is gone on with at the next opening.
                let done = self.do_ordered(&order).await.map_err(|failure| Failure {
                    message: format!(
                        "the order stands in the ledger and its steps go on at the next opening of the node: {}",
                        failure.message
                    ),
                    ..failure
                })?;
                answer["steps"] = done;
            }
            Outcome::Amended { law, paper } => {
                answer["charter"] = json!({
                    "number": law.number(),
                    "charter_digest": law.charter().digest().to_string(),
                });
                self.put_paper(&law, &paper).await;
            }
        }
        Ok(answer)
    }

    /// The steps of an order, from wherever they were interrupted.
    pub(crate) async fn do_ordered(&self, order: &Ordered) -> Result<Value, Failure> {
        let lacks = |name: &str| Failure::new("internal", format!("the order lacks {name}"));
        let done = match order.verb {
            "subject-erase" => {
                let tenant = order.parameter("tenant").ok_or_else(|| lacks("tenant"))?;
                let tenant = TenantName::parse(tenant).map_err(|e| Failure::new("usage", e))?;
                let subject = order.parameter("subject").ok_or_else(|| lacks("subject"))?;
                let subject = Subject::parse(subject).map_err(|e| Failure::new("usage", e))?;
                match self.erase_subject(&tenant, &subject, &order.reason).await {
                    // It was erased before the interruption; the sweep and the move go on by themselves.
                    Err(failure) if failure.kind == "not-found" => json!({ "found": false }),
                    other => other?,
                }
            }
            "re-key-root" => self.rekey_root(&order.reason).await?,
            // They were exchanged before the interruption; what lay under the old ones goes on by itself.
            "re-key-site" if self.rooms.vault.renews_sites() => json!({ "renewing": true }),
            "re-key-site" => {
                let reason = order.reason.clone();
                self.rotate_ordered(RotateWhat::Sites { reason }).await?
            }
            "re-key-tenant" => {
                let tenant = order.parameter("tenant").ok_or_else(|| lacks("tenant"))?;
                let tenant = tenant.to_owned();
                self.rotate_ordered(RotateWhat::Tenant { tenant }).await?
            }
            "re-key-bucket" => {
                let tenant = order.parameter("tenant").ok_or_else(|| lacks("tenant"))?;
                let bucket = order.parameter("bucket").ok_or_else(|| lacks("bucket"))?;
                let (tenant, bucket) = (tenant.to_owned(), bucket.to_owned());
                self.rotate_ordered(RotateWhat::Bucket { tenant, bucket })
                    .await?
            }
            other => return Err(lacks(other)),
        };
        self.rooms.vault.ordered_done(&order.digest).await?;
        Ok(done)
    }

    /// Goes on with orders that an interruption left.
    pub(crate) async fn resume_ordered(&self) -> Result<(), Failure> {
        if self.rooms.vault.is_sealed() {
            return Ok(());
        }
        for order in self.rooms.vault.ordered().await? {
            tracing::warn!(
                verb = order.verb,
                "an order that was interrupted is gone on with"
            );
            self.do_ordered(&order).await?;
        }
        Ok(())
    }

    /// The amendment is in force; its paper goes into the folders, and the next opening asks what it says.
    async fn put_paper(&self, law: &Law, paper: &str) {
        for site in SiteId::BOTH {
            let papers = [(law.number(), paper.to_owned())];
            if let Err(error) = put_papers(&self.config.layout, site, &papers) {
                tracing::warn!(%site, %error, "the amendment's paper is not in the site's folder yet; it is in the catalog, and is written at the next start");
            }
        }
        *self.unsealing.lock().await = unsealing(self.held().custody, Some(law));
    }

    pub(crate) async fn glass_report(
        &self,
        access_key: &str,
        report: &str,
    ) -> Result<Value, Failure> {
        let vault = &self.rooms.vault;
        vault.report_glass(access_key, report).await?;
        Ok(json!({ "access_key": access_key, "reported": true }))
    }

    /// What everyone who looks at the node's status sees of joint control.
    pub(crate) fn joint_status(&self, status: &mut Value) {
        let Some(law) = self.rooms.vault.law() else {
            return;
        };
        status["charter"] = json!({
            "version": if law.is_joint() { 2 } else { 1 },
            "number": law.number(),
            "charter_digest": law.charter().digest().to_string(),
        });
        status["jurisdiction"] = json!(law.place.as_ref().map(ToString::to_string));
        let glasses = self.rooms.vault.glass_shown();
        status["break_glass"] = glasses.iter().map(glass).collect();
    }

    /// Writes down each break-glass that ends.
    pub(crate) async fn watch_glasses(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.rooms.vault.is_sealed() {
                continue;
            }
            if let Err(error) = self.rooms.vault.end_glasses().await {
                tracing::warn!(%error, "the end of a break-glass is not written down yet; its credential has ended all the same");
            }
        }
    }
}

fn glass(shown: &GlassShown) -> Value {
    let row = &shown.row;
    json!({
        "access_key": shown.access_key,
        "officer": row.officer,
        "tenant_id": row.tenant.to_string(),
        "bucket": row.bucket,
        "prefix": row.prefix,
        "begun_unix_ms": row.begun.0,
        "ends_unix_ms": row.ends.0,
        "state": match row.state {
            GlassState::Open => "open",
            GlassState::Ended | GlassState::Reported => "report due",
        },
        "request_digest": shown.request,
    })
}

fn shown(one: &Pending) -> Value {
    let parameters: serde_json::Map<String, Value> = (one.parameters.iter())
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let dropped: Vec<Value> = (one.dropped.iter())
        .map(|(by, word)| json!({ "by": by, "type": word }))
        .collect();
    json!({
        "request_digest": one.digest.to_string(),
        "verb": one.verb,
        "class": one.class,
        "parameters": parameters,
        "reason": one.reason,
        "proposer": one.proposer,
        "lodged": one.lodged.to_string(),
        "earliest": one.earliest.to_string(),
        "expires": one.expires.to_string(),
        "carried_out": one.carried_out.map(|at: Stamp| at.to_string()),
        "approved_by": one.approved_by,
        "vetoed_by": one.vetoed_by,
        "no_longer_counted": dropped,
        "still_needed": one.still,
        "state": one.state,
        "why": one.why,
    })
}
