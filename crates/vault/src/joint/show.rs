//! What the docket tells: each request with its words, what is still missing, and when it may be carried out.

use super::JointError;
use super::papers::{Bench, Filed};
use crate::Vault;
use crate::record::joint as record;
use charter::approval::{Bearer, Refusal, RequestDigest, Stamp};
use charter::who;
use words::limits::DOCKET_REQUESTS_MAX;

/// One request as the docket shows it.
#[derive(Debug, Clone)]
pub struct Pending {
    /// What it is known by.
    pub digest: RequestDigest,
    /// What is to be done.
    pub verb: &'static str,
    /// How grave it is.
    pub class: &'static str,
    /// With what.
    pub parameters: Vec<(&'static str, String)>,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub proposer: String,
    /// When this cloud first saw it.
    pub lodged: Stamp,
    /// When it may be carried out.
    pub earliest: Stamp,
    /// Until when.
    pub expires: Stamp,
    /// When it was carried out.
    pub carried_out: Option<Stamp>,
    /// Whose approvals count.
    pub approved_by: Vec<String>,
    /// Whose vetoes count.
    pub vetoed_by: Vec<String>,
    /// Whose words counted once and count no more, and why.
    pub dropped: Vec<(String, &'static str)>,
    /// Who still must approve.
    pub still: Vec<String>,
    /// `ready`, `carried-out`, or the word of what stands against it.
    pub state: &'static str,
    /// What stands against it.
    pub why: Option<String>,
}

impl Vault {
    /// Every request in the docket, the latest first.
    pub async fn docket(&self) -> Result<Vec<Pending>, JointError> {
        let secrets = self.secrets()?;
        let bench = self.bench().await?;
        let mut shown = Vec::new();
        for (key, row) in self.rows(record::REQUESTS, DOCKET_REQUESTS_MAX).await? {
            let filed = self.filed_in(&secrets, &key, &row).await?;
            shown.push(self.show(&bench, &filed).await?);
        }
        shown.sort_by_key(|one| std::cmp::Reverse(one.lodged));
        Ok(shown)
    }

    /// One request in the docket.
    pub async fn docket_one(&self, digest: &RequestDigest) -> Result<Pending, JointError> {
        let secrets = self.secrets()?;
        let bench = self.bench().await?;
        match self.filed(&secrets, digest).await? {
            Some(filed) => self.show(&bench, &filed).await,
            None => Err(Refusal::NotLodged.into()),
        }
    }

    pub(super) async fn show(&self, bench: &Bench, filed: &Filed) -> Result<Pending, JointError> {
        let request = filed.signed.request();
        let memory = self.memory(filed).await?;
        let rule = bench.law.charter().rule(request.class());
        let cooled = filed.row.lodged.plus_hours(rule.cool_off_hours.into());
        let mut shown = Pending {
            digest: request.digest(),
            verb: request.verb().name,
            class: request.class().word(),
            parameters: request.parameters().to_vec(),
            reason: request.reason().to_owned(),
            proposer: request.proposer().to_string(),
            lodged: filed.row.lodged,
            earliest: request.earliest().max(cooled),
            expires: request.expires(),
            carried_out: filed.row.carried_out,
            approved_by: Vec::new(),
            vetoed_by: Vec::new(),
            dropped: Vec::new(),
            still: Vec::new(),
            state: "carried-out",
            why: None,
        };
        let verdict = match filed.deliberate(bench) {
            Err(refusal) => Err(refusal),
            Ok((deliberation, dropped)) => {
                let by = |words: &[charter::approval::Decision]| -> Vec<String> {
                    words.iter().map(|word| word.by().to_string()).collect()
                };
                shown.approved_by = by(deliberation.approvals());
                shown.vetoed_by = by(deliberation.vetoes());
                shown.dropped = (dropped.iter())
                    .map(|(by, refusal)| (by.clone(), refusal.word()))
                    .collect();
                let mut approvals = deliberation.approvals().iter();
                let patron = approvals.any(|word| matches!(word.by(), Bearer::Patron(_)));
                shown.still = who::still_needed(
                    bench.law.charter(),
                    request.verb(),
                    &deliberation.parties(),
                    deliberation.persons_count(),
                    patron,
                );
                deliberation.check(Stamp::from_millis(self.host.now()), &memory)
            }
        };
        if shown.carried_out.is_some() {
            shown.still.clear();
            return Ok(shown);
        }
        match verdict {
            Ok(()) => shown.state = "ready",
            Err(refusal) => {
                shown.state = refusal.word();
                shown.why = Some(refusal.to_string());
            }
        }
        Ok(shown)
    }
}
