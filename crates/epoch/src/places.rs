//! All the places that remember the epoch record: the two site folders and the witnesses.

use crate::error::{StartError, TenureError, WitnessError};
use crate::folder::FolderWitness;
use crate::loss::{LossAccepted, RestoreAccepted};
use crate::record::{EpochRecord, RecordError, Standing};
use crate::start::{SiteFolderState, StartDecision, decide_start};
use crate::witness::Witness;
use host::Host;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use words::wire::WireError;
use words::{CloudId, SiteId, limits};

/// The places, and how many witnesses are needed.
#[derive(Clone)]
pub struct Places {
    /// The cloud that is served.
    pub cloud: CloudId,
    /// Site A's own folder, site B's own folder.
    pub sites: [Arc<dyn Witness>; 2],
    /// The witnesses.
    pub witnesses: Vec<Arc<dyn Witness>>,
    /// How many witnesses have to take a record.
    pub quorum: usize,
    /// The clock.
    pub host: Host,
}

/// What was found at all places.
#[derive(Debug)]
pub struct Survey {
    /// Site A, site B; `None` if the folder is not there.
    pub found: [Option<SiteFolderState>; 2],
    /// One place per witness.
    pub witnesses: Vec<Option<EpochRecord>>,
    /// What could not be read, in sentences.
    pub problems: Vec<String>,
    /// What follows from it.
    pub decision: StartDecision,
}

impl Survey {
    /// The record with the highest epoch anywhere; what the parties are shown before they accept a loss.
    #[must_use]
    pub fn highest(&self) -> Option<EpochRecord> {
        let folders = self.found.iter().flatten().filter_map(|s| s.record);
        folders
            .chain(self.witnesses.iter().flatten().copied())
            .max_by_key(|r| r.epoch)
    }
}

impl Places {
    /// The usual places: two site folders, and the parents' folders with their names. More than half of
    /// the witnesses are needed.
    #[must_use]
    pub fn folders(
        cloud: CloudId,
        sites: [&Path; 2],
        witnesses: &[(String, PathBuf)],
        host: Host,
    ) -> Self {
        let [a, b] = sites;
        Self {
            cloud,
            sites: [
                Arc::new(FolderWitness::site("site-a", a)),
                Arc::new(FolderWitness::site("site-b", b)),
            ],
            witnesses: witnesses
                .iter()
                .map(|(name, folder)| {
                    Arc::new(FolderWitness::parent(name, folder)) as Arc<dyn Witness>
                })
                .collect(),
            quorum: witnesses.len() / 2 + 1,
            host,
        }
    }

    /// Writes the first record (epoch 1, both current) everywhere. Refuses where a cloud is already.
    pub fn found(&self) -> Result<EpochRecord, StartError> {
        for place in self.sites.iter().chain(&self.witnesses) {
            match ask(place, |w| w.read()) {
                Ok(None) => {}
                Ok(Some(_)) | Err(WitnessError::Record { .. }) => {
                    return Err(StartError::NotEmpty {
                        place: place.name().to_owned(),
                    });
                }
                Err(error) => return Err(self.no_folder(place, &error).into()),
            }
        }
        let record = EpochRecord {
            cloud: self.cloud,
            epoch: 1,
            standing: Standing::BothCurrent,
            since: self.host.now(),
            head: 0,
        };
        for place in self.sites.iter().chain(&self.witnesses) {
            ask(place, move |w| w.write(&record)).map_err(|error| self.no_folder(place, &error))?;
        }
        Ok(record)
    }

    /// Reads all places and decides. Changes nothing.
    pub fn survey(&self) -> Result<Survey, StartError> {
        let mut problems = Vec::new();
        let mut found = [None, None];
        for (place, slot) in self.sites.iter().zip(&mut found) {
            *slot = match self.read_checked(place, &mut problems)? {
                Read::Record(record) => Some(SiteFolderState {
                    record: Some(record),
                }),
                Read::Damaged => Some(SiteFolderState { record: None }),
                Read::Nothing => None,
            };
        }
        let mut witnesses = Vec::new();
        for place in &self.witnesses {
            witnesses.push(match self.read_checked(place, &mut problems)? {
                Read::Record(record) => Some(record),
                Read::Damaged | Read::Nothing => None,
            });
        }
        let decision = decide_start(found, &witnesses, self.quorum);
        Ok(Survey {
            found,
            witnesses,
            problems,
            decision,
        })
    }

    /// Lets a site that is behind serve, with the loss of what only the other knew. Records it with the
    /// next epoch at a quorum of witnesses and then in the site's folder. The other site, should it come
    /// back, is the one that is behind then.
    pub fn accept_loss(
        &self,
        site: SiteId,
        resolution: LossAccepted,
    ) -> Result<EpochRecord, StartError> {
        let survey = self.survey()?;
        let highest = survey.highest();
        if resolution.site() != site || resolution.seen() != highest.as_ref() {
            return Err(TenureError::ConsentVoid.into());
        }
        let record = EpochRecord {
            cloud: self.cloud,
            epoch: highest.map_or(1, |r| r.epoch.saturating_add(1)),
            standing: Standing::Only(site),
            since: self.host.now(),
            // How far the site has come is not known here, and it may be less than was acknowledged.
            head: EpochRecord::HEAD_UNKNOWN,
        };
        self.write_quorum(record)?;
        self.write_site(site, record)?;
        tracing::warn!(%site, epoch = record.epoch, "the parties accepted the loss of what only the other site held");
        Ok(record)
    }

    /// Begins a new epoch for two folders that were made from a backup: above everything that any place holds, and above
    /// the epoch in which the backup was taken. Recorded at a quorum of witnesses first and then in both folders; from then
    /// on a node on older folders refuses to start, and one that runs ends when it looks at the witnesses. Calling it again
    /// after an interruption is no error.
    pub fn begin_anew(&self, consent: &RestoreAccepted) -> Result<EpochRecord, StartError> {
        let survey = self.survey()?;
        let highest = survey.highest();
        let own = survey.found.map(|found| found.and_then(|f| f.record));
        if let ([Some(a), Some(b)], Some(highest)) = (own, highest)
            && a == b
            && a.epoch == highest.epoch
            && a.standing == Standing::BothCurrent
        {
            return Ok(a);
        }
        let above = highest.map_or(0, |r| r.epoch).max(consent.epoch());
        let record = EpochRecord {
            cloud: self.cloud,
            epoch: above.saturating_add(1),
            standing: Standing::BothCurrent,
            since: self.host.now(),
            head: consent.head(),
        };
        self.write_quorum(record)?;
        for site in SiteId::BOTH {
            self.write_site(site, record)?;
        }
        tracing::warn!(epoch = record.epoch, "the cloud goes on from a backup");
        Ok(record)
    }

    /// How many witnesses hold an epoch above `epoch`, and the highest of them.
    pub(crate) fn above(&self, epoch: u64) -> (usize, u64) {
        let pending: Vec<_> = self
            .witnesses
            .iter()
            .map(|w| begin(w, |w| w.read()))
            .collect();
        let answers = self.witnesses.iter().zip(pending);
        let records = answers.filter_map(|(w, p)| p.finish(w).ok().flatten());
        let above = records.filter(|r| r.cloud == self.cloud && r.epoch > epoch);
        above.fold((0, 0), |(count, highest), r| {
            (count + 1, r.epoch.max(highest))
        })
    }

    pub(crate) fn site(&self, site: SiteId) -> &Arc<dyn Witness> {
        let [a, b] = &self.sites;
        match site {
            SiteId::A => a,
            SiteId::B => b,
        }
    }

    pub(crate) fn write_site(&self, site: SiteId, record: EpochRecord) -> Result<(), TenureError> {
        ask(self.site(site), move |w| w.write(&record)).map_err(|error| TenureError::OwnFolder {
            site,
            epoch: record.epoch,
            why: error.to_string(),
        })
    }

    /// The highest epoch at a witness, if it is `epoch` or more.
    pub(crate) fn highest_at_witnesses(&self, epoch: u64) -> Option<u64> {
        let pending: Vec<_> = self
            .witnesses
            .iter()
            .map(|w| begin(w, |w| w.read()))
            .collect();
        let answers = self
            .witnesses
            .iter()
            .zip(pending)
            .filter_map(|(w, p)| p.finish(w).ok().flatten());
        answers.map(|r| r.epoch).filter(|e| *e >= epoch).max()
    }

    /// Writes at all witnesses at once; at least a quorum has to take it.
    pub(crate) fn write_quorum(&self, record: EpochRecord) -> Result<(), TenureError> {
        let pending: Vec<_> = self
            .witnesses
            .iter()
            .map(|w| begin(w, move |w| w.write(&record)))
            .collect();
        let mut failures = Vec::new();
        for (witness, pending) in self.witnesses.iter().zip(pending) {
            if let Err(error) = pending.finish(witness) {
                failures.push(error.to_string());
            }
        }
        let taken = self.witnesses.len() - failures.len();
        if taken >= self.quorum {
            return Ok(());
        }
        Err(TenureError::NoQuorum {
            epoch: record.epoch,
            taken,
            needed: self.quorum,
            failures: failures.join("; "),
        })
    }

    fn read_checked(
        &self,
        place: &Arc<dyn Witness>,
        problems: &mut Vec<String>,
    ) -> Result<Read, StartError> {
        match ask(place, |w| w.read()) {
            Ok(Some(record)) if record.cloud != self.cloud => Err(StartError::OtherCloud {
                place: place.name().to_owned(),
                found: record.cloud,
                expected: self.cloud,
            }),
            Ok(Some(record)) => Ok(Read::Record(record)),
            Ok(None) => {
                problems.push(format!("{} holds no epoch record", place.name()));
                Ok(Read::Nothing)
            }
            Err(WitnessError::Record {
                source: RecordError::Layout(e @ WireError::Version { .. }),
                name,
                ..
            }) => Err(StartError::NewerFormat(format!(
                "{name}: {e}; nothing was changed; use a newer build"
            ))),
            Err(error @ WitnessError::Record { .. }) => {
                problems.push(error.to_string());
                Ok(Read::Damaged)
            }
            Err(error) => {
                problems.push(error.to_string());
                Ok(Read::Nothing)
            }
        }
    }

    fn no_folder(&self, place: &Arc<dyn Witness>, error: &WitnessError) -> TenureError {
        match SiteId::BOTH
            .into_iter()
            .find(|s| Arc::ptr_eq(self.site(*s), place))
        {
            Some(site) => TenureError::NoFolder {
                site,
                why: error.to_string(),
            },
            None => TenureError::NoQuorum {
                epoch: 1,
                taken: 0,
                needed: self.quorum,
                failures: error.to_string(),
            },
        }
    }
}

enum Read {
    Record(EpochRecord),
    Damaged,
    Nothing,
}

enum Pending<T> {
    Done(Result<T, WitnessError>),
    Waiting(mpsc::Receiver<Result<T, WitnessError>>),
}

impl<T> Pending<T> {
    fn finish(self, witness: &Arc<dyn Witness>) -> Result<T, WitnessError> {
        match self {
            Self::Done(result) => result,
            Self::Waiting(answer) => answer
                .recv_timeout(Duration::from_millis(limits::SITE_DEADLINE_MS))
                .unwrap_or_else(|_| {
                    Err(WitnessError::Silent {
                        name: witness.name().to_owned(),
                    })
                }),
        }
    }
}

fn begin<T: Send + 'static>(
    witness: &Arc<dyn Witness>,
    call: impl FnOnce(&dyn Witness) -> Result<T, WitnessError> + Send + 'static,
) -> Pending<T> {
    if !witness.may_hang() {
        return Pending::Done(call(witness.as_ref()));
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let there = Arc::clone(witness);
    let spawned = std::thread::Builder::new()
        .name("witness".to_owned())
        .spawn(move || {
            let _ = sender.send(call(there.as_ref()));
        });
    match spawned {
        Ok(_) => Pending::Waiting(receiver),
        Err(_) => Pending::Done(Err(WitnessError::Silent {
            name: witness.name().to_owned(),
        })),
    }
}

fn ask<T: Send + 'static>(
    witness: &Arc<dyn Witness>,
    call: impl FnOnce(&dyn Witness) -> Result<T, WitnessError> + Send + 'static,
) -> Result<T, WitnessError> {
    begin(witness, call).finish(witness)
}
