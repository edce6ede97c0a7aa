//! One printable document: a first line that says what it is, lines of `label value`, a checksum over all of
//! it, a last line. There is one spelling of every sheet: whoever reads one writes it again and compares, so
//! that a byte more, less or other is refused.
//!
//! ```text
//! clarence <kind>, format <n>
//! # (lines of comment, fixed by the kind)
//! label         value                    the label is padded to fourteen columns
//! Ed25519       base64, 72 columns to a line, the label repeated
//! checksum      32 hexadecimal digits
//! end of clarence <kind>
//! ```

use crate::key::{Algorithm, PublicKey, Signature};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use words::hex;
use zeroize::Zeroizing;

/// How far labels are padded.
const LABEL_COLUMNS: usize = 14;
/// How many characters of base64 stand in one line.
const BASE64_COLUMNS: usize = 72;
const CHECKSUM: &str = "checksum      ";
const CHECKSUM_BYTES: usize = 16;

/// What a sheet is: fixed by the format.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The name in the first and the last line.
    pub name: &'static str,
    /// The newest format that this build reads, and the one it writes.
    pub format: u32,
    /// Lines for people, each beginning with `#` and ending with a line feed.
    pub comment: &'static str,
    /// No sheet of this kind is longer.
    pub bytes_max: usize,
}

/// Why bytes are not a sheet of the kind that was asked for. Nothing was taken from them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// The first line is another one.
    #[error("this is not a clarence {kind}: its first line is another one")]
    OtherKind {
        /// What was asked for.
        kind: &'static str,
    },
    /// More bytes than any sheet of this kind has.
    #[error("this is not a clarence {kind}: it has {found} bytes, at most {max} are allowed")]
    TooLong {
        /// What was asked for.
        kind: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The most that is read.
        max: usize,
    },
    /// The format is one that this build does not know.
    #[error("the {kind} has format {found}; this build reads up to {known}; use a newer build")]
    Format {
        /// What was asked for.
        kind: &'static str,
        /// The number in the first line.
        found: String,
        /// The newest that this build reads.
        known: u32,
    },
    /// The last line is missing.
    #[error("the {kind} is cut short: its last line is missing; copy it again")]
    CutShort {
        /// What was asked for.
        kind: &'static str,
    },
    /// Bytes follow the last line.
    #[error(
        "{count} bytes follow the last line of the {kind}; it was changed on the way; copy it again"
    )]
    Trailing {
        /// What was asked for.
        kind: &'static str,
        /// How many.
        count: usize,
    },
    /// The checksum does not match.
    #[error("the {kind} is damaged: {place}; copy it again")]
    Damaged {
        /// What was asked for.
        kind: &'static str,
        /// Where.
        place: String,
    },
    /// A line is not what the format says, although the checksum is right.
    #[error("line {line} of the {kind} is not what the format says: expected {expected:?}")]
    Line {
        /// What was asked for.
        kind: &'static str,
        /// Its number, from 1.
        line: usize,
        /// The label that was expected.
        expected: String,
    },
    /// One of the two signatures is not there.
    #[error("the {algorithm} signature of the {kind} is missing; both signatures are needed")]
    SignatureMissing {
        /// What was asked for.
        kind: &'static str,
        /// Which one.
        algorithm: Algorithm,
    },
}

/// A sheet being written. The text is wiped when it is dropped, because some sheets hold secrets.
pub struct Sheet {
    kind: Kind,
    text: Zeroizing<String>,
}

impl Sheet {
    /// Begins a sheet of the newest format of its kind.
    #[must_use]
    pub fn begin(kind: Kind) -> Self {
        // The capacity is the largest there is, so that growing never leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(kind.bytes_max));
        // Writing into a String cannot fail.
        let _ = writeln!(text, "clarence {}, format {}", kind.name, kind.format);
        text.push_str(kind.comment);
        Self { kind, text }
    }
    /// One line. Labels have at most thirteen characters; the value must be a plain line.
    #[must_use]
    pub fn field(mut self, label: &str, value: impl std::fmt::Display) -> Self {
        let _ = writeln!(self.text, "{label:LABEL_COLUMNS$}{value}");
        self
    }
    /// Bytes in base64, over as many lines as they need.
    #[must_use]
    pub fn long(mut self, label: &str, bytes: &[u8]) -> Self {
        let encoded = STANDARD.encode(bytes);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at_checked(BASE64_COLUMNS).unwrap_or((rest, ""));
            let _ = writeln!(self.text, "{label:LABEL_COLUMNS$}{line}");
            rest = after;
        }
        self
    }
    /// Secret bytes as hexadecimal, digit by digit, so that no copy is left in memory.
    #[must_use]
    pub fn secret(mut self, label: &str, bytes: &[u8]) -> Self {
        let _ = write!(self.text, "{label:LABEL_COLUMNS$}");
        for byte in bytes {
            for half in [byte >> 4, byte & 15] {
                self.text
                    .push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
            }
        }
        self.text.push('\n');
        self
    }
    /// Both public keys.
    #[must_use]
    pub fn public_key(self, key: &PublicKey) -> Self {
        Algorithm::BOTH.iter().fold(self, |sheet, algorithm| {
            sheet.long(key_label(*algorithm), key.bytes(*algorithm))
        })
    }
    /// Both signatures.
    #[must_use]
    pub fn signature(self, signature: &Signature) -> Self {
        Algorithm::BOTH.iter().fold(self, |sheet, algorithm| {
            sheet.long(algorithm.name(), signature.bytes(*algorithm))
        })
    }
    /// Everything so far: what a signature at this place covers.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.text
    }
    /// Ends the sheet.
    #[must_use]
    pub fn finish(mut self) -> Zeroizing<String> {
        let checksum = checksum(self.text.as_bytes());
        let _ = writeln!(self.text, "{CHECKSUM}{checksum}");
        let _ = writeln!(self.text, "end of clarence {}", self.kind.name);
        self.text
    }
}

const fn key_label(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "key Ed25519",
        Algorithm::MlDsa65 => "key ML-DSA-65",
    }
}

fn checksum(body: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA512_256);
    context.update(b"clarence/v1/sheet\0");
    context.update(body);
    hex::encode(
        context
            .finish()
            .as_ref()
            .get(..CHECKSUM_BYTES)
            .unwrap_or_default(),
    )
}

/// Takes one sheet apart, line by line.
pub struct SheetReader<'a> {
    kind: Kind,
    text: &'a str,
    /// Where the next line begins.
    at: usize,
    /// Where the checksum begins.
    end: usize,
    line: usize,
}

impl<'a> SheetReader<'a> {
    /// Checks everything around the fields: length, first line, last line, checksum, comment.
    pub fn open(kind: Kind, bytes: &'a [u8]) -> Result<Self, SheetError> {
        let name = kind.name;
        if bytes.len() > kind.bytes_max {
            return Err(SheetError::TooLong {
                kind: name,
                found: bytes.len(),
                max: kind.bytes_max,
            });
        }
        check_first_line(kind, bytes)?;
        let damaged = |place: &str| SheetError::Damaged {
            kind: name,
            place: place.to_owned(),
        };
        let text =
            std::str::from_utf8(bytes).map_err(|_| damaged("it holds bytes that are not text"))?;
        let end = checked_end(kind, text)?;
        let first = text.find('\n').map_or(text.len(), |at| at + 1);
        let commented = text
            .get(first..)
            .is_some_and(|rest| rest.starts_with(kind.comment));
        if !commented {
            return Err(damaged("its lines of comment are not those of the format"));
        }
        let at = first + kind.comment.len();
        Ok(Self {
            kind,
            text,
            at: at.min(end),
            end,
            line: 2 + kind.comment.lines().count(),
        })
    }

    fn peek_line(&self) -> Option<&'a str> {
        let rest = self.text.get(self.at..self.end)?;
        rest.split_once('\n').map(|(line, _)| line)
    }
    fn value_of(&self, label: &str) -> Option<&'a str> {
        let line = self.peek_line()?;
        let (head, value) = line.split_at_checked(LABEL_COLUMNS)?;
        (head.trim_end_matches(' ') == label).then_some(value)
    }
    fn step(&mut self) {
        self.at += self.peek_line().map_or(0, |line| line.len() + 1);
        self.line += 1;
    }
    /// The error that names this line.
    #[must_use]
    pub fn wrong(&self, expected: &str) -> SheetError {
        SheetError::Line {
            kind: self.kind.name,
            line: self.line,
            expected: expected.to_owned(),
        }
    }
    /// The next line must have this label and a value that `read` understands.
    pub fn take<T>(
        &mut self,
        label: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, SheetError> {
        let value = self.value_of(label).and_then(read);
        let value = value.ok_or_else(|| self.wrong(label))?;
        self.step();
        Ok(value)
    }
    /// The same, if the next line has this label.
    pub fn take_if<T>(
        &mut self,
        label: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, SheetError> {
        match self.value_of(label) {
            Some(_) => self.take(label, read).map(Some),
            None => Ok(None),
        }
    }
    /// All lines that follow with this label, at most `max`.
    pub fn take_all<T>(
        &mut self,
        label: &str,
        max: usize,
        read: impl Fn(&'a str) -> Option<T>,
    ) -> Result<Vec<T>, SheetError> {
        let mut found = Vec::new();
        while let Some(one) = self.take_if(label, &read)? {
            if found.len() == max {
                return Err(self.wrong(&format!("at most {max} lines of {label}")));
            }
            found.push(one);
        }
        Ok(found)
    }
    /// Bytes written by [`Sheet::long`].
    pub fn long(&mut self, label: &str) -> Result<Vec<u8>, SheetError> {
        let mut encoded = String::new();
        while let Some(part) = self.take_if(label, Some)? {
            encoded.push_str(part);
        }
        if encoded.is_empty() {
            return Err(self.wrong(label));
        }
        STANDARD.decode(encoded).map_err(|_| self.wrong(label))
    }
    /// Bytes written by [`Sheet::secret`], into memory that is wiped.
    pub fn secret(&mut self, label: &str, into: &mut [u8]) -> Result<(), SheetError> {
        self.take(label, |digits| {
            let mut digits = digits.bytes().map(|c| char::from(c).to_digit(16));
            for byte in into {
                let high = digits.next()??;
                let low = digits.next()??;
                *byte = u8::try_from(high << 4 | low).ok()?;
            }
            digits.next().is_none().then_some(())
        })
    }
    /// Both public keys.
    pub fn public_key(&mut self) -> Result<PublicKey, SheetError> {
        let line = self.line;
        let ed25519 = self.long(key_label(Algorithm::Ed25519))?;
        let ml_dsa = self.long(key_label(Algorithm::MlDsa65))?;
        PublicKey::from_bytes(&ed25519, &ml_dsa).map_err(|e| SheetError::Line {
            kind: self.kind.name,
            line,
            expected: e.to_string(),
        })
    }
    /// Both signatures. One that is not there is named.
    pub fn signature(&mut self) -> Result<Signature, SheetError> {
        let line = self.line;
        let mut both = Vec::with_capacity(2);
        for algorithm in Algorithm::BOTH {
            if self.value_of(algorithm.name()).is_none() {
                return Err(SheetError::SignatureMissing {
                    kind: self.kind.name,
                    algorithm,
                });
            }
            both.push(self.long(algorithm.name())?);
        }
        match both.as_slice() {
            [ed25519, ml_dsa] => {
                Signature::from_bytes(ed25519, ml_dsa).map_err(|e| SheetError::Line {
                    kind: self.kind.name,
                    line,
                    expected: e.to_string(),
                })
            }
            _ => Err(self.wrong("two signatures")),
        }
    }
    /// Whether every field has been taken.
    #[must_use]
    pub const fn at_end(&self) -> bool {
        self.at == self.end
    }
    /// Everything up to here: what a signature at this place covers.
    #[must_use]
    pub fn body(&self) -> &'a str {
        self.text.get(..self.at).unwrap_or_default()
    }
    /// Ends the sheet: nothing may be left, and what was read, written again, must be the same text.
    pub fn finish(self, written: &str) -> Result<(), SheetError> {
        if self.at != self.end {
            return Err(self.wrong("checksum"));
        }
        if written == self.text {
            return Ok(());
        }
        let same = (self.text.split('\n').zip(written.split('\n')))
            .take_while(|(found, expected)| found == expected)
            .count();
        Err(SheetError::Line {
            kind: self.kind.name,
            line: same + 1,
            expected: written
                .split('\n')
                .nth(same)
                .unwrap_or_default()
                .chars()
                .take(LABEL_COLUMNS)
                .collect::<String>()
                .trim_end()
                .to_owned(),
        })
    }
}

fn check_first_line(kind: Kind, bytes: &[u8]) -> Result<(), SheetError> {
    let name = kind.name;
    let first = format!("clarence {name}, format ");
    let Some(rest) = bytes.strip_prefix(first.as_bytes()) else {
        let begun = !bytes.is_empty() && first.as_bytes().starts_with(bytes);
        return Err(match begun {
            true => SheetError::CutShort { kind: name },
            false => SheetError::OtherKind { kind: name },
        });
    };
    let Some(end) = rest.iter().take(12).position(|byte| *byte == b'\n') else {
        return Err(match rest.len() < 12 {
            true => SheetError::CutShort { kind: name },
            false => SheetError::OtherKind { kind: name },
        });
    };
    let number = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
    // Formats below the newest are read as well; today there is only one.
    match number == kind.format.to_string() {
        true => Ok(()),
        false => Err(SheetError::Format {
            kind: name,
            found: number,
            known: kind.format,
        }),
    }
}

/// Where the checksum's line begins, if the last line is there and the checksum is right.
fn checked_end(kind: Kind, text: &str) -> Result<usize, SheetError> {
    let name = kind.name;
    let last = format!("end of clarence {name}\n");
    let damaged = |place: &str| SheetError::Damaged {
        kind: name,
        place: place.to_owned(),
    };
    let Some(head) = text.strip_suffix(last.as_str()) else {
        return Err(match text.rfind(&format!("\n{last}")) {
            Some(at) => SheetError::Trailing {
                kind: name,
                count: text.len() - at - 1 - last.len(),
            },
            None => SheetError::CutShort { kind: name },
        });
    };
    let mark = head
        .rfind("\nchecksum ")
        .map(|at| at + 1)
        .ok_or_else(|| damaged("the line \"checksum\" is missing"))?;
    let (body, line) = head.split_at(mark);
    let stated = line
        .strip_prefix(CHECKSUM)
        .and_then(|rest| rest.strip_suffix('\n'));
    match stated == Some(checksum(body.as_bytes()).as_str()) {
        true => Ok(mark),
        false => Err(damaged("its checksum does not match")),
    }
}

/// Whether text may stand in a line for people: letters of the Latin alphabets of western and central
/// Europe, digits, usual punctuation, single spaces inside. Characters that look like others, have no width
/// or turn the direction of writing are left out, so that what is read is what is signed.
#[must_use]
pub fn is_plain_line(text: &str, chars_max: usize) -> bool {
    let fits = |c: char| {
        matches!(c, ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{17f}')
            || "\u{2013}\u{2014}\u{2018}\u{2019}\u{201a}\u{201c}\u{201d}\u{201e}\u{20ac}"
                .contains(c)
    };
    !text.is_empty()
        && text.chars().count() <= chars_max
        && text.chars().all(fits)
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.contains("  ")
}

/// The smallest spelling of a whole number: no sign, no leading zero.
#[must_use]
pub fn decimal<N: std::str::FromStr>(text: &str) -> Option<N> {
    let plain = !text.is_empty()
        && text.bytes().all(|c| c.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}
