//! The only file that knows PKCS #11. It runs in the process of its own, never in the node.

use crate::fault::Fault;
use crate::message::{KeyName, TokenFacts, Wrap};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

const KEY_BYTES: u64 = 32;
const TAG_BITS: u64 = 128;

/// A loaded module.
pub struct Module(Pkcs11);

/// A session on one token, logged in.
pub struct Token {
    session: Session,
    serial: String,
}

impl Module {
    /// Loads the library. From here on its code runs in this process.
    pub fn load(path: &str) -> Result<Self, Fault> {
        let broken = |error: &Error| Fault::Module(error.to_string());
        let module = Pkcs11::new(path).map_err(|e| broken(&e))?;
        module
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(|e| broken(&e))?;
        Ok(Self(module))
    }

    /// The tokens that are there.
    pub fn tokens(&self) -> Result<Vec<TokenFacts>, Fault> {
        let slots = self.0.get_slots_with_token().map_err(|e| refused(&e))?;
        let mut tokens = Vec::new();
        for slot in slots {
            tokens.push(self.facts(slot)?);
        }
        Ok(tokens)
    }

    fn facts(&self, slot: Slot) -> Result<TokenFacts, Fault> {
        let info = self.0.get_token_info(slot).map_err(|e| refused(&e))?;
        let offered = self.0.get_mechanism_list(slot).unwrap_or_default();
        let needed = [MechanismType::AES_GCM, MechanismType::AES_KEY_GEN];
        Ok(TokenFacts {
            label: info.label().trim_end().to_owned(),
            serial: info.serial_number().trim_end().to_owned(),
            model: format!(
                "{} {}",
                info.manufacturer_id().trim_end(),
                info.model().trim_end()
            ),
            able: needed.iter().all(|one| offered.contains(one)),
            locked: info.user_pin_locked(),
        })
    }

    /// Opens a session on the one token of that label or serial number. The PIN is given once.
    pub fn open(&self, name: &str, pin: &[u8]) -> Result<(Token, TokenFacts), Fault> {
        let slots = self.0.get_slots_with_token().map_err(|e| refused(&e))?;
        let mut meant = Vec::new();
        for slot in slots {
            let facts = self.facts(slot)?;
            if !facts.serial.is_empty() && (facts.label == name || facts.serial == name) {
                meant.push((slot, facts));
            }
        }
        let (slot, facts) = match meant.len() {
            0 => return Err(Fault::NoToken(name.to_owned())),
            1 => meant.remove(0),
            _ => return Err(Fault::Ambiguous(name.to_owned())),
        };
        if facts.locked {
            return Err(Fault::PinLocked);
        }
        if !facts.able {
            let why = format!("the token {} does not offer AES-GCM", facts.label);
            return Err(Fault::Unsupported(why));
        }
        let session = self.0.open_rw_session(slot).map_err(|e| refused(&e))?;
        let text = std::str::from_utf8(pin).map_err(|_| Fault::PinWrong)?;
        session
            .login(UserType::User, Some(&AuthPin::from(text.to_owned())))
            .map_err(|e| login_fault(&e))?;
        let serial = facts.serial.clone();
        Ok((Token { session, serial }, facts))
    }
}

impl Token {
    /// Lets the token make an AES-256 key that it never gives out.
    pub fn make(&self, key: KeyName, label: &str) -> Result<(), Fault> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Wrap(false),
            Attribute::Unwrap(false),
            Attribute::ValueLen(KEY_BYTES.into()),
            Attribute::Id(key.0.to_vec()),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        self.session
            .generate_key(&Mechanism::AesKeyGen, &template)
            .map_err(|e| refused(&e))?;
        self.find(key).map(drop)
    }

    /// The one key of that id, if it may be relied on: made in the token, and never to leave it.
    fn find(&self, key: KeyName) -> Result<ObjectHandle, Fault> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Id(key.0.to_vec()),
        ];
        let found = self
            .session
            .find_objects(&template)
            .map_err(|e| refused(&e))?;
        let &[handle] = found.as_slice() else {
            return Err(Fault::NoKey {
                token: self.serial.clone(),
                key: key.to_string(),
            });
        };
        let asked = [
            AttributeType::Sensitive,
            AttributeType::AlwaysSensitive,
            AttributeType::NeverExtractable,
            AttributeType::ValueLen,
        ];
        let told = self
            .session
            .get_attributes(handle, &asked)
            .map_err(|e| refused(&e))?;
        let weak = |why: &str| Err(Fault::WeakKey(why.to_owned()));
        let mut proofs = 0;
        for attribute in told {
            match attribute {
                Attribute::Sensitive(true)
                | Attribute::AlwaysSensitive(true)
                | Attribute::NeverExtractable(true) => proofs += 1,
                Attribute::ValueLen(length) if u64::from(length) != KEY_BYTES => {
                    return weak("it is not an AES key of 256 bits");
                }
                Attribute::ValueLen(_) => {}
                _ => return weak("it can leave the token, or could once"),
            }
        }
        match proofs {
            3 => Ok(handle),
            _ => weak("the token does not say that it cannot leave it"),
        }
    }

    /// AES-256-GCM inside the token. A token that draws its own nonce writes it where ours stood.
    pub fn wrap(
        &self,
        key: KeyName,
        context: &[u8],
        mut nonce: [u8; 12],
        secret: &[u8; 32],
    ) -> Result<Wrap, Fault> {
        let handle = self.find(key)?;
        let params =
            GcmParams::new(&mut nonce, context, TAG_BITS.into()).map_err(|e| refused(&e))?;
        let sealed = self
            .session
            .encrypt(&Mechanism::AesGcm(params), handle, secret)
            .map_err(|e| refused(&e))?;
        let sealed = sealed.try_into().map_err(|_| {
            Fault::Unsupported("its AES-GCM does not give 16 bytes of tag behind the text".into())
        })?;
        Ok(Wrap { nonce, sealed })
    }

    /// Whatever goes wrong inside the token is one answer: tokens differ in what they say, and say too much.
    pub fn unwrap(
        &self,
        key: KeyName,
        context: &[u8],
        wrap: &Wrap,
    ) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let handle = self.find(key)?;
        let mut nonce = wrap.nonce;
        let params =
            GcmParams::new(&mut nonce, context, TAG_BITS.into()).map_err(|_| Fault::NotOpened)?;
        let plain = self
            .session
            .decrypt(&Mechanism::AesGcm(params), handle, &wrap.sealed)
            .map_err(|_| Fault::NotOpened)?;
        let plain = Zeroizing::new(plain);
        let mut secret = Zeroizing::new([0; 32]);
        if plain.len() != secret.len() {
            return Err(Fault::NotOpened);
        }
        secret.copy_from_slice(&plain);
        Ok(secret)
    }
}

fn refused(error: &Error) -> Fault {
    match error {
        Error::Pkcs11(code, function) => Fault::Refused(format!("{function:?}: {code:?}")),
        other => Fault::Refused(other.to_string()),
    }
}

fn login_fault(error: &Error) -> Fault {
    match error {
        Error::Pkcs11(
            RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired,
            _,
        ) => Fault::PinWrong,
        Error::Pkcs11(RvError::PinLocked, _) => Fault::PinLocked,
        other => refused(other),
    }
}
