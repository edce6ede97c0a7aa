//! What the node and the process with the module say to each other: a length (u32), then a record in the
//! manner of [`words::wire`]. Both are of one build, so there is one version.

use crate::fault::Fault;
use std::fmt;
use words::hex;
use words::wire::{Reader, WireError, Writer};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// No frame is longer.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// No path, label, PIN or context in a frame is longer.
pub const FIELD_BYTES_MAX: usize = 4096;
const TOKENS_MAX: u8 = 64;
const TEXT_CHARS_MAX: usize = 400;

/// The id of a key on a token: 16 random bytes (`CKA_ID`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyName(pub [u8; 16]);

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyName({self})")
    }
}

/// 32 bytes under a key of the token: AES-256-GCM, nonce 12, ciphertext 32, tag 16.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wrap {
    /// The nonce that was used; some tokens choose their own.
    pub nonce: [u8; 12],
    /// Ciphertext and tag.
    pub sealed: [u8; 48],
}

impl fmt::Debug for Wrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrap(…)")
    }
}

/// One token, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Maker and model.
    pub model: String,
    /// Whether it offers AES-GCM and makes AES keys.
    pub able: bool,
    /// Whether its PIN is locked.
    pub locked: bool,
}

/// What the process with the module is asked.
pub enum Request {
    /// Which tokens there are.
    Probe { module: String },
    /// Opens a session on one token.
    Open {
        module: String,
        token: String,
        pin: Zeroizing<Vec<u8>>,
    },
    /// Makes a key on the token.
    Make { key: KeyName, label: String },
    /// Wraps 32 bytes.
    Wrap {
        key: KeyName,
        context: Vec<u8>,
        nonce: [u8; 12],
        secret: Zeroizing<[u8; 32]>,
    },
    /// Unwraps them.
    Unwrap {
        key: KeyName,
        context: Vec<u8>,
        wrap: Wrap,
    },
}

/// What it answers.
#[derive(Debug)]
pub enum Answer {
    Tokens(Vec<TokenFacts>),
    Opened(TokenFacts),
    Made,
    Wrapped(Wrap),
    Unwrapped(Zeroizing<[u8; 32]>),
    Fault(Fault),
}

impl Request {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let writer = Writer::versioned(VERSION);
        Zeroizing::new(
            match self {
                Self::Probe { module } => writer.u8(1).bytes(module.as_bytes()),
                Self::Open { module, token, pin } => writer
                    .u8(2)
                    .bytes(module.as_bytes())
                    .bytes(token.as_bytes())
                    .bytes(pin),
                Self::Make { key, label } => writer.u8(3).raw(&key.0).bytes(label.as_bytes()),
                Self::Wrap {
                    key,
                    context,
                    nonce,
                    secret,
                } => writer
                    .u8(4)
                    .raw(&key.0)
                    .bytes(context)
                    .raw(nonce)
                    .raw(&secret[..]),
                Self::Unwrap { key, context, wrap } => writer
                    .u8(5)
                    .raw(&key.0)
                    .bytes(context)
                    .raw(&wrap.nonce)
                    .raw(&wrap.sealed),
            }
            .finish(),
        )
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let request = match reader.u8()? {
            1 => Self::Probe {
                module: text(&mut reader)?,
            },
            2 => Self::Open {
                module: text(&mut reader)?,
                token: text(&mut reader)?,
                pin: Zeroizing::new(reader.bytes(FIELD_BYTES_MAX)?.to_vec()),
            },
            3 => Self::Make {
                key: KeyName(reader.array()?),
                label: text(&mut reader)?,
            },
            4 => Self::Wrap {
                key: KeyName(reader.array()?),
                context: reader.bytes(FIELD_BYTES_MAX)?.to_vec(),
                nonce: reader.array()?,
                secret: Zeroizing::new(reader.array()?),
            },
            5 => Self::Unwrap {
                key: KeyName(reader.array()?),
                context: reader.bytes(FIELD_BYTES_MAX)?.to_vec(),
                wrap: wrap(&mut reader)?,
            },
            _ => return Err(WireError::Field("request")),
        };
        reader.finish()?;
        Ok(request)
    }
}

impl Answer {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let writer = Writer::versioned(VERSION);
        Zeroizing::new(
            match self {
                Self::Tokens(tokens) => {
                    let shown = tokens.iter().take(usize::from(TOKENS_MAX));
                    let count = u8::try_from(shown.len()).unwrap_or(TOKENS_MAX);
                    shown.fold(writer.u8(1).u8(count), put_facts)
                }
                Self::Opened(token) => put_facts(writer.u8(2), token),
                Self::Made => writer.u8(3),
                Self::Wrapped(wrap) => writer.u8(4).raw(&wrap.nonce).raw(&wrap.sealed),
                Self::Unwrapped(secret) => writer.u8(5).raw(&secret[..]),
                Self::Fault(fault) => {
                    let (first, second) = fault.texts();
                    writer
                        .u8(6)
                        .u8(fault.code())
                        .bytes(cut(first).as_bytes())
                        .bytes(cut(second).as_bytes())
                }
            }
            .finish(),
        )
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let answer = match reader.u8()? {
            1 => {
                let count = reader.u8()?;
                if count > TOKENS_MAX {
                    return Err(WireError::Field("tokens"));
                }
                let tokens = (0..count).map(|_| facts(&mut reader));
                Self::Tokens(tokens.collect::<Result<_, _>>()?)
            }
            2 => Self::Opened(facts(&mut reader)?),
            3 => Self::Made,
            4 => Self::Wrapped(wrap(&mut reader)?),
            5 => Self::Unwrapped(Zeroizing::new(reader.array()?)),
            6 => {
                let code = reader.u8()?;
                Self::Fault(Fault::of(code, text(&mut reader)?, text(&mut reader)?))
            }
            _ => return Err(WireError::Field("answer")),
        };
        reader.finish()?;
        Ok(answer)
    }
}

fn put_facts(writer: Writer, token: &TokenFacts) -> Writer {
    writer
        .bytes(cut(&token.label).as_bytes())
        .bytes(cut(&token.serial).as_bytes())
        .bytes(cut(&token.model).as_bytes())
        .u8(u8::from(token.able))
        .u8(u8::from(token.locked))
}

fn facts(reader: &mut Reader<'_>) -> Result<TokenFacts, WireError> {
    Ok(TokenFacts {
        label: text(reader)?,
        serial: text(reader)?,
        model: text(reader)?,
        able: reader.u8()? == 1,
        locked: reader.u8()? == 1,
    })
}

fn wrap(reader: &mut Reader<'_>) -> Result<Wrap, WireError> {
    Ok(Wrap {
        nonce: reader.array()?,
        sealed: reader.array()?,
    })
}

fn text(reader: &mut Reader<'_>) -> Result<String, WireError> {
    let bytes = reader.bytes(FIELD_BYTES_MAX)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Field("text"))
}

/// What a module says is shown to people: without control characters, and not at any length.
fn cut(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(TEXT_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_come_back_as_they_went() {
        let token = TokenFacts {
            label: "a".into(),
            serial: "1".into(),
            model: "m".into(),
            able: true,
            locked: false,
        };
        let wrap = Wrap {
            nonce: [1; 12],
            sealed: [2; 48],
        };
        let fault = Fault::NoKey {
            token: "1".into(),
            key: "2".into(),
        };
        for answer in [
            Answer::Tokens(vec![token.clone(), token.clone()]),
            Answer::Opened(token),
            Answer::Made,
            Answer::Wrapped(wrap),
            Answer::Unwrapped(Zeroizing::new([7; 32])),
            Answer::Fault(fault),
            Answer::Fault(Fault::PinWrong),
        ] {
            let bytes = answer.encode();
            let back = Answer::decode(&bytes).unwrap();
            assert_eq!(back.encode(), bytes);
            for end in 0..bytes.len() {
                assert!(
                    Answer::decode(&bytes[..end]).is_err(),
                    "{end} of {answer:?}"
                );
            }
        }
    }

    #[test]
    fn every_fault_keeps_its_meaning_across_the_socket() {
        for fault in [
            Fault::Module("x".into()),
            Fault::NoToken("x".into()),
            Fault::Ambiguous("x".into()),
            Fault::PinWrong,
            Fault::PinLocked,
            Fault::WeakKey("x".into()),
            Fault::Unsupported("x".into()),
            Fault::NotOpened,
            Fault::Refused("x".into()),
        ] {
            let Ok(Answer::Fault(back)) = Answer::decode(&Answer::Fault(fault.clone()).encode())
            else {
                panic!("{fault:?}");
            };
            assert_eq!(back, fault);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Request::decode(&bytes);
            let _ = Answer::decode(&bytes);
        }
    }
}
