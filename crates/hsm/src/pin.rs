//! The token's PIN, from a file that only its owner can read, or from a descriptor (`/dev/fd/3`).

use host::files;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const PIN_BYTES_MAX: u64 = 256;

/// Why there is no PIN. The token was not asked.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// It cannot be read.
    #[error("the PIN file {} could not be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// It is not there.
    #[error("there is no PIN file at {}; write the PIN into it and make it mode 600", .0.display())]
    Missing(PathBuf),
    /// Others can read it.
    #[error("the PIN file {} can be read by others (mode {mode:03o}); make it 600, and change the PIN if others had access", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds no PIN.
    #[error("the PIN file {} holds no PIN: one line of text is expected", .0.display())]
    Empty(PathBuf),
}

/// Reads the PIN; a line feed at its end does not belong to it.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PinError> {
    let broken = |error| PinError::Read {
        path: path.to_owned(),
        error,
    };
    // The mode first: a PIN that others may have read is not used.
    let mode = match files::mode(path) {
        Ok(mode) => mode,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PinError::Missing(path.to_owned()));
        }
        Err(error) => return Err(broken(error)),
    };
    if mode & 0o077 != 0 {
        return Err(PinError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let bytes = files::read(path, PIN_BYTES_MAX).map_err(broken)?;
    let mut pin = Zeroizing::new(bytes.ok_or_else(|| PinError::Missing(path.to_owned()))?);
    while pin.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        pin.pop();
    }
    let plain = std::str::from_utf8(&pin).is_ok_and(|text| !text.chars().any(char::is_control));
    match pin.is_empty() || !plain || pin.len() as u64 > PIN_BYTES_MAX {
        true => Err(PinError::Empty(path.to_owned())),
        false => Ok(pin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_comes_from_a_descriptor_as_well() {
        use std::io::Write;
        use std::os::fd::AsRawFd;
        let (from, mut to) = std::io::pipe().unwrap();
        to.write_all(b"1234\n").unwrap();
        drop(to);
        let path = PathBuf::from(format!("/dev/fd/{}", from.as_raw_fd()));
        assert_eq!(&**read(&path).unwrap(), b"1234");
        assert!(
            matches!(read(&path), Err(PinError::Empty(_))),
            "a pipe is read once"
        );
    }

    #[test]
    fn a_pin_that_others_can_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        assert!(matches!(read(&path), Err(PinError::Missing(_))));
        files::write_durable(&path, b"1234\n", 0o600).unwrap();
        assert_eq!(&**read(&path).unwrap(), b"1234");
        files::set_mode(&path, 0o640).unwrap();
        assert!(matches!(read(&path), Err(PinError::Open { .. })));
        files::write_durable(&path, b"\n", 0o600).unwrap();
        assert!(matches!(read(&path), Err(PinError::Empty(_))));
        files::write_durable(&path, b"12\n34", 0o600).unwrap();
        assert!(matches!(read(&path), Err(PinError::Empty(_))));
    }
}
