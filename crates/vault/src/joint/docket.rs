//! Handing in: a request is lodged, a word on it is taken, a card goes on the roll. Each is judged by the charter
//! in force first; what is refused is an entry too.

use super::papers::{Bench, Filed, context};
use super::{JointError, Law};
use crate::Vault;
use crate::entries::only_receipt;
use crate::error::VaultError;
use crate::record::joint::{self as record, PaperRow, RequestRow};
use crate::secrets::Secrets;
use catalog::{Commit, Mutation, Outcome, Precondition};
use charter::approval::{
    Card, Decision, Deliberation, Refusal, RequestDigest, Says, SignedRequest, Stamp,
};
use ledger::{Entry, Fields, Kind};
use words::limits::DOCKET_REQUESTS_MAX;
use words::{OpId, PartyName};

/// Most expired requests that one lodging takes away: each may have many words, and a commit is bounded.
const PRUNED_AT_ONCE: usize = 4;

/// What was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandedIn {
    /// A request, or one word on it.
    About(RequestDigest),
    /// The card of this person.
    Card(String),
}

/// What a change of the docket writes.
#[derive(Default)]
pub(super) struct Change {
    pub preconditions: Vec<Precondition>,
    pub mutations: Vec<Mutation>,
    pub entries: Vec<Entry>,
}

impl Vault {
    /// Takes a request, an approval, a veto or a card, as the text of its file. The very same one again is
    /// no error.
    pub async fn hand_in(&self, text: &[u8]) -> Result<HandedIn, JointError> {
        let secrets = self.secrets()?;
        let _one = self.joint.one.lock().await;
        let bench = self.bench().await?;
        let begins = |with: &str| text.starts_with(with.as_bytes());
        let taken = if begins("clarence approver's card,") {
            self.take_card(&secrets, bench, text).await
        } else if begins("clarence request,") {
            self.lodge(&secrets, &bench, text).await
        } else {
            self.take_word(&secrets, &bench, text).await
        };
        match taken {
            Err(why @ JointError::Document(_)) => {
                let mut fields = self.fields(Kind::Refuse);
                fields.operation = Some("HandIn".into());
                Err(self.refuse_joint(&secrets, fields, why).await)
            }
            other => other,
        }
    }

    async fn lodge(
        &self,
        secrets: &Secrets,
        bench: &Bench,
        text: &[u8],
    ) -> Result<HandedIn, JointError> {
        let signed = SignedRequest::parse(text)?;
        let digest = signed.request().digest();
        let mut fields = self.docket_fields(Kind::Admin, "Propose", &signed);
        fields.actor = Some(signed.request().proposer().to_string());
        let key = record::request_key(&digest);
        if self.engine.get(&key).await?.is_some() {
            return Ok(HandedIn::About(digest));
        }
        let latest = self.latest().await?;
        if let Err(refusal) = Deliberation::open(bench.chamber(), signed.clone()) {
            return Err(self.refuse_joint(secrets, fields, refusal.into()).await);
        }
        let expires = signed.request().expires();
        if latest > expires {
            let refusal = Refusal::Expired {
                expires,
                now: latest,
            };
            return Err(self.refuse_joint(secrets, fields, refusal.into()).await);
        }
        let mut change = Change::default();
        let party = &signed.request().proposer().party;
        if let Err(why) = self
            .make_room(secrets, &bench.law, party, latest, &mut change)
            .await
        {
            return Err(self.refuse_joint(secrets, fields, why).await);
        }
        let row = RequestRow {
            lodged: latest,
            carried_out: None,
            expires: signed.request().expires(),
            party: party.clone(),
            text: text.to_vec(),
        };
        change.preconditions.push(Precondition::Absent(key.clone()));
        let put = self.sealed_paper(secrets, key, &row.encode());
        change.mutations.push(put);
        fields.reason = Some(signed.request().reason().to_owned());
        change.entries.push(self.entry_of_cloud(secrets, &fields));
        self.file(change, latest).await?;
        Ok(HandedIn::About(digest))
    }

    /// Takes away requests that have expired, when there are too many; the ledger keeps what was said. Each party
    /// has its part of the docket, so that nobody can fill it for the others.
    async fn make_room(
        &self,
        secrets: &Secrets,
        law: &Law,
        party: &PartyName,
        latest: Stamp,
        change: &mut Change,
    ) -> Result<(), JointError> {
        let rows = self.rows(record::REQUESTS, DOCKET_REQUESTS_MAX).await?;
        let (total, mut waiting, mut expired) = (rows.len(), 0, Vec::new());
        for (key, row) in rows {
            let known = Self::request_row(secrets, &key, &row)?;
            if latest > known.expires {
                expired.push((key, row));
            } else if known.party == *party {
                waiting += 1;
            }
        }
        let part = DOCKET_REQUESTS_MAX / law.charter().parties().len().max(1);
        if waiting >= part || (total >= DOCKET_REQUESTS_MAX && expired.is_empty()) {
            let why = format!(
                "{waiting} requests of {party} are in the docket and have not expired, the most that one party may have is {part}; wait until some expire"
            );
            return Err(JointError::act("docket-full", why));
        }
        if total < DOCKET_REQUESTS_MAX {
            return Ok(());
        }
        for (key, row) in expired.into_iter().take(PRUNED_AT_ONCE) {
            let filed = self.filed_in(secrets, &key, &row).await?;
            let digest = filed.signed.request().digest();
            for word in &filed.words {
                let key = record::word_key(&digest, word.says(), word.key());
                change.mutations.push(Mutation::Delete { key });
            }
            change.mutations.push(Mutation::Delete { key });
        }
        Ok(())
    }

    async fn take_word(
        &self,
        secrets: &Secrets,
        bench: &Bench,
        text: &[u8],
    ) -> Result<HandedIn, JointError> {
        let word = Decision::parse(text)?;
        let digest = *word.request();
        let operation = match word.says() {
            Says::Approve => "Approve",
            Says::Veto => "Veto",
        };
        let mut fields = self.fields(Kind::Admin);
        fields.operation = Some(operation.to_owned());
        fields.actor = Some(word.by().to_string());
        fields.case_reference = Some(digest.to_string());
        let key = record::word_key(&digest, word.says(), word.key());
        if let Some(row) = self.engine.get(&key).await? {
            let plain = seal::open_value(&secrets.cloud_ledger_key, &context(&key), &row.value)?;
            if PaperRow::decode(&plain)?.text == text {
                return Ok(HandedIn::About(digest));
            }
        }
        let judged = self.judge_word(secrets, bench, &word).await;
        let filed = match judged {
            Ok(filed) => filed,
            Err(JointError::Refused(refusal)) => {
                let why = JointError::Refused(refusal);
                return Err(self.refuse_joint(secrets, fields, why).await);
            }
            Err(other) => return Err(other),
        };
        let latest = self.latest().await?;
        let row = PaperRow {
            received: latest,
            text: text.to_vec(),
        };
        fields.resource = Some(filed.signed.request().verb().name.to_owned());
        fields.reason = word.reason().map(str::to_owned);
        let change = Change {
            preconditions: vec![
                Precondition::Absent(key.clone()),
                // It was not carried out meanwhile.
                Precondition::Version(record::request_key(&digest), filed.version),
            ],
            mutations: vec![self.sealed_paper(secrets, key, &row.encode())],
            entries: vec![self.entry_of_cloud(secrets, &fields)],
        };
        self.file(change, latest).await?;
        Ok(HandedIn::About(digest))
    }

    /// Whether the word counts with those that are there.
    async fn judge_word(
        &self,
        secrets: &Secrets,
        bench: &Bench,
        word: &Decision,
    ) -> Result<Filed, JointError> {
        let filed = match self.filed(secrets, word.request()).await? {
            Some(filed) => filed,
            // Perhaps of a request that was changed after it was signed: then the deliberation says so.
            None => self.same_nonce(secrets, word).await?,
        };
        if filed.row.carried_out.is_some() {
            return Err(Refusal::Replay.into());
        }
        let (expires, now) = (filed.signed.request().expires(), self.latest().await?);
        if now > expires {
            return Err(Refusal::Expired { expires, now }.into());
        }
        let (mut deliberation, _) = filed.deliberate(bench)?;
        match word.says() {
            Says::Approve => deliberation.approve(word.clone())?,
            Says::Veto => deliberation.veto(word.clone())?,
        }
        Ok(filed)
    }

    async fn same_nonce(&self, secrets: &Secrets, word: &Decision) -> Result<Filed, JointError> {
        for (key, row) in self.rows(record::REQUESTS, DOCKET_REQUESTS_MAX).await? {
            let filed = self.filed_in(secrets, &key, &row).await?;
            if filed.signed.request().nonce() == word.nonce() {
                return Ok(filed);
            }
        }
        Err(Refusal::NotLodged.into())
    }

    async fn take_card(
        &self,
        secrets: &Secrets,
        mut bench: Bench,
        text: &[u8],
    ) -> Result<HandedIn, JointError> {
        let card = Card::parse(text)?;
        let person = card.person().clone();
        let mut fields = self.fields(Kind::Admin);
        fields.operation = Some("HandInCard".into());
        fields.actor = Some(format!("party {}", person.party));
        fields.resource = Some(format!(
            "{person}, serial {}, {:?}, until {}",
            card.serial(),
            card.standing(),
            card.until()
        ));
        if bench.roll.find(&person) == Some(&card) {
            return Ok(HandedIn::Card(person.to_string()));
        }
        if let Err(why) = bench.roll.enrol(card.clone()) {
            return Err(self.refuse_joint(secrets, fields, why.into()).await);
        }
        if bench.roll.find(&person) != Some(&card) {
            let why =
                "a card of this person with a higher serial is here already; nothing was changed";
            let why = JointError::act("older-card", why);
            return Err(self.refuse_joint(secrets, fields, why).await);
        }
        let latest = self.latest().await?;
        let row = PaperRow {
            received: latest,
            text: text.to_vec(),
        };
        let change = Change {
            preconditions: Vec::new(),
            mutations: vec![Mutation::Put {
                key: record::card_key(&person),
                value: row.encode().into(),
            }],
            entries: vec![self.entry_of_cloud(secrets, &fields)],
        };
        self.file(change, latest).await?;
        Ok(HandedIn::Card(person.to_string()))
    }

    /// A row of the docket, sealed and bound to its key.
    pub(super) fn sealed_paper(&self, secrets: &Secrets, key: Vec<u8>, plain: &[u8]) -> Mutation {
        let value = seal::seal_value(
            &secrets.cloud_ledger_key,
            &context(&key),
            self.host.random(),
            plain,
        );
        Mutation::Put {
            key,
            value: value.into(),
        }
    }

    /// The fields of an entry about one request.
    pub(super) fn docket_fields(
        &self,
        kind: Kind,
        operation: &str,
        signed: &SignedRequest,
    ) -> Fields {
        let mut fields = self.fields(kind);
        let request = signed.request();
        let mut what = request.verb().name.to_owned();
        for (name, value) in request.parameters() {
            what.push_str(&format!(" {name}={value}"));
        }
        fields.operation = Some(operation.to_owned());
        fields.resource = Some(what);
        fields.case_reference = Some(request.digest().to_string());
        fields.policy_digest = Some(*request.charter().as_bytes());
        fields
    }

    /// Writes a refusal down, and gives it back. If it cannot be written down, that is what is told.
    pub(super) async fn refuse_joint(
        &self,
        secrets: &Secrets,
        mut fields: Fields,
        why: JointError,
    ) -> JointError {
        fields.kind = Kind::Refuse;
        fields.decision = Some(why.word().unwrap_or("not-done").to_owned());
        fields.reason = Some(why.to_string());
        match self.note(self.entry_of_cloud(secrets, &fields)).await {
            Ok(()) => why,
            Err(error) => error.into(),
        }
    }

    /// Commits a change of the docket, with the time at which it was made.
    pub(super) async fn file(&self, mut change: Change, at: Stamp) -> Result<u64, VaultError> {
        change.mutations.push(Mutation::Put {
            key: record::LATEST.to_vec(),
            value: record::encode_latest(at).into(),
        });
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: change.preconditions,
            mutations: change.mutations,
            entries: change.entries,
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(committed) => Ok(only_receipt(committed)?.index()),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}
