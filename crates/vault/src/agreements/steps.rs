//! How an agreement comes into force and out of it. To open takes the signatures of both sides; to close, one side.

use super::acts::no_step;
use super::kept::{Kept, signature_at};
use super::{AgreementFacts, AgreementStep};
use crate::Vault;
use crate::error::VaultError;
use crate::record::agreement::{AgreementRow, SIGNATURE_BYTES_MAX, SIGNATURES_MAX, SignatureAt};
use crate::record::identity::{self, Sort};
use crate::secrets::Secrets;
use agreement::{Side, Signed, State, Step, Word, next, satisfied};
use catalog::Commit;
use words::OpId;

impl Vault {
    /// Takes one person's signature: under the agreement, or that it goes on. When a side has all it needs, the agreement is a
    /// step further.
    pub async fn agreement_sign(
        &self,
        id: &str,
        paper: &[u8],
    ) -> Result<AgreementFacts, VaultError> {
        if paper.len() > SIGNATURE_BYTES_MAX {
            return Err(VaultError::Limit(format!(
                "a signature has at most {SIGNATURE_BYTES_MAX} bytes"
            )));
        }
        let signed = Signed::parse(paper).map_err(|error| VaultError::Usage(error.to_string()))?;
        let secrets = self.secrets()?;
        let kept = self.found(&secrets, id).await?;
        let of = match signed.side {
            Side::Provider => &kept.provider,
            Side::Consumer => &kept.consumer,
        };
        let roll = self.roll(of).await?;
        agreement::check(&kept.agreement, &roll, &signed)
            .map_err(|error| VaultError::Usage(error.to_string()))?;
        match signed.word {
            Word::Agree => self.agrees(&kept, signed, paper).await?,
            Word::Resume(turn) => self.resumes(&secrets, &kept, signed, turn, paper).await?,
        }
        self.agreement(id).await
    }

    async fn agrees(&self, kept: &Kept, signed: Signed, paper: &[u8]) -> Result<(), VaultError> {
        let mut row = kept.row.clone();
        let mut all = self.signatures(kept, &row.signatures).await?;
        let at = self.one_more(kept, &mut row.signatures, &signed)?;
        all.push(signed.clone());
        if self.enough(kept, Word::Agree, Side::Provider, &all).await? {
            row.state = next(row.state, Step::ProviderSigns).unwrap_or(row.state);
        }
        if self.enough(kept, Word::Agree, Side::Consumer, &all).await? {
            row.state = next(row.state, Step::ConsumerSigns).unwrap_or(row.state);
        }
        self.signed(kept, row, &signed, at, paper, "SignAgreement")
            .await
    }

    async fn resumes(
        &self,
        secrets: &Secrets,
        kept: &Kept,
        signed: Signed,
        turn: u32,
        paper: &[u8],
    ) -> Result<(), VaultError> {
        let mut row = kept.row.clone();
        let goes_on = next(row.state, Step::Resume).map_err(no_step)?;
        if turn != row.suspensions {
            return Err(VaultError::Usage(format!(
                "{} signed that the agreement goes on after its suspension number {turn}, and this is number {}; sign anew",
                signed.person, row.suspensions
            )));
        }
        in_time(kept, self.host.now())?;
        let mut all = self.signatures(kept, &row.resumed).await?;
        let at = self.one_more(kept, &mut row.resumed, &signed)?;
        all.push(signed.clone());
        let word = signed.word;
        if self.enough(kept, word, Side::Provider, &all).await?
            && self.enough(kept, word, Side::Consumer, &all).await?
        {
            row.state = goes_on;
        }
        let goes_on = row.state == State::Active;
        self.signed(kept, row, &signed, at, paper, "ResumeAgreement")
            .await?;
        if goes_on {
            secrets.ended.remove(&kept.id);
        }
        Ok(())
    }

    /// Adds a signature to those that are on record.
    fn one_more(
        &self,
        kept: &Kept,
        to: &mut Vec<SignatureAt>,
        signed: &Signed,
    ) -> Result<[u8; 32], VaultError> {
        if to.len() >= SIGNATURES_MAX {
            return Err(VaultError::Limit(format!(
                "at most {SIGNATURES_MAX} persons sign an agreement"
            )));
        }
        let at = signature_at(&kept.provider, &kept.id, signed);
        if to.iter().any(|signature| signature.at == at) {
            return Err(VaultError::Exists(format!(
                "a signature of {} for this side",
                signed.person
            )));
        }
        to.push(SignatureAt {
            side: signed.side,
            at,
        });
        Ok(at)
    }

    async fn enough(
        &self,
        kept: &Kept,
        word: Word,
        side: Side,
        all: &[Signed],
    ) -> Result<bool, VaultError> {
        let tenant = match side {
            Side::Provider => &kept.provider,
            Side::Consumer => &kept.consumer,
        };
        let roll = self.roll(tenant).await?;
        Ok(satisfied(&kept.agreement, word, side, &roll, all).is_ok())
    }

    async fn signed(
        &self,
        kept: &Kept,
        row: AgreementRow,
        signed: &Signed,
        at: [u8; 32],
        paper: &[u8],
        operation: &str,
    ) -> Result<(), VaultError> {
        let key = identity::key(kept.provider.id, Sort::Signature, &at);
        let more = vec![self.sealed_put(&kept.provider, key, paper)];
        let said = format!("{} as {}", signed.person, signed.role);
        self.agreement_changed(kept, row, more, operation, Some(said))
            .await
    }

    /// Begins, stops or ends an agreement. What runs under one that is stopped, ended or replaced is ended too.
    pub async fn agreement_step(
        &self,
        id: &str,
        step: AgreementStep,
    ) -> Result<AgreementFacts, VaultError> {
        let secrets = self.secrets()?;
        let kept = self.found(&secrets, id).await?;
        match step {
            AgreementStep::Activate => self.begins(&secrets, &kept).await?,
            AgreementStep::Suspend(side) => {
                let mut row = kept.row.clone();
                row.state = next(row.state, Step::Suspend(side)).map_err(no_step)?;
                row.suspensions = row.suspensions.saturating_add(1);
                row.resumed.clear();
                self.closes(&secrets, &kept, row, "SuspendAgreement", side)
                    .await?;
            }
            AgreementStep::Revoke(side) => {
                let mut row = kept.row.clone();
                row.state = next(row.state, Step::Revoke(side)).map_err(no_step)?;
                self.closes(&secrets, &kept, row, "RevokeAgreement", side)
                    .await?;
            }
        }
        self.agreement(id).await
    }

    /// It begins; the version before it ends in the same commit.
    async fn begins(&self, secrets: &Secrets, kept: &Kept) -> Result<(), VaultError> {
        self.may_begin(kept).await?;
        let mut commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: Vec::new(),
            mutations: Vec::new(),
            entries: Vec::new(),
        };
        let mut row = kept.row.clone();
        row.state = next(row.state, Step::Activate).map_err(no_step)?;
        self.changes(&mut commit, kept, row, "ActivateAgreement", None);
        let mut ends = None;
        if let Some(digest) = kept.agreement.previous {
            let before = self.previous(secrets, &kept.provider, digest).await?;
            let mut row = before.row.clone();
            match next(row.state, Step::Replace) {
                Ok(state) => {
                    row.state = state;
                    let said = Some(format!("by {}", kept.id));
                    self.changes(&mut commit, &before, row, "ReplaceAgreement", said);
                    ends = Some(before.id);
                }
                Err(_) if row.state == State::Replaced => {
                    return Err(VaultError::Basis(format!(
                        "another version has taken the place of {} already; nothing was changed",
                        before.id
                    )));
                }
                // It was ended, or never began: there is nothing whose place is taken.
                Err(_) => {}
            }
        }
        if let Some(before) = &ends {
            secrets.ended.add(before);
        }
        match self.commit_agreement(commit).await {
            Ok(()) => secrets.ended.remove(&kept.id),
            Err(error) => {
                if let Some(before) = &ends {
                    self.ended_for_nothing(secrets, before).await;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn closes(
        &self,
        secrets: &Secrets,
        kept: &Kept,
        row: AgreementRow,
        operation: &str,
        side: Side,
    ) -> Result<(), VaultError> {
        let by = match side {
            Side::Provider => &kept.agreement.provider,
            Side::Consumer => &kept.agreement.consumer,
        };
        // Closed at once, and then written: what is between is refused.
        secrets.ended.add(&kept.id);
        let said = Some(format!("by {by}"));
        let written = self
            .agreement_changed(kept, row, Vec::new(), operation, said)
            .await;
        if written.is_err() {
            self.ended_for_nothing(secrets, &kept.id).await;
        }
        written
    }

    /// A step could not be written, and what is on record says that the agreement goes on: so it does for what begins anew.
    /// Where that cannot be read it stays closed until the node is opened again.
    async fn ended_for_nothing(&self, secrets: &Secrets, id: &str) {
        let kept = self.found(secrets, id).await;
        if kept.is_ok_and(|kept| kept.row.state == State::Active) {
            secrets.ended.remove(id);
        }
    }

    /// Both sides have signed, and its time is not over. The rolls are those of now: whoever may not sign any longer does not
    /// count.
    async fn may_begin(&self, kept: &Kept) -> Result<(), VaultError> {
        let all = self.signatures(kept, &kept.row.signatures).await?;
        for (side, tenant) in [
            (Side::Provider, &kept.provider),
            (Side::Consumer, &kept.consumer),
        ] {
            let roll = self.roll(tenant).await?;
            satisfied(&kept.agreement, Word::Agree, side, &roll, &all)
                .map_err(|missing| VaultError::Basis(missing.to_string()))?;
        }
        in_time(kept, self.host.now())
    }
}

fn in_time(kept: &Kept, now: words::UnixMillis) -> Result<(), VaultError> {
    match kept.agreement.not_after > now {
        true => Ok(()),
        false => Err(VaultError::Basis(
            "the agreement's time is over; propose a new one".into(),
        )),
    }
}
