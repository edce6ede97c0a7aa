//! The way to the TPM: a device of the kernel, or a Unix socket that speaks the same bytes.

use crate::fault::Fault;
use crate::wire::{ANSWER_BYTES_MAX, HEAD_BYTES};
use host::files::{self, OpenFile};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// A simulator answers in milliseconds, a chip in a second or two.
const PATIENCE: Duration = Duration::from_secs(30);
const SOCKET: &str = "unix:";

/// Where the TPM is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Place {
    /// A device, such as `/dev/tpmrm0`.
    Device(PathBuf),
    /// A socket, such as that of `swtpm socket --server type=unixio`.
    Socket(PathBuf),
}

impl Place {
    /// Reads `/dev/tpmrm0` or `unix:/run/swtpm.sock`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix(SOCKET) {
            Some(path) => Self::Socket(PathBuf::from(path)),
            None => Self::Device(PathBuf::from(text)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "{}", path.display()),
            Self::Socket(path) => write!(f, "{SOCKET}{}", path.display()),
        }
    }
}

pub enum Link {
    Device(OpenFile),
    Socket(UnixStream),
}

impl Link {
    pub fn open(place: &Place) -> Result<Self, Fault> {
        let reach = |path: &PathBuf| {
            let path = path.clone();
            move |error| Fault::Reach { path, error }
        };
        match place {
            Place::Device(path) => Ok(Self::Device(files::open_rw(path).map_err(reach(path))?)),
            Place::Socket(path) => {
                let stream = UnixStream::connect(path).map_err(reach(path))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Self::Socket(stream))
            }
        }
    }

    /// One command, one answer.
    pub fn exchange(&mut self, command: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        match self {
            // The device takes a command in one write, and gives the answer in one read if the buffer is long
            // enough.
            Self::Device(file) => {
                file.write_all(command)?;
                let mut answer = Zeroizing::new(vec![0; ANSWER_BYTES_MAX]);
                let mut length = 0;
                loop {
                    let (_, free) = answer.split_at_mut(length);
                    let more = file.read(free)?;
                    if more == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    length += more;
                    let whole = answer.get(2..6).and_then(|size| size.try_into().ok());
                    let whole = whole.map_or(0, u32::from_be_bytes) as usize;
                    if length >= HEAD_BYTES && length >= whole {
                        answer.truncate(length);
                        return Ok(answer);
                    }
                }
            }
            Self::Socket(stream) => {
                stream.write_all(command)?;
                let mut head = [0; HEAD_BYTES];
                stream.read_exact(&mut head)?;
                let [_, _, a, b, c, d, ..] = head;
                let size = u32::from_be_bytes([a, b, c, d]) as usize;
                if !(HEAD_BYTES..=ANSWER_BYTES_MAX).contains(&size) {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let mut answer = Zeroizing::new(vec![0; size]);
                let (start, rest) = answer.split_at_mut(HEAD_BYTES);
                start.copy_from_slice(&head);
                stream.read_exact(rest)?;
                Ok(answer)
            }
        }
    }
}
