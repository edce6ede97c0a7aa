//! Reading what lies in the docket: requests with the words on them, cards, the latest time. Requests and words
//! are sealed, since they name buckets and persons.

use super::{JointError, Law};
use crate::Vault;
use crate::error::VaultError;
use crate::record::joint::{self as record, PaperRow, RequestRow};
use crate::secrets::Secrets;
use catalog::{KeyRange, Order};
use charter::approval::{
    Card, Chamber, Decision, Deliberation, Docket, DocketFault, Refusal, RequestDigest, Roll, Says,
    SignedRequest, Stamp,
};
use std::sync::Arc;
use words::limits::{APPROVALS_MAX, APPROVERS_MAX, SCAN_ROWS_MAX};

/// What a sealed row of the docket is bound to: its own key.
pub(super) fn context(key: &[u8]) -> Vec<u8> {
    [b"docket\0".as_slice(), key].concat()
}

/// The law in force and everybody who may speak under it.
pub(super) struct Bench {
    pub law: Arc<Law>,
    pub roll: Roll,
}

impl Bench {
    pub fn chamber(&self) -> Chamber<'_> {
        Chamber {
            cloud: self.law.cloud,
            roll: &self.roll,
        }
    }
}

/// One request in the docket.
pub(super) struct Filed {
    pub row: RequestRow,
    pub version: u64,
    pub signed: SignedRequest,
    pub words: Vec<Decision>,
}

impl Filed {
    /// Deliberates on everything that was handed in. What counted once and counts no more (a card that was
    /// withdrawn since) is given back by name.
    pub fn deliberate<'a>(
        &self,
        bench: &'a Bench,
    ) -> Result<(Deliberation<'a>, Vec<(String, Refusal)>), Refusal> {
        let mut deliberation = Deliberation::open(bench.chamber(), self.signed.clone())?;
        let mut dropped = Vec::new();
        for word in &self.words {
            let by = word.by().to_string();
            let taken = match word.says() {
                Says::Approve => deliberation.approve(word.clone()),
                Says::Veto => deliberation.veto(word.clone()),
            };
            if let Err(refusal) = taken {
                dropped.push((by, refusal));
            }
        }
        Ok((deliberation, dropped))
    }
}

/// What the docket remembers of one request.
pub(super) struct Memory {
    pub executed: bool,
    pub lodged: Option<Stamp>,
    pub latest: Stamp,
}

impl Docket for Memory {
    fn executed(&self, _: &RequestDigest) -> Result<bool, DocketFault> {
        Ok(self.executed)
    }
    fn lodged(&self, _: &RequestDigest) -> Result<Option<Stamp>, DocketFault> {
        Ok(self.lodged)
    }
    fn latest(&self) -> Result<Stamp, DocketFault> {
        Ok(self.latest)
    }
}

impl Vault {
    /// The law, if the cloud decides by signed requests.
    pub(super) fn joint_law(&self) -> Result<Arc<Law>, JointError> {
        let law = self.law().filter(|law| law.is_joint());
        law.ok_or_else(|| Refusal::NoKeys.into())
    }

    /// The law with the roll of approvers whose cards hold under it. A card that an amendment has made void is
    /// left out: its bearer is unknown until the party gives a new one.
    pub(super) async fn bench(&self) -> Result<Bench, JointError> {
        let law = self.joint_law()?;
        let mut roll = Roll::new(law.charter());
        for (_, row) in self.rows(record::CARDS, 8 * APPROVERS_MAX).await? {
            let paper = PaperRow::decode(&row.value)?;
            let card = Card::parse(&paper.text)?;
            if let Err(why) = roll.enrol(card) {
                tracing::debug!(%why, "a card does not hold under the charter in force");
            }
        }
        Ok(Bench { law, roll })
    }

    /// The latest time that was ever recorded here, or now.
    pub(super) async fn latest(&self) -> Result<Stamp, VaultError> {
        let now = Stamp::from_millis(self.host.now());
        Ok(match self.engine.get(record::LATEST).await? {
            Some(row) => record::decode_latest(&row.value)?.max(now),
            None => now,
        })
    }

    /// At most `max` rows below a prefix.
    pub(super) async fn rows(
        &self,
        prefix: &[u8],
        max: usize,
    ) -> Result<Vec<(Vec<u8>, catalog::Row)>, VaultError> {
        let mut found = Vec::new();
        let mut range = KeyRange::prefix(prefix);
        loop {
            let limit = SCAN_ROWS_MAX.min(max.saturating_sub(found.len()));
            if limit == 0 {
                return Ok(found);
            }
            let page = self
                .engine
                .scan(range.clone(), limit, Order::Ascending)
                .await?;
            let more = page.len() == limit;
            if let Some((last, _)) = page.last() {
                range = range.after(last);
            }
            found.extend(page);
            if !more {
                return Ok(found);
            }
        }
    }

    /// The request of this digest with the words on it.
    pub(super) async fn filed(
        &self,
        secrets: &Secrets,
        digest: &RequestDigest,
    ) -> Result<Option<Filed>, JointError> {
        let key = record::request_key(digest);
        match self.engine.get(&key).await? {
            Some(row) => self.filed_in(secrets, &key, &row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The row of a request, opened.
    pub(super) fn request_row(
        secrets: &Secrets,
        key: &[u8],
        row: &catalog::Row,
    ) -> Result<RequestRow, JointError> {
        let plain = seal::open_value(&secrets.cloud_ledger_key, &context(key), &row.value)?;
        Ok(RequestRow::decode(&plain)?)
    }

    /// The request in a row with the words on it.
    pub(super) async fn filed_in(
        &self,
        secrets: &Secrets,
        key: &[u8],
        row: &catalog::Row,
    ) -> Result<Filed, JointError> {
        let version = row.version;
        let row = Self::request_row(secrets, key, row)?;
        let signed = SignedRequest::parse(&row.text)?;
        let mut words: Vec<(Stamp, Decision)> = Vec::new();
        let prefix = record::words_prefix(&signed.request().digest());
        for (key, row) in self.rows(&prefix, 4 * APPROVALS_MAX).await? {
            let plain = seal::open_value(&secrets.cloud_ledger_key, &context(&key), &row.value)?;
            let paper = PaperRow::decode(&plain)?;
            words.push((paper.received, Decision::parse(&paper.text)?));
        }
        // In the order in which they came: who was first counts where a party counts once.
        words.sort_by_key(|(received, _)| *received);
        Ok(Filed {
            row,
            version,
            signed,
            words: words.into_iter().map(|(_, word)| word).collect(),
        })
    }

    pub(super) async fn memory(&self, filed: &Filed) -> Result<Memory, VaultError> {
        Ok(Memory {
            executed: filed.row.carried_out.is_some(),
            lodged: Some(filed.row.lodged),
            latest: self.latest().await?,
        })
    }
}
