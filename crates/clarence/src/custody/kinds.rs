//! Files of custody, told apart by how they begin: a party's share, an officer's part, an envelope.

use crate::exit::{Exit, Failure};
use charter::envelope::{self, ENVELOPE_BYTES_MAX};
use charter::files::SHARE_FILE_NAME;
use charter::{OfficerShare, ShareFile};
use host::files;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A share or a part.
pub enum Any {
    Share(ShareFile),
    Part(OfficerShare),
}

impl Any {
    pub fn to_text(&self) -> Zeroizing<String> {
        match self {
            Self::Share(share) => share.to_text(),
            Self::Part(part) => part.to_text(),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let parsed = if OfficerShare::looks_like(bytes) {
            OfficerShare::parse(bytes).map(Self::Part)
        } else {
            ShareFile::parse(bytes).map(Self::Share)
        };
        parsed.map_err(|error| Failure::usage(error).named("share"))
    }
}

/// Reads a file, or standard input for `-`; the folder of a party stands for the share in it.
pub fn bytes_of(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let most = ENVELOPE_BYTES_MAX as u64;
    if path.as_os_str() == "-" {
        let mut bytes = Zeroizing::new(Vec::new());
        std::io::stdin()
            .lock()
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|e| Failure::usage(format!("stdin could not be read: {e}")))?;
        return Ok(bytes);
    }
    let path = if files::is_folder(path) {
        path.join(SHARE_FILE_NAME)
    } else {
        path.to_owned()
    };
    match files::read(&path, most) {
        Ok(Some(bytes)) => Ok(Zeroizing::new(bytes)),
        Ok(None) => Err(Failure::new(
            Exit::NotFound,
            format!("there is no file at {}", path.display()),
        )),
        Err(error) => Err(Failure::new(
            Exit::General,
            format!("the file {} could not be read: {error}", path.display()),
        )),
    }
}

fn named(path: &Path, mut failure: Failure) -> Failure {
    failure.message = format!("{}: {}", path.display(), failure.message);
    failure
}

/// Reads a share or a part.
pub fn read(path: &Path) -> Result<Any, Failure> {
    let bytes = bytes_of(path)?;
    if envelope::looks_like(&bytes) {
        let sealed = Failure::usage("it is sealed in an envelope; nothing was read").suggest(
            "open it with `clarence share open`, or name the identity with `clarence unseal --identity`",
        );
        return Err(named(path, sealed.named("envelope")));
    }
    Any::parse(&bytes).map_err(|failure| named(path, failure))
}

/// The text of a share or a part, checked here first so that a damaged one is named with its path. An envelope
/// is opened with the first identity that it is for; what was in it stays in memory.
pub fn read_any(path: &Path, identities: &[PathBuf]) -> Result<Zeroizing<String>, Failure> {
    let bytes = bytes_of(path)?;
    if !envelope::looks_like(&bytes) || identities.is_empty() {
        return read_bytes(path, &bytes);
    }
    let mut last = None;
    for identity in identities {
        let identity = super::envelope::read_identity(identity)?;
        match envelope::open(&identity, &bytes) {
            Ok(plain) => return read_bytes(path, &plain),
            Err(error) => last = Some(Failure::usage(error).named("envelope")),
        }
    }
    let failure = last.unwrap_or_else(|| Failure::usage("no identity was given"));
    Err(named(path, failure))
}

fn read_bytes(path: &Path, bytes: &[u8]) -> Result<Zeroizing<String>, Failure> {
    if envelope::looks_like(bytes) {
        let sealed =
            Failure::usage("it is sealed in an envelope; name its identity with --identity");
        return Err(named(path, sealed.named("envelope")));
    }
    Any::parse(bytes)
        .map(|any| any.to_text())
        .map_err(|failure| named(path, failure))
}

/// Writes a new file that only its owner reads; never over another one.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::General,
            format!("{} could not be written: {error}", path.display()),
        )
    };
    if files::stat(path).map_err(failed)?.is_some() {
        return Err(Failure::new(
            Exit::Conflict,
            format!(
                "{} is there already; nothing was written over it: choose another name",
                path.display()
            ),
        ));
    }
    files::write_durable(path, bytes, 0o600).map_err(failed)
}
