//! Who used a person's data: recorded, gathered, published as far as it reaches, proven.

use crate::control::{Failure, PersonAccesses};
use crate::node::Node;
use serde_json::{Value, json};
use words::limits::REASON_CHARS_MAX;
use words::{SiteId, Subject, TenantName};

impl Node {
    pub(crate) async fn person_accesses(&self, asked: PersonAccesses) -> Result<Value, Failure> {
        let tenant = TenantName::parse(&asked.tenant).map_err(|e| Failure::new("usage", e))?;
        let subject = Subject::parse(&asked.subject).map_err(|e| Failure::new("usage", e))?;
        let reason = asked.reason.as_deref();
        let fits = |reason: &str| {
            !reason.chars().any(char::is_control) && reason.chars().count() <= REASON_CHARS_MAX
        };
        if !reason.is_none_or(fits) {
            let why = format!(
                "a reason has at most {REASON_CHARS_MAX} characters and no control characters"
            );
            return Err(Failure::new("usage", why));
        }
        let serving = SiteId::BOTH
            .into_iter()
            .find(|site| self.opened.tenure.serving(*site))
            .ok_or_else(|| Failure::new("unavailable", "no site serves"))?;
        let (vault, cloud) = (&self.rooms.vault, self.opened.header.cloud);
        let record = vault
            .person_record(cloud, &tenant, &subject, reason)
            .await?;
        let entry = record.entry();
        self.publish_all().await.map_err(|e| {
            let why = format!("the ledger could not be published, so nothing was told; that it was asked for is on the ledger: {e}");
            Failure::new("unavailable", why)
        })?;
        let log = self.config.layout.ledger(serving);
        let answer = vault.person_answer(record, &log).await?;
        Ok(json!({
            "tenant": tenant.to_string(),
            "entry": entry,
            "lines": answer.lines.len(),
            "fingerprint": answer.fingerprint,
            "answer": answer.to_text(),
        }))
    }
}
