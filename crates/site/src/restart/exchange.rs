//! The two messages between a node that restarts and the site that holds the other half. Both sides prove that they
//! know the exchange key, which the node derives from its own half; the half travels sealed under it, bound to the
//! node's question, so that neither a recorded question nor a recorded answer is good for anything. All of it is
//! symmetric, and so withstands quantum computers; mutual TLS between two machines comes around it.

use super::fault::RestartError;
use host::Host;
use seal::{MetaKey, open_value, seal_value};
use words::CloudId;
use words::wire::{Reader, WireError, Writer};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const SEALED_BYTES_MAX: usize = 256;

/// A node's question, with what it needs to read the answer.
pub struct Question {
    pub bytes: Vec<u8>,
    nonce: [u8; 32],
}

fn context(what: &[u8], cloud: CloudId, id: &[u8; 16], nonce: &[u8]) -> Vec<u8> {
    Writer::bare()
        .raw(b"restart\0")
        .raw(what)
        .raw(cloud.as_bytes())
        .raw(id)
        .raw(nonce)
        .finish()
}

/// Asks for the other half of a lease.
pub fn ask(key: &[u8; 32], cloud: CloudId, id: &[u8; 16], host: &Host) -> Question {
    let nonce: [u8; 32] = host.random();
    let key = MetaKey::from_bytes(*key);
    let sealed = seal_value(
        &key,
        &context(b"ask\0", cloud, id, &[]),
        host.random(),
        &nonce,
    );
    let bytes = Writer::versioned(VERSION).raw(id).bytes(&sealed).finish();
    Question { bytes, nonce }
}

/// Which lease a question is about, and the rest of it.
pub fn about(question: &[u8]) -> Result<([u8; 16], &[u8]), WireError> {
    let (_, mut reader) = Reader::versioned(question, VERSION)?;
    let id = reader.array()?;
    let sealed = reader.bytes(SEALED_BYTES_MAX)?;
    reader.finish()?;
    Ok((id, sealed))
}

/// Answers a question with the half, if whoever asks knows the exchange key.
pub fn answer(
    key: &[u8; 32],
    cloud: CloudId,
    id: &[u8; 16],
    sealed_nonce: &[u8],
    half: &[u8; 32],
    host: &Host,
) -> Result<Vec<u8>, RestartError> {
    let key = MetaKey::from_bytes(*key);
    let nonce = open_value(&key, &context(b"ask\0", cloud, id, &[]), sealed_nonce)
        .map_err(|_| RestartError::Stranger)?;
    let sealed = seal_value(
        &key,
        &context(b"answer\0", cloud, id, &nonce),
        host.random(),
        half,
    );
    Ok(Writer::versioned(VERSION).bytes(&sealed).finish())
}

impl Question {
    /// The half in an answer to this question.
    pub fn read(
        &self,
        answer: &[u8],
        key: &[u8; 32],
        cloud: CloudId,
        id: &[u8; 16],
    ) -> Result<Zeroizing<[u8; 32]>, RestartError> {
        let sealed = || -> Result<&[u8], WireError> {
            let (_, mut reader) = Reader::versioned(answer, VERSION)?;
            let sealed = reader.bytes(SEALED_BYTES_MAX)?;
            reader.finish()?;
            Ok(sealed)
        };
        let sealed = sealed().map_err(|_| RestartError::Answer)?;
        let key = MetaKey::from_bytes(*key);
        let plain = open_value(&key, &context(b"answer\0", cloud, id, &self.nonce), sealed)
            .map_err(|_| RestartError::Answer)?;
        let mut half = Zeroizing::new([0; 32]);
        if plain.len() != half.len() {
            return Err(RestartError::Answer);
        }
        half.copy_from_slice(&plain);
        Ok(half)
    }
}
