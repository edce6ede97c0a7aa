//! Whom data is about: a natural person, a case, a mandate. The text is the tenant's own identifier.

use crate::limits::SUBJECT_BYTES_MAX;
use std::fmt;
use zeroize::Zeroizing;

/// Why a subject was refused. The text is not repeated: it is personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a subject has 1 to {SUBJECT_BYTES_MAX} bytes of text without control characters and without space at its ends"
)]
pub struct SubjectError;

/// The identifier of the subject of some data. It is wiped when dropped and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject(Zeroizing<String>);

impl Subject {
    /// Checks the rules and keeps the text as it is: two spellings are two subjects.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        let fits = !text.is_empty()
            && text.len() <= SUBJECT_BYTES_MAX
            && text.trim() == text
            && !text.chars().any(char::is_control);
        match fits {
            true => Ok(Self(Zeroizing::new(text.to_owned()))),
            false => Err(SubjectError),
        }
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_subject() {
        for good in ["1893120105732", "case 12/2026", "Zürich-7"] {
            assert_eq!(
                Subject::parse(good).map(|s| s.as_str().to_owned()),
                Ok(good.to_owned())
            );
        }
        let long = "x".repeat(SUBJECT_BYTES_MAX + 1);
        for bad in ["", " a", "a ", "a\tb", "a\0", "\u{85}", &long] {
            assert_eq!(Subject::parse(bad), Err(SubjectError), "{bad:?}");
        }
        assert!(Subject::parse(&long[1..]).is_ok());
        assert!(!format!("{:?}", Subject::parse("anna")).contains("anna"));
    }
}
