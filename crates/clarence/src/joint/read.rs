//! Reading the files of joint control, and turning what is wrong with them into failures.

use crate::exit::{Exit, Failure};
use charter::approval::files::{self as disk, FileError};
use charter::approval::{Refusal, Roll};
use charter::law::{Chain, Deed};
use charter::{Charter, PARTIES_MAX};
use host::files;
use std::path::{Path, PathBuf};
use words::limits::{AMENDMENTS_MAX, CHARTER_BYTES_MAX};
use words::{CloudId, PartyName};

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Missing(_) => Self::new(Exit::NotFound, error),
            FileError::Occupied(_) => Self::new(Exit::Conflict, error),
            FileError::Io { .. } => Self::new(Exit::General, error),
            FileError::Open { .. } | FileError::Document { .. } => {
                Self::usage(error).named("document")
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let mut failure = Self::new(Exit::Auth, &refusal).named(refusal.word());
        // More approvals, or time, mend these without a change of what was given.
        failure.retryable = matches!(refusal, Refusal::TooEarly { .. });
        failure
    }
}

/// The text of a file.
pub fn text(path: &Path, max: usize) -> Result<String, Failure> {
    let shown = path.display();
    let bytes = files::read(path, max as u64)
        .map_err(|e| Failure::usage(format!("{shown} could not be read: {e}")))?
        .ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no file at {shown}")))?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{shown} is not text in UTF-8")))
}

/// A charter's failure.
pub fn bad_charter(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {why}", path.display())).named("charter")
}

/// A paper, whoever has signed it.
pub fn deed(path: &Path) -> Result<Deed, Failure> {
    Deed::parse(&text(path, CHARTER_BYTES_MAX)?).map_err(|e| bad_charter(path, e))
}

/// The charter in force: the founding one and every amendment.
pub fn chain(founding: &Path, then: &[PathBuf]) -> Result<Chain, Failure> {
    if then.len() > AMENDMENTS_MAX {
        return Err(Failure::usage(format!(
            "at most {AMENDMENTS_MAX} amendments are read"
        )));
    }
    let charter = Charter::parse(&text(founding, CHARTER_BYTES_MAX)?)
        .map_err(|e| bad_charter(founding, e))?;
    let mut amendments = Vec::with_capacity(then.len());
    for path in then {
        amendments.push(deed(path)?);
    }
    Chain::verify(charter, &amendments).map_err(|e| Failure::usage(e).named("charter"))
}

/// The charter in force.
pub fn in_force(founding: &Path, then: &[PathBuf]) -> Result<Charter, Failure> {
    chain(founding, then).map(Chain::into_in_force)
}

/// Files as they are given, and those in folders that are given.
pub fn spread(paths: &[PathBuf], ending: &str, max: usize) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !files::is_folder(path) {
            found.push(path.clone());
            continue;
        }
        let names = files::list(path)
            .map_err(|e| Failure::new(Exit::General, format!("{}: {e}", path.display())))?;
        let fits = names.into_iter().filter(|name| name.ends_with(ending));
        found.extend(fits.map(|name| path.join(name)));
    }
    match found.len() > max {
        true => Err(Failure::usage(format!(
            "{} files are too many; at most {max} are read",
            found.len()
        ))),
        false => Ok(found),
    }
}

/// The roll of all approvers whose cards lie there. A card that does not hold is a failure: a roll with holes
/// would leave out a withdrawal.
pub fn roll(charter: &Charter, paths: &[PathBuf]) -> Result<Roll, Failure> {
    let mut roll = Roll::new(charter);
    // Each approver may have several cards, one after the other.
    for path in spread(paths, ".card", 8 * words::limits::APPROVERS_MAX)? {
        let card = disk::load_card(&path)?;
        roll.enrol(card).map_err(|e| {
            Failure::new(Exit::Auth, format!("{}: {e}", path.display())).named("card")
        })?;
    }
    Ok(roll)
}

/// A cloud's id.
pub fn cloud(text: &str) -> Result<CloudId, Failure> {
    CloudId::parse(text).ok_or_else(|| {
        Failure::usage(format!(
            "{text:?} is no cloud id: it has 32 hexadecimal digits"
        ))
    })
}

/// A party's or the patron's name.
pub fn party(name: &str) -> Result<PartyName, Failure> {
    PartyName::parse(name).map_err(Failure::usage)
}

/// At most as many parties as a charter has.
pub fn check_count(count: usize) -> Result<(), Failure> {
    match count > PARTIES_MAX {
        true => Err(Failure::usage(format!(
            "a charter has at most {PARTIES_MAX} parties"
        ))),
        false => Ok(()),
    }
}
