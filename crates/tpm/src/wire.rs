//! Commands and answers as bytes (TPM 2.0 Library, Part 1 section 18, Part 2 for the structures).

use crate::fault::Fault;
use words::wire::{Reader, WireError, Writer};
use zeroize::Zeroizing;

/// Longest answer that is read.
pub const ANSWER_BYTES_MAX: usize = 4096;
/// Length of the head of commands and answers: tag, size, code.
pub const HEAD_BYTES: usize = 10;

const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
const PASSWORD: u32 = 0x4000_0009;

/// How a command is authorised.
#[derive(Clone, Copy)]
pub enum Auth {
    /// Not at all.
    None,
    /// The empty password.
    Empty,
    /// A policy session, which ends with the command.
    Session(u32),
}

/// One command.
pub struct Command<'a> {
    pub name: &'static str,
    pub code: u32,
    pub handles: &'a [u32],
    pub auth: Auth,
    pub parameters: &'a [u8],
    /// Whether a handle comes back.
    pub gives_handle: bool,
}

impl Command<'_> {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let handles = self
            .handles
            .iter()
            .fold(Writer::bare(), |writer, handle| writer.u32(*handle))
            .finish();
        let session = match self.auth {
            Auth::None => None,
            Auth::Empty => Some(PASSWORD),
            Auth::Session(handle) => Some(handle),
        };
        // Session handle, empty nonce, attributes (the session ends), empty HMAC or password.
        let auth = session.map_or_else(Vec::new, |handle| {
            let area = Writer::bare().u32(handle).u16(0).u8(0).u16(0).finish();
            let length = u32::try_from(area.len()).unwrap_or_default();
            Writer::bare().u32(length).raw(&area).finish()
        });
        let size = HEAD_BYTES + handles.len() + auth.len() + self.parameters.len();
        let tag = if session.is_some() {
            SESSIONS
        } else {
            NO_SESSIONS
        };
        Zeroizing::new(
            Writer::bare()
                .u16(tag)
                .u32(u32::try_from(size).unwrap_or(u32::MAX))
                .u32(self.code)
                .raw(&handles)
                .raw(&auth)
                .raw(self.parameters)
                .finish(),
        )
    }

    /// The handle, if one comes back, and the parameters.
    pub fn decode(&self, answer: &[u8]) -> Result<(u32, Zeroizing<Vec<u8>>), Fault> {
        let command = self.name;
        let unreadable = |_: WireError| Fault::Answer { command };
        let mut reader = Reader::bare(answer);
        let tag = reader.u16().map_err(unreadable)?;
        let size = reader.u32().map_err(unreadable)? as usize;
        let code = reader.u32().map_err(unreadable)?;
        if size != answer.len() {
            return Err(Fault::Answer { command });
        }
        if code != 0 {
            return Err(Fault::of(command, code));
        }
        let handle = match self.gives_handle {
            true => reader.u32().map_err(unreadable)?,
            false => 0,
        };
        let parameters = match tag {
            SESSIONS => {
                let length = reader.u32().map_err(unreadable)? as usize;
                reader.raw(length).map_err(unreadable)?
            }
            _ => reader.rest(),
        };
        Ok((handle, Zeroizing::new(parameters.to_vec())))
    }
}

/// TPM2B: two bytes of length, then the bytes.
pub fn sized(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    Zeroizing::new(Writer::bare().u16(length).raw(bytes).finish())
}

/// Reads a TPM2B of at most `max` bytes.
pub fn take_sized<'a>(reader: &mut Reader<'a>, max: usize) -> Result<&'a [u8], WireError> {
    let length = usize::from(reader.u16()?);
    if length > max {
        return Err(WireError::Field("length"));
    }
    reader.raw(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use words::hex;

    const FLUSH: Command<'_> = Command {
        name: "TPM2_FlushContext",
        code: 0x165,
        handles: &[0x8000_0000],
        auth: Auth::None,
        parameters: &[],
        gives_handle: false,
    };

    #[test]
    fn a_command_is_what_the_specification_says() {
        assert_eq!(hex::encode(&FLUSH.encode()), "80010000000e0000016580000000");
        let unseal = Command {
            name: "TPM2_Unseal",
            code: 0x15e,
            auth: Auth::Session(0x0300_0000),
            ..FLUSH
        };
        assert_eq!(
            hex::encode(&unseal.encode()),
            "80020000001b0000015e800000000000000903000000000000\
             0000"
        );
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_answer(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = FLUSH.decode(&bytes);
            let opened = Command { auth: Auth::Empty, gives_handle: true, ..FLUSH };
            let _ = opened.decode(&bytes);
        }
    }
}
