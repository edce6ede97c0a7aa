//! Which shares of which roots were ever dealt, and which of them the parties have destroyed.

use super::erase::put;
use crate::Vault;
use crate::error::VaultError;
use crate::record::shred::attest::{self, AttestRow};
use crate::record::shred::dealing::{self, DealingRow};
use catalog::{Commit, Outcome, Precondition};
use charter::{Charter, Custody, Destruction};
use ledger::Kind;
use words::{OpId, PartyName, UnixMillis};

/// One dealing of shares.
#[derive(Clone, Debug)]
pub struct Dealing {
    /// Version of the root.
    pub root: u32,
    /// Who was given what.
    pub custody: Custody,
    /// The same as it was written.
    pub text: String,
    /// When it was written down.
    pub since: UnixMillis,
    /// Who has destroyed their share, with their statements.
    pub destroyed: Vec<(PartyName, Vec<u8>)>,
}

/// A statement that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whose.
    pub party: PartyName,
    /// Version of the root.
    pub root: u32,
    /// Shares of that dealing that may still exist.
    pub left: usize,
    /// How many of them open the root.
    pub threshold: u8,
}

impl Dealing {
    /// Shares that may still exist.
    #[must_use]
    pub fn left(&self) -> usize {
        self.custody
            .holders()
            .len()
            .saturating_sub(self.destroyed.len())
    }
    /// Whether the shares that may still exist open the root.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.left() >= usize::from(self.custody.threshold())
    }
}

impl Vault {
    /// Writes down that shares of the root of this version were dealt. What stands there already stays.
    pub async fn record_dealing(&self, root: u32, custody: &Custody) -> Result<(), VaultError> {
        let key = dealing::key(root, custody.epoch());
        if self.engine.get(&key).await?.is_some() {
            return Ok(());
        }
        let text = custody.to_json();
        let row = DealingRow {
            since: self.host.now(),
            custody: text.map_err(|e| VaultError::Statement(e.to_string()))?,
        };
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![Precondition::Absent(key.clone())],
            mutations: vec![put(key, row.encode())],
            entries: Vec::new(),
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) | Outcome::Conflict { .. } => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// Every dealing, oldest first. Needs no key.
    pub async fn dealings(&self) -> Result<Vec<Dealing>, VaultError> {
        let mut all = Vec::new();
        for (key, row) in self.all_rows(dealing::PREFIX).await? {
            let (root, epoch) = dealing::numbers_in(&key)?;
            let row = DealingRow::decode(&row.value)?;
            let custody = Custody::from_json(&row.custody)
                .map_err(|e| VaultError::Statement(e.to_string()))?;
            let about = attest::prefix(custody.ceremony().as_bytes(), epoch);
            let mut destroyed = Vec::new();
            for (_, row) in self.all_rows(&about).await? {
                let row = AttestRow::decode(&row.value)?;
                let statement = Destruction::parse(&row.statement)
                    .map_err(|e| VaultError::Statement(e.to_string()))?;
                destroyed.push((statement.party().clone(), row.statement));
            }
            all.push(Dealing {
                root,
                custody,
                text: row.custody,
                since: row.since,
                destroyed,
            });
        }
        Ok(all)
    }

    /// Takes a party's statement that it destroyed its share of an older root or dealing. `in_force` is the
    /// record of custody of today, whose shares must be kept.
    pub async fn take_statement(
        &self,
        text: &[u8],
        charter: &Charter,
        in_force: &Custody,
    ) -> Result<Taken, VaultError> {
        let secrets = self.secrets()?;
        let refuse = |e: &dyn ToString| VaultError::Statement(e.to_string());
        let statement = Destruction::parse(text).map_err(|e| refuse(&e))?;
        let dealt = (statement.ceremony(), statement.epoch());
        let party = statement.party().clone();
        if dealt == (in_force.ceremony(), in_force.epoch()) {
            statement.check(in_force, charter).map_err(|e| refuse(&e))?;
            return Err(VaultError::Statement(format!(
                "the share of {party} is the one in force; if it is really gone, deal new shares at once: clarence root reshare"
            )));
        }
        let all = self.dealings().await?;
        let mut of = all.into_iter();
        let dealing = of.find(|d| (d.custody.ceremony(), d.custody.epoch()) == dealt);
        let dealing = match dealing {
            Some(dealing) => dealing,
            // Names what it is about.
            None => {
                return Err(match statement.check(in_force, charter) {
                    Err(why) => refuse(&why),
                    Ok(()) => VaultError::Conflict,
                });
            }
        };
        statement
            .check(&dealing.custody, charter)
            .map_err(|e| refuse(&e))?;
        let again = dealing.destroyed.iter().any(|(done, _)| *done == party);
        let taken = Taken {
            left: dealing.left() - usize::from(!again && dealing.left() > 0),
            root: dealing.root,
            threshold: dealing.custody.threshold(),
            party,
        };
        if again {
            return Ok(taken);
        }
        let row = AttestRow {
            taken: self.host.now(),
            statement: text.to_vec(),
        };
        let mut fields = self.fields(Kind::Admin);
        fields.operation = Some("ShareDestroyed".into());
        fields.actor = Some(taken.party.to_string());
        fields.resource = Some(format!("root {}, epoch {}", taken.root, dealt.1));
        fields.request_digest = Some(ledger::tree::leaf_hash(text));
        let key = attest::key(dealt.0.as_bytes(), dealt.1, &taken.party);
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![Precondition::Absent(key.clone())],
            mutations: vec![put(key, row.encode())],
            entries: vec![self.entry_of_cloud(&secrets, &fields)],
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(taken),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}
