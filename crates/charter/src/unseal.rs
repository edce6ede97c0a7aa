//! Collecting shares until the root can be put together again. A state machine without I/O: it is told of
//! one share at a time, refuses a wrong one by its holder's name, and keeps the right ones it has.

use crate::derive::CryptoFault;
use crate::formula::Formula;
use crate::record::{CeremonyId, Custody, OfficerShare, ShareDigest, ShareFile};
use crate::secret::RootSecret;
use crate::shamir::{self, SharingError};
use words::{CloudId, PartyName};

/// Why a share was not taken. The shares given before are kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The share belongs to another cloud.
    #[error(
        "the share of {party} belongs to cloud {found}; this is cloud {here}; give the share of this cloud"
    )]
    OtherCloud {
        /// The party named in the share.
        party: PartyName,
        /// The cloud named in the share.
        found: CloudId,
        /// The cloud that is being opened.
        here: CloudId,
    },
    /// The share belongs to another root of the same cloud.
    #[error(
        "the share of {party} is of ceremony {found}; this root was made in ceremony {here}; give the share of that ceremony"
    )]
    OtherCeremony {
        /// The party named in the share.
        party: PartyName,
        /// The ceremony named in the share.
        found: CeremonyId,
        /// The ceremony that made the root.
        here: CeremonyId,
    },
    /// The share was replaced by a newer one.
    #[error(
        "the share of {party} is of epoch {found}; new shares were dealt in epoch {here}; give the newer share, and destroy this one"
    )]
    OlderEpoch {
        /// The party named in the share.
        party: PartyName,
        /// The epoch of the share.
        found: u32,
        /// The epoch of this node's record.
        here: u32,
    },
    /// The share is newer than what this node knows.
    #[error(
        "the share of {party} is of epoch {found}; this node's record of custody is of epoch {here} and behind; bring the record up to date from the other site"
    )]
    NewerEpoch {
        /// The party named in the share.
        party: PartyName,
        /// The epoch of the share.
        found: u32,
        /// The epoch of this node's record.
        here: u32,
    },
    /// The party holds no share.
    #[error("{party} holds no share of this root; the holders are {holders}")]
    NotAHolder {
        /// The party named in the share.
        party: PartyName,
        /// Who does.
        holders: String,
    },
    /// The party has given its share already.
    #[error("{party} has given its share already; the share of another party is needed")]
    AlreadyGiven {
        /// The party.
        party: PartyName,
    },
    /// The share is not the one its holder was given.
    #[error(
        "the share of {party} is wrong: it is not the one that {party} was given in the ceremony; ask {party} for its other copy"
    )]
    WrongValue {
        /// The party that holds it.
        party: PartyName,
    },
    /// The share is right, but the file says something else about the ceremony than this node's record.
    #[error(
        "the share file of {party} does not agree with the record of custody on the threshold, the holders or the key check value; ask {party} for its other copy"
    )]
    Disagrees {
        /// The party that holds it.
        party: PartyName,
    },
    /// Enough right shares gave a wrong root: the record of custody itself cannot be right.
    #[error(
        "the shares are the ones in the record of custody but do not give its root; the last share was not taken; compare the record with the transcript"
    )]
    WrongRoot,
    /// The shares do not fit together.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// The cryptographic library refused to work.
    #[error(transparent)]
    Crypto(#[from] CryptoFault),
}

/// How far an unsealing is.
#[derive(Debug)]
pub enum Progress {
    /// More shares are needed.
    Waiting {
        /// Shares given.
        have: u8,
        /// Shares needed in all.
        need: u8,
        /// The charter's condition, if it does not hold over the parties that have given theirs.
        lacks: Option<Formula>,
    },
    /// The root. The shares have been wiped.
    Complete(RootSecret),
}

/// One attempt to open a cloud. Shares are wiped when it is dropped.
#[derive(Debug)]
pub struct Unsealing {
    custody: Custody,
    given: Vec<ShareFile>,
    /// What the parties that give must fulfil besides their number.
    condition: Option<Formula>,
}

impl Unsealing {
    /// Begins with the record of custody that the node keeps. A machine that has none may take the one in
    /// the first share; the others must then agree with it.
    #[must_use]
    pub const fn new(custody: Custody) -> Self {
        Self {
            custody,
            given: Vec::new(),
            condition: None,
        }
    }
    /// Asks in addition that the parties whose shares were given fulfil this condition: Shamir's scheme knows
    /// only their number.
    #[must_use]
    pub fn requiring(mut self, condition: Formula) -> Self {
        self.condition = Some(condition);
        self
    }
    /// What the parties do not fulfil yet.
    #[must_use]
    pub fn lacks(&self) -> Option<&Formula> {
        let given = self.given().cloned().collect();
        self.condition.as_ref().filter(|c| !c.holds(&given))
    }

    /// Takes one share. At the threshold the root is rebuilt and checked, and every share is wiped.
    pub fn add(&mut self, share: ShareFile) -> Result<Progress, UnsealError> {
        self.examine(&share)?;
        self.given.push(share);
        let need = self.custody.threshold;
        let lacks = self.lacks().cloned();
        if self.given.len() < usize::from(need) || lacks.is_some() {
            return Ok(Progress::Waiting {
                have: self.have(),
                need,
                lacks,
            });
        }
        match self.rebuild() {
            Ok(root) => {
                self.given.clear();
                Ok(Progress::Complete(root))
            }
            Err(error) => {
                self.given.pop();
                Err(error)
            }
        }
    }

    fn examine(&self, share: &ShareFile) -> Result<(), UnsealError> {
        let (here, party) = (&self.custody, share.party().clone());
        let digest = self.place_of(share.custody(), &party, share.x())?;
        if self.given.iter().any(|given| *given.party() == party) {
            return Err(UnsealError::AlreadyGiven { party });
        }
        if digest != here.digest_of(&party, share.x(), share.value()) {
            return Err(UnsealError::WrongValue { party });
        }
        match share.custody() == here {
            true => Ok(()),
            false => Err(UnsealError::Disagrees { party }),
        }
    }

    /// Whether an officer's part is of a share that could be given here: the share itself is examined when it is
    /// put together.
    pub fn expects(&self, part: &OfficerShare) -> Result<(), UnsealError> {
        let split = part.split();
        self.place_of(&split.custody, &split.party, split.party_x)?;
        match split.custody == self.custody {
            true => Ok(()),
            false => Err(UnsealError::Disagrees {
                party: split.party.clone(),
            }),
        }
    }

    /// The digest of the share of a party, if `found` is of the same cloud, ceremony and epoch.
    fn place_of(
        &self,
        found: &Custody,
        party: &PartyName,
        x: u8,
    ) -> Result<ShareDigest, UnsealError> {
        let (here, party) = (&self.custody, party.clone());
        if found.cloud != here.cloud {
            return Err(UnsealError::OtherCloud {
                party,
                found: found.cloud,
                here: here.cloud,
            });
        }
        if found.ceremony != here.ceremony {
            return Err(UnsealError::OtherCeremony {
                party,
                found: found.ceremony,
                here: here.ceremony,
            });
        }
        let (found, current) = (found.epoch, here.epoch);
        if found < current {
            return Err(UnsealError::OlderEpoch {
                party,
                found,
                here: current,
            });
        }
        if found > current {
            return Err(UnsealError::NewerEpoch {
                party,
                found,
                here: current,
            });
        }
        match here.holder(&party).filter(|holder| holder.x == x) {
            Some(holder) => Ok(holder.digest),
            None => {
                let names = here.holders.iter().map(|holder| holder.party.as_str());
                let holders = names.collect::<Vec<_>>().join(", ");
                Err(UnsealError::NotAHolder { party, holders })
            }
        }
    }

    fn rebuild(&self) -> Result<RootSecret, UnsealError> {
        // More than the threshold may have been given: the condition asked for them, the scheme does not.
        let needed = self.given.iter().take(usize::from(self.custody.threshold));
        let points = needed.map(|share| (share.x(), share.value()));
        let root = RootSecret::from_bytes(&*shamir::combine(points)?);
        match root.key_check(self.custody.cloud)? == self.custody.key_check {
            true => Ok(root),
            false => Err(UnsealError::WrongRoot),
        }
    }

    /// The record that shares are held against.
    #[must_use]
    pub const fn custody(&self) -> &Custody {
        &self.custody
    }
    /// How many shares have been given.
    #[must_use]
    pub fn have(&self) -> u8 {
        u8::try_from(self.given.len()).unwrap_or(u8::MAX)
    }
    /// How many shares are needed.
    #[must_use]
    pub const fn need(&self) -> u8 {
        self.custody.threshold
    }
    /// Who has given a share, in the order of giving.
    pub fn given(&self) -> impl Iterator<Item = &PartyName> {
        self.given.iter().map(ShareFile::party)
    }
    /// Wipes every share given so far.
    pub fn forget(&mut self) {
        self.given.clear();
    }
}
