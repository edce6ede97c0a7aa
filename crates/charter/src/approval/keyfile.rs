//! The file that keeps a secret key, and the one that carries its public half to others.

use super::bearer::Bearer;
use super::refusal::DocumentError;
use host::Host;
use sign::key::SEED_BYTES;
use sign::{Kind, PublicKey, Purpose, Sheet, SheetReader, Signature, SigningKey};
use words::limits::CARD_BYTES_MAX;
use zeroize::Zeroizing;

const SECRET: Kind = Kind {
    name: "secret key",
    format: 1,
    comment: "#\n\
              # A secret key. Whoever has this file signs as its bearer. Keep it on one device or medium that you\n\
              # carry with you, never on a node, and give it to nobody. The public key is in a file of its own.\n\
              #\n",
    bytes_max: CARD_BYTES_MAX,
};

const PUBLIC: Kind = Kind {
    name: "public key",
    format: 1,
    comment: "#\n\
              # A public key. Give it to whoever has to know it, and read its fingerprint to them by another way.\n\
              #\n",
    bytes_max: CARD_BYTES_MAX,
};

const POSSESSION: Purpose = Purpose("clarence/v1/public-key");

/// A secret key and whose it is.
#[derive(Debug)]
pub struct KeyFile {
    bearer: Bearer,
    key: SigningKey,
}

impl KeyFile {
    /// Draws a new key.
    pub fn generate(bearer: Bearer, host: &Host) -> Result<Self, DocumentError> {
        let key = SigningKey::generate(host)?;
        Ok(Self { bearer, key })
    }
    /// Whose it is.
    #[must_use]
    pub const fn bearer(&self) -> &Bearer {
        &self.bearer
    }
    /// The key.
    #[must_use]
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }
    /// The public half, with the proof that the secret half is there.
    pub fn public(&self) -> Result<PublicFile, DocumentError> {
        let body = PublicFile::body(&self.bearer, self.key.public());
        let signature = self.key.sign(POSSESSION, body.body().as_bytes())?;
        Ok(PublicFile {
            bearer: self.bearer.clone(),
            key: self.key.public().clone(),
            signature,
        })
    }
    /// The file's text; secret, and wiped when it is dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Sheet::begin(SECRET)
            .field("bearer", &self.bearer)
            .field("fingerprint", self.key.public().id())
            .secret("seeds", self.key.seeds())
            .finish()
    }
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut reader = SheetReader::open(SECRET, bytes)?;
        let bearer = reader.take("bearer", Bearer::parse)?;
        reader.take("fingerprint", sign::KeyId::parse)?;
        let mut seeds = Zeroizing::new([0; SEED_BYTES]);
        reader.secret("seeds", &mut *seeds)?;
        let key = SigningKey::from_seeds(&seeds)?;
        let file = Self { bearer, key };
        // A fingerprint that does not belong to the seeds is found here too.
        reader.finish(&file.to_text())?;
        Ok(file)
    }
}

/// A public key and whose it is. That it is theirs, a charter or a card says; this file only carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicFile {
    bearer: Bearer,
    key: PublicKey,
    signature: Signature,
}

impl PublicFile {
    fn body(bearer: &Bearer, key: &PublicKey) -> Sheet {
        Sheet::begin(PUBLIC)
            .field("bearer", bearer)
            .field("fingerprint", key.id())
            .public_key(key)
    }
    /// Whose it is said to be.
    #[must_use]
    pub const fn bearer(&self) -> &Bearer {
        &self.bearer
    }
    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let sheet = Self::body(&self.bearer, &self.key).signature(&self.signature);
        sheet.finish().to_string()
    }
    /// Reads the file and checks that its key has signed it.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut reader = SheetReader::open(PUBLIC, bytes)?;
        let bearer = reader.take("bearer", Bearer::parse)?;
        reader.take("fingerprint", sign::KeyId::parse)?;
        let key = reader.public_key()?;
        let body = reader.body().to_owned();
        let signature = reader.signature()?;
        let file = Self {
            bearer,
            key,
            signature,
        };
        reader.finish(&file.to_text())?;
        (file.key)
            .verify(POSSESSION, body.as_bytes(), &file.signature)
            .map_err(|why| DocumentError::Signature {
                by: file.bearer.to_string(),
                why,
            })?;
        Ok(file)
    }
}
