//! The key ceremony: commit, reveal, derive, share, prove.
//!
//! Every party brings entropy. All commit to theirs first ([`Committing`]) and only then reveal it
//! ([`Revealing`]), so that nobody can choose their own after seeing the others'. The root is
//! HKDF-SHA512 of all of it, salted with the hash of what was fixed before: one honest party is enough.
//!
//! Never here: files, signatures, and a second copy of the root. The only randomness and time come from the
//! `Host` at the opening; everything after is a pure function.

mod contribution;

pub use contribution::{Commitment, Contribution};

use crate::charter::Charter;
use crate::derive::{CryptoFault, hkdf_sha512, join_secret, sha512};
use crate::proof::{ProofError, prove};
use crate::record::{
    CeremonyId, Custody, CustodyError, Holder, Kind, Opening, ShareError, ShareFile, Transcript,
    TranscriptError,
};
use crate::secret::{KeyCheck, RootSecret};
use crate::shamir::{self, SharingError};
use host::Host;
use words::{CloudId, PartyName};
use zeroize::Zeroizing;

/// Why a ceremony stopped. Nothing was given out; it can be held again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// The charter does not name this party.
    #[error("{party} is not a party of the charter; the parties are {parties}")]
    NotAParty {
        /// The party that came.
        party: PartyName,
        /// Who the charter names.
        parties: String,
    },
    /// The party has done this already.
    #[error("{party} has {done} already; its first one stands")]
    Twice {
        /// The party.
        party: PartyName,
        /// What it has done.
        done: &'static str,
    },
    /// Some parties have not done their part.
    #[error("{parties} must {act} before the ceremony can go on")]
    Waiting {
        /// The parties that are missing.
        parties: String,
        /// What they have to do.
        act: &'static str,
    },
    /// What was revealed is not what was committed to.
    #[error(
        "what {party} revealed is not what it committed to; reveal the right entropy, or hold the ceremony again"
    )]
    Mismatch {
        /// The party.
        party: PartyName,
    },
    /// Two parties brought the same entropy.
    #[error(
        "{first} and {second} brought the same entropy; hold the ceremony again, each with its own"
    )]
    SameEntropy {
        /// The one that revealed first.
        first: PartyName,
        /// The one that revealed second.
        second: PartyName,
    },
    /// A founding was asked of a ceremony opened for new shares, or the other way round.
    #[error("this ceremony was opened for another purpose; open a new one")]
    OtherPurpose,
    /// The root is not the one that the record of custody is about.
    #[error(
        "the root does not match the key check value of the record of custody; no new shares were made"
    )]
    WrongRoot,
    /// There are no further epochs.
    #[error("the root has been shared as often as the format can count; make a new root instead")]
    NoMoreEpochs,
    /// The proof failed.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A share that was made cannot be written.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The record of custody that was made is not valid.
    #[error(transparent)]
    Custody(#[from] CustodyError),
    /// The transcript cannot be written.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// Sharing failed.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// The cryptographic library refused to work.
    #[error(transparent)]
    Crypto(#[from] CryptoFault),
}

/// A founded cloud. The root is wiped when this is dropped; the shares too.
#[derive(Debug)]
pub struct Founding {
    /// The new cloud.
    pub cloud: CloudId,
    /// Its root, for the one moment in which the first keys are wrapped under it.
    pub root: RootSecret,
    /// Each party's share.
    pub shares: Vec<(PartyName, ShareFile)>,
    /// What happened and what was proven; the record of custody is in it.
    pub transcript: Transcript,
}

/// New shares of the same root.
#[derive(Debug)]
pub struct Resharing {
    /// Each party's new share.
    pub shares: Vec<(PartyName, ShareFile)>,
    /// What happened and what was proven; the new record of custody is in it.
    pub transcript: Transcript,
}

/// Holds a whole founding at once, with everyone's entropy at hand.
pub fn found(
    charter: &Charter,
    host: &Host,
    contributions: Vec<(PartyName, Contribution)>,
) -> Result<Founding, CeremonyError> {
    all_at_once(Committing::founding(charter, host), contributions)?.found()
}

/// Deals new shares of `root` to the parties of `charter`, in the epoch after `previous`. Once the node
/// keeps the new record of custody, the older shares are refused.
pub fn reshare(
    charter: &Charter,
    root: &RootSecret,
    previous: &Custody,
    host: &Host,
    contributions: Vec<(PartyName, Contribution)>,
) -> Result<Resharing, CeremonyError> {
    all_at_once(
        Committing::resharing(charter, previous, host)?,
        contributions,
    )?
    .reshare(root)
}

/// Makes a new root for the cloud of `previous`, and shares of it for the parties of `charter`. Once the node
/// keeps the new record of custody, shares of the older root are refused.
pub fn rekey(
    charter: &Charter,
    previous: &Custody,
    host: &Host,
    contributions: Vec<(PartyName, Contribution)>,
) -> Result<Founding, CeremonyError> {
    all_at_once(
        Committing::rekeying(charter, previous, host)?,
        contributions,
    )?
    .found()
}

fn all_at_once(
    mut ceremony: Committing,
    contributions: Vec<(PartyName, Contribution)>,
) -> Result<Revealing, CeremonyError> {
    for (party, contribution) in &contributions {
        ceremony.commit(
            party,
            contribution.commitment(ceremony.ceremony(), party.as_str()),
        )?;
    }
    let mut ceremony = ceremony.close()?;
    for (party, contribution) in contributions {
        ceremony.reveal(&party, contribution)?;
    }
    Ok(ceremony)
}

/// The name under which the machine's own entropy is committed to. No party can have it: it has a space.
const HOST: &str = "the host";

/// The first step: everyone commits.
pub struct Committing {
    charter: Charter,
    opening: Opening,
    key_check: Option<KeyCheck>,
    own: Contribution,
    commitments: Vec<(PartyName, Commitment)>,
}

/// The second step: everyone reveals what was committed to.
pub struct Revealing {
    charter: Charter,
    opening: Opening,
    key_check: Option<KeyCheck>,
    own: Contribution,
    revealed: Vec<(PartyName, Contribution)>,
}

impl Committing {
    /// Opens the ceremony that founds a cloud. Its ids, the time and the machine's entropy come from `host`.
    #[must_use]
    pub fn founding(charter: &Charter, host: &Host) -> Self {
        let cloud = CloudId::from_bytes(host.random());
        let ceremony = CeremonyId::from_bytes(host.random());
        Self::open(charter, host, Kind::Found, cloud, ceremony, 1)
    }

    /// Opens the ceremony that deals new shares of the root of `previous`.
    pub fn resharing(
        charter: &Charter,
        previous: &Custody,
        host: &Host,
    ) -> Result<Self, CeremonyError> {
        let epoch = previous
            .epoch()
            .checked_add(1)
            .ok_or(CeremonyError::NoMoreEpochs)?;
        let mut this = Self::open(
            charter,
            host,
            Kind::Reshare,
            previous.cloud(),
            previous.ceremony(),
            epoch,
        );
        this.opening.previous = Some(sha512(&[previous.to_json()?.as_bytes()]));
        this.key_check = Some(previous.key_check());
        Ok(this)
    }

    /// Opens the ceremony that makes a new root in place of that of `previous`.
    pub fn rekeying(
        charter: &Charter,
        previous: &Custody,
        host: &Host,
    ) -> Result<Self, CeremonyError> {
        let ceremony = CeremonyId::from_bytes(host.random());
        let mut this = Self::open(charter, host, Kind::Rekey, previous.cloud(), ceremony, 1);
        this.opening.previous = Some(sha512(&[previous.to_json()?.as_bytes()]));
        Ok(this)
    }

    fn open(
        charter: &Charter,
        host: &Host,
        kind: Kind,
        cloud: CloudId,
        ceremony: CeremonyId,
        epoch: u32,
    ) -> Self {
        let own = Contribution::draw(host);
        let opening = Opening {
            kind,
            cloud,
            ceremony,
            epoch,
            charter: charter.digest(),
            made: host.now(),
            previous: None,
            host_commitment: *own.commitment(ceremony, HOST).as_bytes(),
            commitments: Vec::new(),
        };
        Self {
            charter: charter.clone(),
            opening,
            key_check: None,
            own,
            commitments: Vec::new(),
        }
    }

    /// The ceremony that commitments are bound to.
    #[must_use]
    pub const fn ceremony(&self) -> CeremonyId {
        self.opening.ceremony
    }

    /// Takes one party's commitment.
    pub fn commit(
        &mut self,
        party: &PartyName,
        commitment: Commitment,
    ) -> Result<(), CeremonyError> {
        check_party(&self.charter, party)?;
        if self.commitments.iter().any(|(earlier, _)| earlier == party) {
            return Err(CeremonyError::Twice {
                party: party.clone(),
                done: "committed",
            });
        }
        self.commitments.push((party.clone(), commitment));
        Ok(())
    }

    /// Closes the first step; every party must have committed.
    pub fn close(mut self) -> Result<Revealing, CeremonyError> {
        let missing = missing(&self.charter, |party| {
            self.commitments.iter().any(|(there, _)| there == party)
        });
        if let Some(parties) = missing {
            return Err(CeremonyError::Waiting {
                parties,
                act: "commit to entropy",
            });
        }
        let of = |party: &PartyName| self.commitments.iter().find(|(there, _)| there == party);
        self.opening.commitments = (self.charter.parties().iter().filter_map(of))
            .map(|(party, commitment)| (party.clone(), *commitment.as_bytes()))
            .collect();
        Ok(Revealing {
            charter: self.charter,
            opening: self.opening,
            key_check: self.key_check,
            own: self.own,
            revealed: Vec::new(),
        })
    }
}

impl Revealing {
    /// The ceremony that commitments are bound to.
    #[must_use]
    pub const fn ceremony(&self) -> CeremonyId {
        self.opening.ceremony
    }

    /// Takes what one party committed to. A wrong one is refused, and the right one may follow.
    pub fn reveal(
        &mut self,
        party: &PartyName,
        contribution: Contribution,
    ) -> Result<(), CeremonyError> {
        check_party(&self.charter, party)?;
        if self.revealed.iter().any(|(earlier, _)| earlier == party) {
            return Err(CeremonyError::Twice {
                party: party.clone(),
                done: "revealed",
            });
        }
        let stated = contribution.commitment(self.opening.ceremony, party.as_str());
        if !self
            .opening
            .commitments
            .iter()
            .any(|(there, c)| there == party && c == stated.as_bytes())
        {
            return Err(CeremonyError::Mismatch {
                party: party.clone(),
            });
        }
        let same = self
            .revealed
            .iter()
            .find(|(_, earlier)| earlier.same_entropy(&contribution));
        if let Some((first, _)) = same {
            return Err(CeremonyError::SameEntropy {
                first: first.clone(),
                second: party.clone(),
            });
        }
        self.revealed.push((party.clone(), contribution));
        Ok(())
    }

    /// Makes the root, shares it and proves the sharing.
    pub fn found(self) -> Result<Founding, CeremonyError> {
        if self.opening.kind == Kind::Reshare {
            return Err(CeremonyError::OtherPurpose);
        }
        let salt = self.opening.digest()?;
        let pool = self.pool(&[])?;
        let mut bytes = Zeroizing::new([0; shamir::SECRET_BYTES]);
        hkdf_sha512(&salt, &pool, &[b"clarence/v1/root"], &mut *bytes)?;
        let root = RootSecret::from_bytes(&bytes);
        let cloud = self.opening.cloud;
        let (shares, transcript) = deal(&self.charter, self.opening, &root, &salt, &pool)?;
        Ok(Founding {
            cloud,
            root,
            shares,
            transcript,
        })
    }

    /// Shares the root that the ceremony was opened for, and proves the sharing.
    pub fn reshare(self, root: &RootSecret) -> Result<Resharing, CeremonyError> {
        let expected = self.key_check.ok_or(CeremonyError::OtherPurpose)?;
        if root.key_check(self.opening.cloud)? != expected {
            return Err(CeremonyError::WrongRoot);
        }
        let salt = self.opening.digest()?;
        // The root goes into the pool as well: even with bad entropy nobody can guess the coefficients.
        let pool = self.pool(root.expose())?;
        let (shares, transcript) = deal(&self.charter, self.opening, root, &salt, &pool)?;
        Ok(Resharing { shares, transcript })
    }

    /// Everyone's entropy in the charter's order, then the machine's. Every piece has a fixed length.
    fn pool(&self, root: &[u8]) -> Result<Zeroizing<Vec<u8>>, CeremonyError> {
        let missing = missing(&self.charter, |party| {
            self.revealed.iter().any(|(there, _)| there == party)
        });
        if let Some(parties) = missing {
            return Err(CeremonyError::Waiting {
                parties,
                act: "reveal their entropy",
            });
        }
        let of = |party: &PartyName| self.revealed.iter().find(|(there, _)| there == party);
        let mut pieces: Vec<&[u8]> = Vec::with_capacity(self.revealed.len() + 2);
        pieces.extend(
            self.charter
                .parties()
                .iter()
                .filter_map(of)
                .map(|(_, c)| c.entropy().as_slice()),
        );
        pieces.push(self.own.entropy());
        pieces.push(root);
        Ok(join_secret(&pieces))
    }
}

/// A pure function: shares `root`, makes the files, proves that what is in the files works.
fn deal(
    charter: &Charter,
    opening: Opening,
    root: &RootSecret,
    salt: &[u8],
    pool: &[u8],
) -> Result<(Vec<(PartyName, ShareFile)>, Transcript), CeremonyError> {
    let threshold = charter.threshold();
    let parties = u8::try_from(charter.parties().len()).unwrap_or(u8::MAX);
    let mut coefficients = Zeroizing::new(vec![0; shamir::coefficients_needed(threshold)]);
    hkdf_sha512(
        salt,
        pool,
        &[b"clarence/v1/share-coefficients"],
        &mut coefficients,
    )?;
    let values = shamir::split(root.expose(), threshold, parties, &coefficients)?;

    let mut custody = Custody {
        cloud: opening.cloud,
        cloud_name: charter.cloud_name().to_owned(),
        ceremony: opening.ceremony,
        epoch: opening.epoch,
        charter: opening.charter,
        threshold,
        key_check: root.key_check(opening.cloud)?,
        holders: Vec::new(),
    };
    for ((x, party), value) in (1..=parties).zip(charter.parties()).zip(&values) {
        let digest = custody.digest_of(party, x, value);
        custody.holders.push(Holder {
            party: party.clone(),
            x,
            digest,
        });
    }
    let custody = custody.checked()?;

    let mut shares = Vec::with_capacity(values.len());
    for ((x, party), value) in (1..=parties).zip(charter.parties()).zip(values) {
        let written = ShareFile::new(custody.clone(), party.clone(), x, value)?.to_text();
        // From here on only what was read back from the file's text is used: that is what gets proven.
        shares.push(ShareFile::parse(written.as_bytes())?);
    }
    let proof = prove(&shares, threshold, custody.cloud, custody.key_check)?;
    let transcript = Transcript::new(opening, custody, proof)?;
    Ok((
        shares
            .into_iter()
            .map(|share| (share.party().clone(), share))
            .collect(),
        transcript,
    ))
}

fn check_party(charter: &Charter, party: &PartyName) -> Result<(), CeremonyError> {
    match charter.names(party) {
        true => Ok(()),
        false => {
            let parties = charter
                .parties()
                .iter()
                .map(PartyName::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            Err(CeremonyError::NotAParty {
                party: party.clone(),
                parties,
            })
        }
    }
}

fn missing(charter: &Charter, there: impl Fn(&PartyName) -> bool) -> Option<String> {
    let missing: Vec<&str> = charter
        .parties()
        .iter()
        .filter(|p| !there(p))
        .map(PartyName::as_str)
        .collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}
