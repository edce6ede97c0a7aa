//! What stands below the terms: four bytes of hash for every line, and the signatures.

use super::{DeedError, MemberSignature, field, shortened};
use crate::charter::PARTIES_MAX;
use crate::derive::sha512_256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sign::{Algorithm, KeyId, Signature};
use std::fmt::Write as _;
use words::wire::Writer;
use words::{PartyName, hex};

const REMARK: &str = "# Below: a check of every line, which tells where a change was made, and the signatures, which decide.";
const HEAD: [&str; 3] = ["", REMARK, "[checks]"];
/// On which line below the terms the checks stand.
pub(super) const CHECKS_LINE: usize = 4;
const CHECK_DIGITS: usize = 8;
/// Old and new keys of every party and of the patron.
const SIGNATURES_MAX: usize = 2 * (PARTIES_MAX + 1);

pub(super) fn render(body: &str, signatures: &[MemberSignature]) -> String {
    let mut text = format!("\n{REMARK}\n[checks]\nlines = \"{}\"\n", checks(body));
    for one in signatures {
        let [ed25519, ml_dsa] =
            Algorithm::BOTH.map(|algorithm| STANDARD.encode(one.signature.bytes(algorithm)));
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "\n[[signatures]]\nby = \"{}\"\nkey = \"{}\"\ned25519 = \"{ed25519}\"\nml_dsa_65 = \"{ml_dsa}\"\n",
            one.by, one.key
        );
    }
    text
}

fn checks(body: &str) -> String {
    (1_u32..)
        .zip(body.lines())
        .map(|(number, line)| check(number, line))
        .collect()
}

fn check(number: u32, line: &str) -> String {
    let framed = Writer::bare()
        .raw(b"clarence/v1/charter-line\0")
        .u32(number)
        .bytes(line.as_bytes())
        .finish();
    let digest = sha512_256(&[&framed]);
    hex::encode(digest.get(..CHECK_DIGITS / 2).unwrap_or_default())
}

/// Terms and tail; `None` if there is no tail. One damaged line of the tail's head is named.
pub(super) fn split(text: &str) -> Result<Option<(&str, &str)>, DeedError> {
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let line = |index: usize| {
        let rest = starts.get(index).and_then(|at| text.get(*at..))?;
        rest.split('\n').next()
    };
    let matches = |first: usize| {
        (0..)
            .zip(HEAD)
            .filter(|(offset, expected)| line(first + offset) == Some(*expected))
            .count()
    };
    let Some(first) = (0..starts.len()).find(|first| matches(*first) >= 2) else {
        // With a line end changed, two lines are one, and less of the head is to be seen.
        let is_left =
            |line: &str| line == "[checks]" || line == "[[signatures]]" || line.contains(REMARK);
        return match text.lines().position(is_left) {
            None => Ok(None),
            Some(index) => Err(DeedError::Line {
                line: index + 1,
                expected:
                    "a blank line, the remark and [checks] between the terms and the signatures"
                        .to_owned(),
            }),
        };
    };
    for (offset, expected) in (0..).zip(HEAD) {
        if line(first + offset) != Some(expected) {
            return Err(DeedError::Line {
                line: first + offset + 1,
                expected: format!("{expected:?}"),
            });
        }
    }
    Ok(starts.get(first).and_then(|at| text.split_at_checked(*at)))
}

struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    fn wrong(&self, expected: &str) -> DeedError {
        DeedError::Line {
            line: self.line,
            expected: expected.to_owned(),
        }
    }
    fn next(&mut self, expected: &str) -> Result<&'a str, DeedError> {
        let (line, rest) = self
            .rest
            .split_once('\n')
            .ok_or_else(|| self.wrong(expected))?;
        self.rest = rest;
        self.line += 1;
        Ok(line)
    }
    fn exactly(&mut self, expected: &str) -> Result<(), DeedError> {
        let shown = format!("{expected:?}");
        match self.next(&shown)? {
            found if found == expected => Ok(()),
            _ => {
                self.line -= 1;
                Err(self.wrong(&shown))
            }
        }
    }
    fn value<T>(
        &mut self,
        key: &str,
        what: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, DeedError> {
        let expected = format!("{key} = {what}");
        let line = self.next(&expected)?;
        let value = line
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(" = \""))
            .and_then(|rest| rest.strip_suffix('"'))
            .and_then(read);
        value.ok_or_else(|| DeedError::Line {
            line: self.line - 1,
            expected,
        })
    }
}

/// The checks and the signatures.
pub(super) fn parse(
    tail: &str,
    lines_above: usize,
) -> Result<(String, Vec<MemberSignature>), DeedError> {
    let mut lines = Lines {
        rest: tail,
        line: lines_above + 1,
    };
    for expected in HEAD {
        lines.exactly(expected)?;
    }
    let digits = |text: &str| text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let checks = lines.value("lines", "8 hexadecimal digits for every line", |text| {
        (digits(text) && text.len().is_multiple_of(CHECK_DIGITS)).then(|| text.to_owned())
    })?;
    let mut signatures = Vec::new();
    while !lines.rest.is_empty() {
        if signatures.len() == SIGNATURES_MAX {
            return Err(lines.wrong("the end: there are too many signatures"));
        }
        lines.exactly("")?;
        lines.exactly("[[signatures]]")?;
        let by = lines.value("by", "a name in quotes", |text| PartyName::parse(text).ok())?;
        let key = lines.value("key", "64 hexadecimal digits", KeyId::parse)?;
        let mut both = Vec::with_capacity(2);
        for algorithm in Algorithm::BOTH {
            let what = format!("the {algorithm} signature of {by} in base64");
            both.push(lines.value(field(algorithm), &what, |text| STANDARD.decode(text).ok())?);
        }
        let signature = match both.as_slice() {
            [ed25519, ml_dsa] => Signature::from_bytes(ed25519, ml_dsa),
            _ => return Err(lines.wrong("two signatures")),
        };
        let signature = signature.map_err(|e| lines.wrong(&format!("whole signatures: {e}")))?;
        signatures.push(MemberSignature { by, key, signature });
    }
    Ok((checks, signatures))
}

/// Where the terms differ from the checks of their lines.
pub(super) enum Place {
    Line(usize),
    Count { signed: usize },
}

impl Place {
    pub(super) fn error(&self, body: &str, why: Option<String>) -> DeedError {
        match self {
            Self::Line(line) => DeedError::Changed {
                line: *line,
                shown: shortened(body.lines().nth(line - 1).unwrap_or_default()),
                why,
            },
            Self::Count { signed } => DeedError::Lines {
                found: body.lines().count(),
                signed: *signed,
            },
        }
    }
}

pub(super) fn first_changed(body: &str, stated: &str) -> Option<Place> {
    let signed = stated.len() / CHECK_DIGITS;
    let differs = (1_u32..)
        .zip(body.lines())
        .zip(stated.as_bytes().chunks(CHECK_DIGITS))
        .position(|((number, line), stated)| check(number, line).as_bytes() != stated);
    match (differs, body.lines().count() == signed) {
        (_, false) => Some(Place::Count { signed }),
        (Some(index), true) => Some(Place::Line(index + 1)),
        (None, true) => None,
    }
}
