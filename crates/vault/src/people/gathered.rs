//! What a person is told: the lines of their chains and the accesses to whole datasets, each with its ledger entries
//! opened as far as they are shown. First gathered, then, when the log is published that far, proven.

use super::asked::Person;
use crate::Vault;
use crate::error::VaultError;
use crate::secrets::Secrets;
use ::people::proof::Place;
use ::people::record::line::{About, LineRow};
use ::people::record::whole::{self, Extent, WholeRow};
use ::people::{
    Answer, ChainSaid, Draft, EntryProof, LINES_MAX, LineProof, Said, State, shown_tags,
};
use catalog::{KeyRange, Order, Row};
use ledger::erasure::subject_commitment;
use ledger::folder::Folder;
use ledger::{Disclosure, Fields, Kind, Leaf};
use std::collections::BTreeMap;
use std::path::Path;
use words::limits::SCAN_ROWS_MAX;
use words::{CloudId, Subject, TenantId, TenantName};

/// One entry that is shown.
struct Shown {
    index: u64,
    leaf: Leaf,
    shown: Disclosure,
    fields: Fields,
}

/// One line, without the paths in the log.
struct Gathered {
    name: String,
    state: State,
    place: Option<Place>,
    grant: Shown,
    close: Option<Shown>,
}

/// What a person is told, and not yet proven.
pub struct PersonRecord {
    said: Said,
    opening: [u8; 32],
    lines: Vec<Gathered>,
}

impl PersonRecord {
    /// The index of the entry with which it is recorded that a person is told.
    #[must_use]
    pub const fn entry(&self) -> u64 {
        self.said.asked
    }
    /// How large the log has to be before the record can be proven.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        let shown = self
            .lines
            .iter()
            .flat_map(|line| [Some(&line.grant), line.close.as_ref()]);
        shown
            .flatten()
            .map(|entry| entry.index + 1)
            .max()
            .unwrap_or(0)
    }
}

impl Vault {
    /// Records that a person is told who used their data at one tenant, and gathers it. What an order defers beyond
    /// today is left out.
    pub async fn person_record(
        &self,
        cloud: CloudId,
        tenant: &TenantName,
        subject: &Subject,
        reason: Option<&str>,
    ) -> Result<PersonRecord, VaultError> {
        let secrets = self.secrets()?;
        let person = self.person(&secrets, tenant, subject).await?;
        let opening: [u8; 32] = self.host.random();
        let commitment = subject_commitment(&opening, subject.as_str());
        self.show_deferred(&secrets, &person).await?;
        let asked = self
            .record_answer(&secrets, &person, &commitment, reason)
            .await?;
        let (mut chains, mut lines) = (Vec::new(), Vec::new());
        for (name, chain) in person.shown() {
            let rows = self.lines_of(&chain).await?;
            chains.push(ChainSaid {
                name: name.to_owned(),
                count: rows.len() as u64,
                label_key: *chain.label_key(),
            });
            for (counter, (version, row)) in (0..).zip(rows) {
                let label = chain.label(counter);
                let named = format!("{name}/{counter}");
                lines.push(
                    self.own_line(&secrets, &person, named, label, version, row)
                        .await?,
                );
            }
        }
        let whole = self.whole_lines(&secrets, &person).await?;
        let count = whole.len() as u64;
        lines.extend(whole);
        if lines.len() > LINES_MAX {
            return Err(VaultError::Limit(format!(
                "the answer has more than {LINES_MAX} lines, the most there may be; that it was asked for is on the ledger"
            )));
        }
        let said = Said {
            cloud,
            tenant: (person.tenant.id, person.name.clone()),
            subject: commitment,
            asked,
            issued: self.host.now(),
            log: (0, [0; 32]),
            authorities: self.authorities(&person, &lines).await?,
            chains,
            whole: count,
            lines: Vec::new(),
        };
        Ok(PersonRecord {
            said,
            opening,
            lines,
        })
    }

    /// Proves what was gathered by the published log in a folder, and has the log sign it.
    pub async fn person_answer(
        &self,
        record: PersonRecord,
        log: &Path,
    ) -> Result<Answer, VaultError> {
        let secrets = self.secrets()?;
        let failed = |e: &dyn ToString| VaultError::Ledger(e.to_string());
        let folder = Folder::at(log);
        let note = folder.checkpoint().map_err(|e| failed(&e))?;
        let note = note.ok_or_else(|| failed(&"the log is not published yet"))?;
        let checkpoint = secrets.log_keys.verifier().open(&note);
        let size = checkpoint.map_err(|e| failed(&e))?.size;
        if size < record.log_size() {
            return Err(failed(
                &"the log is not published far enough yet; ask again",
            ));
        }
        let proven = |shown: Shown| {
            let path = folder.inclusion_proof(shown.index, size);
            Ok::<_, VaultError>(EntryProof {
                index: shown.index,
                leaf: shown.leaf,
                shown: shown.shown,
                path: path.map_err(|e| failed(&e))?,
            })
        };
        let mut lines = Vec::with_capacity(record.lines.len());
        for line in record.lines {
            lines.push(LineProof {
                name: line.name,
                state: line.state,
                place: line.place,
                grant: proven(line.grant)?,
                close: line.close.map(proven).transpose()?,
            });
        }
        let draft = Draft {
            said: record.said,
            lines,
            checkpoint: String::from_utf8(note).map_err(|e| failed(&e))?,
            opening: record.opening,
        };
        Answer::signed(draft, &secrets.log_keys).map_err(|e| failed(&e))
    }

    async fn own_line(
        &self,
        secrets: &Secrets,
        person: &Person,
        name: String,
        label: [u8; 32],
        version: u64,
        row: LineRow,
    ) -> Result<Gathered, VaultError> {
        let index = match row.index {
            Some(index) => index,
            None => self.index_of(version, &row.leaf).await?,
        };
        let grant = self.shown(secrets, index, Some(&row.leaf), false).await?;
        let close = match row.about {
            About::Statement => self.close_of(secrets, person, &row.leaf, index).await?,
            About::Object | About::Answer => None,
        };
        let of = match row.about {
            About::Statement => close.as_ref(),
            About::Object | About::Answer => Some(&grant),
        };
        let set = of.and_then(|entry| entry.fields.subject_set);
        // A statement whose end was not written, or written again after it had failed, may have been about anybody.
        let held = set.is_some_and(|set| row.at.holds(&row.committed, &set));
        let state = if held { State::You } else { State::Perhaps };
        Ok(Gathered {
            name,
            state,
            place: Some(Place {
                label,
                committed: row.committed,
                at: row.at,
            }),
            grant,
            close,
        })
    }

    async fn whole_lines(
        &self,
        secrets: &Secrets,
        person: &Person,
    ) -> Result<Vec<Gathered>, VaultError> {
        let now = self.host.now();
        let mut found = Vec::new();
        let mut range = KeyRange::prefix(&whole::prefix(person.tenant.id));
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let Some((last, _)) = page.last() else { break };
            range = range.after(last);
            for (key, row) in page {
                let opened =
                    seal::open_value(&person.tenant.meta_key, &whole::context(&key), &row.value)?;
                let mark = WholeRow::decode(&opened)?;
                if mark.visible > now {
                    continue;
                }
                let leaf = whole::leaf_in(&key)?;
                let index = match mark.index {
                    Some(index) => index,
                    None => self.index_of(row.version, &leaf).await?,
                };
                found.push((index, leaf, mark.extent));
            }
            if found.len() > LINES_MAX {
                break;
            }
        }
        found.sort_unstable_by_key(|(index, ..)| *index);
        let mut lines = Vec::with_capacity(found.len());
        for (n, (index, leaf, extent)) in (0..).zip(found) {
            let close = match extent {
                Extent::Whole => self.close_of(secrets, person, &leaf, index).await?,
                Extent::Open => None,
            };
            lines.push(Gathered {
                name: format!("whole/{n}"),
                state: match extent {
                    Extent::Whole => State::Whole,
                    Extent::Open => State::Perhaps,
                },
                place: None,
                grant: self.shown(secrets, index, Some(&leaf), true).await?,
                close,
            });
        }
        Ok(lines)
    }

    /// The entry at an index, opened as far as it is shown.
    async fn shown(
        &self,
        secrets: &Secrets,
        index: u64,
        expected: Option<&[u8; 32]>,
        whole: bool,
    ) -> Result<Shown, VaultError> {
        let missing = |why: &str| VaultError::Ledger(format!("entry {index} {why}"));
        let row = self.engine.get(&ledger::row_key(index)).await?;
        let row = row.ok_or_else(|| missing("is missing"))?;
        let (leaf, opening) =
            ledger::record::row::decode(&row.value).map_err(|e| missing(&e.to_string()))?;
        if expected.is_some_and(|expected| leaf.hash() != *expected) {
            return Err(missing("is not the one that a person's record names"));
        }
        let (fields, key) = self.open_entry(secrets, opening).await?;
        let tags = shown_tags(fields.kind, fields.operation.as_deref(), whole);
        Ok(Shown {
            index,
            leaf,
            shown: fields.disclose(&key, tags),
            fields,
        })
    }

    /// The entry with which a statement's grant was closed, if it was.
    async fn close_of(
        &self,
        secrets: &Secrets,
        person: &Person,
        leaf: &[u8; 32],
        grant: u64,
    ) -> Result<Option<Shown>, VaultError> {
        let key = whole::closed_key(person.tenant.id, leaf);
        let Some(row) = self.engine.get(&key).await? else {
            return Ok(None);
        };
        for (index, _) in self.entries_of(row.version).await? {
            let Ok(shown) = self.shown(secrets, index, None, true).await else {
                continue; // another's, whose key is not at hand
            };
            if shown.fields.kind == Kind::Close && shown.fields.link == Some(grant) {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    }

    async fn authorities(
        &self,
        person: &Person,
        lines: &[Gathered],
    ) -> Result<BTreeMap<[u8; 16], String>, VaultError> {
        let mut wanted: Vec<TenantId> = lines
            .iter()
            .filter_map(|line| line.grant.fields.tenant)
            .collect();
        wanted.push(person.tenant.id);
        let all = self.tenant_list().await?.into_iter();
        Ok(all
            .filter(|info| wanted.contains(&info.id))
            .map(|info| (*info.id.as_bytes(), info.name.to_string()))
            .collect())
    }
}

/// Finding entries by the commit that wrote them: a row that was committed together with an entry has the same version,
/// and the versions of entries rise with their indices.
impl Vault {
    /// The index of the entry with this leaf, which was committed together with a row of this version.
    pub(super) async fn index_of(&self, version: u64, leaf: &[u8; 32]) -> Result<u64, VaultError> {
        let found = self.entries_of(version).await?;
        let found = found.into_iter().find(|(_, hash)| hash == leaf);
        found.map(|(index, _)| index).ok_or_else(|| {
            VaultError::Ledger("an entry that a person's record names is not in the ledger".into())
        })
    }

    /// Index and leaf hash of every entry of one commit.
    async fn entries_of(&self, version: u64) -> Result<Vec<(u64, [u8; 32])>, VaultError> {
        let (mut low, mut high) = (0, self.next_entry().await?);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entry_row(middle).await?.version < version {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let mut found = Vec::new();
        loop {
            let Some(row) = self.engine.get(&ledger::row_key(low)).await? else {
                return Ok(found);
            };
            if row.version != version {
                return Ok(found);
            }
            let (leaf, _) = ledger::record::row::decode(&row.value)
                .map_err(|e| VaultError::Ledger(e.to_string()))?;
            found.push((low, leaf.hash()));
            low += 1;
        }
    }

    async fn entry_row(&self, index: u64) -> Result<Row, VaultError> {
        let row = self.engine.get(&ledger::row_key(index)).await?;
        row.ok_or_else(|| VaultError::Ledger(format!("entry {index} is missing")))
    }

    async fn next_entry(&self) -> Result<u64, VaultError> {
        let range = KeyRange::prefix(b"L");
        let last = self.engine.scan(range, 1, Order::Descending).await?;
        let index = last
            .first()
            .and_then(|(key, _)| key.get(1..9)?.try_into().ok())
            .map(u64::from_be_bytes);
        Ok(index.map_or(0, |index| index + 1))
    }
}
