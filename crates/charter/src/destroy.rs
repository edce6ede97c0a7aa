//! A party's statement that it has destroyed its share of a root that is no longer in force. Where the charter
//! knows the party's key the statement is signed with it; nobody can prove that no copy was kept, and the
//! statement is what a party answers for.

use crate::charter::Charter;
use crate::record::{CeremonyId, Custody, ShareDigest, ShareFile};
use sign::{
    Kind, Purpose, Sheet, SheetError, SheetReader, Signature, SignatureError, SigningKey, Stamp,
    sheet::decimal,
};
use words::limits::STATEMENT_BYTES_MAX;
use words::{CloudId, PartyName, hex};

const STATEMENT: Kind = Kind {
    name: "share destruction",
    format: 1,
    comment: "#\n\
              # The party named below states that it has destroyed every copy of this share of the root key.\n\
              #\n",
    bytes_max: STATEMENT_BYTES_MAX,
};

const PURPOSE: Purpose = Purpose("clarence/v1/share-destruction");

/// Why a statement was not taken. Nothing was counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestructionError {
    /// It is not such a sheet.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// It is about a share of another cloud or dealing.
    #[error(
        "the statement of {party} is about a share of ceremony {ceremony}, epoch {epoch}, of cloud {cloud}, which this cloud never dealt"
    )]
    OtherDealing {
        /// The party.
        party: PartyName,
        /// The cloud named.
        cloud: CloudId,
        /// The ceremony named.
        ceremony: CeremonyId,
        /// The epoch named.
        epoch: u32,
    },
    /// The party held no share of that dealing, or another one.
    #[error("the statement of {party} is not about the share that {party} was given")]
    OtherShare {
        /// The party.
        party: PartyName,
    },
    /// The charter knows the party's key and the statement is not signed.
    #[error(
        "the statement of {party} is not signed; make it again with the party's key: clarence share destroy --key FILE"
    )]
    Unsigned {
        /// The party.
        party: PartyName,
    },
    /// The charter knows no key of the party, so that a signature proves nothing.
    #[error("the charter knows no key of {party}, so that a signature of it cannot be checked")]
    NoKey {
        /// The party.
        party: PartyName,
    },
    /// A signature is wrong.
    #[error("the statement of {party} is not signed by {party}: {why}")]
    Signature {
        /// The party.
        party: PartyName,
        /// What is wrong.
        why: SignatureError,
    },
}

/// The statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destruction {
    cloud: CloudId,
    ceremony: CeremonyId,
    epoch: u32,
    party: PartyName,
    share: ShareDigest,
    at: Stamp,
    signature: Option<Signature>,
}

impl Destruction {
    /// The statement about one share, made at `at`; signed if a key is given.
    pub fn of(
        share: &ShareFile,
        at: Stamp,
        key: Option<&SigningKey>,
    ) -> Result<Self, SignatureError> {
        let custody = share.custody();
        let digest = custody.digest_of(share.party(), share.x(), share.value());
        let mut this = Self {
            cloud: share.cloud(),
            ceremony: share.ceremony(),
            epoch: share.epoch(),
            party: share.party().clone(),
            share: digest,
            at,
            signature: None,
        };
        if let Some(key) = key {
            this.signature = Some(key.sign(PURPOSE, this.sheet().body().as_bytes())?);
        }
        Ok(this)
    }

    fn sheet(&self) -> Sheet {
        Sheet::begin(STATEMENT)
            .field("cloud", self.cloud)
            .field("ceremony", self.ceremony)
            .field("epoch", self.epoch)
            .field("party", self.party.as_str())
            .field("share", self.share)
            .field("destroyed", self.at)
    }

    /// The statement's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let sheet = self.sheet();
        match &self.signature {
            Some(signature) => sheet.signature(signature).finish().to_string(),
            None => sheet.finish().to_string(),
        }
    }

    /// Reads a statement. Whether it counts, [`Self::check`] says.
    pub fn parse(bytes: &[u8]) -> Result<Self, DestructionError> {
        let mut reader = SheetReader::open(STATEMENT, bytes)?;
        let mut this = Self {
            cloud: reader.take("cloud", CloudId::parse)?,
            ceremony: reader.take("ceremony", CeremonyId::parse)?,
            epoch: reader.take("epoch", decimal)?,
            party: reader.take("party", |name| PartyName::parse(name).ok())?,
            share: reader.take("share", |digits| {
                hex::decode_array(digits).map(ShareDigest::from_bytes)
            })?,
            at: reader.take("destroyed", Stamp::parse)?,
            signature: None,
        };
        if !reader.at_end() {
            this.signature = Some(reader.signature()?);
        }
        reader.finish(&this.to_text())?;
        Ok(this)
    }

    /// Whether it is about a share of this dealing. Says nothing about who made it.
    pub fn check_share(&self, custody: &Custody) -> Result<(), DestructionError> {
        let party = self.party.clone();
        let dealt = (custody.cloud(), custody.ceremony(), custody.epoch());
        if dealt != (self.cloud, self.ceremony, self.epoch) {
            return Err(DestructionError::OtherDealing {
                party,
                cloud: self.cloud,
                ceremony: self.ceremony,
                epoch: self.epoch,
            });
        }
        let holder = custody.holder(&self.party);
        if holder.is_none_or(|holder| holder.digest != self.share) {
            return Err(DestructionError::OtherShare { party });
        }
        Ok(())
    }

    /// Whether it is about a share of this dealing and, where the charter knows the party's key, signed by
    /// it.
    pub fn check(&self, custody: &Custody, charter: &Charter) -> Result<(), DestructionError> {
        self.check_share(custody)?;
        let party = self.party.clone();
        let known = charter.terms().and_then(|terms| {
            let mut members = terms.parties().iter();
            members.find(|member| member.name == self.party)
        });
        match (known, &self.signature) {
            (None, None) if charter.terms().is_none() => Ok(()),
            (None, _) => Err(DestructionError::NoKey { party }),
            (Some(_), None) => Err(DestructionError::Unsigned { party }),
            (Some(member), Some(signature)) => member
                .key
                .verify(PURPOSE, self.sheet().body().as_bytes(), signature)
                .map_err(|why| DestructionError::Signature { party, why }),
        }
    }

    /// The ceremony that made the root.
    #[must_use]
    pub const fn ceremony(&self) -> CeremonyId {
        self.ceremony
    }
    /// The dealing.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }
    /// Who states it.
    #[must_use]
    pub const fn party(&self) -> &PartyName {
        &self.party
    }
    /// When the share was destroyed, as the party says.
    #[must_use]
    pub const fn at(&self) -> Stamp {
        self.at
    }
    /// Whether it carries the party's signature.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.signature.is_some()
    }
}
