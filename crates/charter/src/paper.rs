//! A share on paper, in words that can be read aloud and typed in again. Each word stands for two bytes and is
//! spelled by rule (consonant, vowel, consonant, vowel, consonant), so that there is no list of words to keep and
//! no language to know. Each line ends with a word that checks it: one wrong word, or two that changed places,
//! are noticed for certain, and the line is named. The last line checks the whole, and what it belongs to.
//!
//! What is public is not on the paper: the record of custody lies in each site's folder and in every share file.

use crate::derive::sha512_256;
use crate::record::{Custody, OfficerShare, ShareError, ShareFile, Split};
use crate::shamir::{SECRET_BYTES, Value, blank};
use std::fmt::Write as _;
use words::PartyName;
use words::wire::Writer;
use zeroize::Zeroizing;

const FIRST: &str = "clarence paper share, format 1";
const LAST: &str = "end of clarence paper share";
const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";
/// Words of a line, without the one that checks it.
const LINE_WORDS: usize = 4;
/// Lines of the share itself; one more checks the whole.
const LINES: usize = SECRET_BYTES / 2 / LINE_WORDS;
/// No paper has more characters.
pub const PAPER_CHARS_MAX: usize = 4096;

/// Why a paper was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaperError {
    /// It is something else.
    #[error("this is not a paper share: its first line is not \"{FIRST}\"")]
    NotAPaper,
    /// A line is missing, or there is one too many.
    #[error(
        "the paper has {found} lines of words; it has to have {}; look for a line that was left out",
        LINES + 1
    )]
    Lines {
        /// How many there are.
        found: usize,
    },
    /// A line has too few or too many words, or the wrong number before it.
    #[error("line {line} of the words does not have its number and {} words", LINE_WORDS + 1)]
    Shape {
        /// The line, from 1.
        line: usize,
    },
    /// A word is none.
    #[error(
        "word {word} of line {line} is no word of a paper share: {found:?}; compare it with the paper"
    )]
    Word {
        /// The line, from 1.
        line: usize,
        /// The word, from 1.
        word: usize,
        /// What stands there.
        found: String,
    },
    /// A line's words do not fit each other.
    #[error(
        "line {line} of the words is wrong: a word of it was misread, or two changed places; compare it with the paper"
    )]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// The line that says whose share it is cannot be read.
    #[error("the line \"share\" of the paper does not say whose share it is")]
    Holder,
    /// Each line is right, the whole is not.
    #[error(
        "the words are whole but do not belong to this cloud, ceremony and epoch, or not to {holder}; use the record of custody of the time of the paper"
    )]
    Elsewhere {
        /// Whom the paper names.
        holder: PartyName,
    },
    /// The share is not the one that its holder was given.
    #[error(transparent)]
    Share(#[from] ShareError),
}

/// A paper as it was read: each line is right. Whose share it is shows when it is compared with the public
/// records. Wiped when dropped.
pub struct Paper {
    x: u8,
    holder: PartyName,
    value: Value,
    check: [u8; 2 * LINE_WORDS],
}

/// Multiplication in GF(2^16) by x, modulo x^16 + x^12 + x^3 + x + 1.
const fn doubled(value: u16) -> u16 {
    let carried = value >> 15 == 1;
    (value << 1) ^ if carried { 0x100b } else { 0 }
}

/// The word that checks a line: a sum with a different weight for each place and for the line's number. A
/// change of one word changes it, and so does an exchange of two that differ.
fn line_check(line: usize, words: &[u16]) -> u16 {
    let number = u16::try_from(line).unwrap_or(u16::MAX);
    words
        .iter()
        .chain([&number])
        .fold(0x2a5, |sum, word| doubled(sum) ^ word)
}

fn push_word(text: &mut String, word: u16) {
    let letter = |alphabet: &[u8], shift: u32, bits: u32| {
        let at = usize::from(word >> shift) & ((1 << bits) - 1);
        char::from(alphabet.get(at).copied().unwrap_or(b'?'))
    };
    text.push(letter(CONSONANTS, 12, 4));
    text.push(letter(VOWELS, 10, 2));
    text.push(letter(CONSONANTS, 6, 4));
    text.push(letter(VOWELS, 4, 2));
    text.push(letter(CONSONANTS, 0, 4));
}

fn word_of(text: &str) -> Option<u16> {
    let mut word = 0u16;
    let letters = text.as_bytes();
    if letters.len() != 5 {
        return None;
    }
    for (place, letter) in letters.iter().enumerate() {
        let (alphabet, bits): (&[u8], u32) = if place % 2 == 0 {
            (CONSONANTS, 4)
        } else {
            (VOWELS, 2)
        };
        let letter = letter.to_ascii_lowercase();
        let at = alphabet.iter().position(|of| *of == letter)?;
        word = word << bits | u16::try_from(at).ok()?;
    }
    Some(word)
}

fn words_of(bytes: &[u8]) -> Zeroizing<Vec<u16>> {
    let pairs = bytes.as_chunks::<2>().0;
    Zeroizing::new(pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
}

/// What the last line is over, besides the value.
fn context(custody: &Custody, holder: &PartyName, x: u8, split: Option<&Split>) -> Vec<u8> {
    let writer = Writer::bare()
        .raw(b"clarence/v1/paper\0")
        .raw(custody.cloud().as_bytes())
        .raw(custody.ceremony().as_bytes())
        .u32(custody.epoch())
        .u8(x)
        .bytes(holder.as_str().as_bytes());
    match split {
        None => writer.finish(),
        Some(split) => writer
            .u8(split.party_x)
            .bytes(split.party.as_str().as_bytes())
            .bytes(split.id.to_string().as_bytes())
            .finish(),
    }
}

fn whole_check(context: &[u8], value: &[u8; SECRET_BYTES]) -> [u8; 2 * LINE_WORDS] {
    let digest = sha512_256(&[context, value]);
    let mut check = [0; 2 * LINE_WORDS];
    for (to, from) in check.iter_mut().zip(digest) {
        *to = from;
    }
    check
}

/// A party's share for paper.
#[must_use]
pub fn of_share(share: &ShareFile) -> Zeroizing<String> {
    let context = context(share.custody(), share.party(), share.x(), None);
    let head = format!(
        "# The share of {} in cloud {} ({}), epoch {}.\n",
        share.party(),
        share.custody().cloud_name(),
        share.cloud(),
        share.epoch()
    );
    write(&head, share.x(), share.party(), share.value(), &context)
}

/// An officer's part of a share for paper.
#[must_use]
pub fn of_part(part: &OfficerShare) -> Zeroizing<String> {
    let split = part.split();
    let context = context(&split.custody, part.officer(), part.x(), Some(split));
    let head = format!(
        "# The part of {} of the share of {} in cloud {} ({}), epoch {}, split {}.\n",
        part.officer(),
        split.party,
        split.custody.cloud_name(),
        split.custody.cloud(),
        split.custody.epoch(),
        split.id
    );
    write(&head, part.x(), part.officer(), part.part(), &context)
}

fn write(
    head: &str,
    x: u8,
    holder: &PartyName,
    value: &[u8; SECRET_BYTES],
    context: &[u8],
) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(PAPER_CHARS_MAX));
    // Writing into a String cannot fail.
    let _ = write!(text, "{FIRST}\n{head}share {x} {holder}\n");
    let check = whole_check(context, value);
    let lines = value.chunks(2 * LINE_WORDS).chain([&check[..]]);
    for (number, bytes) in (1..).zip(lines) {
        let words = words_of(bytes);
        let _ = write!(text, "{number} ");
        for word in words.iter().chain([&line_check(number, &words)]) {
            text.push(' ');
            push_word(&mut text, *word);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{LAST}");
    text
}

/// Reads what was typed in from a paper. Case, spaces, empty lines and comments do not matter.
pub fn read(text: &str) -> Result<Paper, PaperError> {
    if text.len() > PAPER_CHARS_MAX {
        return Err(PaperError::NotAPaper);
    }
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    if !lines.next().is_some_and(|line| says(line, FIRST)) {
        return Err(PaperError::NotAPaper);
    }
    let (x, holder) = lines.next().and_then(holder_of).ok_or(PaperError::Holder)?;
    let rest: Vec<&str> = lines.filter(|line| !says(line, LAST)).collect();
    if rest.len() != LINES + 1 {
        return Err(PaperError::Lines { found: rest.len() });
    }
    let mut paper = Paper {
        x,
        holder,
        value: blank(),
        check: [0; 2 * LINE_WORDS],
    };
    let parts = paper
        .value
        .chunks_mut(2 * LINE_WORDS)
        .chain([&mut paper.check[..]]);
    for ((number, line), into) in (1..).zip(rest).zip(parts) {
        read_line(number, line, into)?;
    }
    Ok(paper)
}

/// Whether a line says this, however it is spaced.
fn says(line: &str, what: &str) -> bool {
    let (found, wanted) = (line.split_ascii_whitespace(), what.split(' '));
    found
        .map(str::to_ascii_lowercase)
        .eq(wanted.map(str::to_owned))
}

fn holder_of(line: &str) -> Option<(u8, PartyName)> {
    let mut parts = line.split_ascii_whitespace();
    let word = parts.next()?;
    let (x, name) = (parts.next()?.parse().ok()?, parts.next()?);
    let whole = word.eq_ignore_ascii_case("share") && parts.next().is_none();
    whole.then(|| PartyName::parse(name).ok().map(|name| (x, name)))?
}

fn read_line(line: usize, text: &str, into: &mut [u8]) -> Result<(), PaperError> {
    let mut parts = text.split_ascii_whitespace();
    let numbered = parts
        .next()
        .is_some_and(|number| number.trim_end_matches('.') == line.to_string());
    let mut words = Zeroizing::new(Vec::with_capacity(LINE_WORDS + 1));
    for (place, found) in (1..).zip(parts) {
        if place > LINE_WORDS + 1 {
            return Err(PaperError::Shape { line });
        }
        words.push(word_of(found).ok_or_else(|| PaperError::Word {
            line,
            word: place,
            found: found.chars().take(20).collect(),
        })?);
    }
    let Some((check, words)) = words
        .split_last()
        .filter(|(_, words)| numbered && words.len() == LINE_WORDS)
    else {
        return Err(PaperError::Shape { line });
    };
    if line_check(line, words) != *check {
        return Err(PaperError::Line { line });
    }
    for (to, word) in into.as_chunks_mut::<2>().0.iter_mut().zip(words) {
        *to = word.to_be_bytes();
    }
    Ok(())
}

impl Paper {
    /// Whose share it says it is.
    #[must_use]
    pub const fn holder(&self) -> &PartyName {
        &self.holder
    }

    /// The party's share, with the record of custody that it belongs to.
    pub fn into_share(self, custody: &Custody) -> Result<ShareFile, PaperError> {
        let context = context(custody, &self.holder, self.x, None);
        if whole_check(&context, &self.value) != self.check {
            return Err(PaperError::Elsewhere {
                holder: self.holder,
            });
        }
        Ok(ShareFile::new(
            custody.clone(),
            self.holder,
            self.x,
            self.value,
        )?)
    }

    /// The officer's part, with the splitting that it belongs to, which any other part of it tells.
    pub fn into_part(self, split: &Split) -> Result<OfficerShare, PaperError> {
        let context = context(&split.custody, &self.holder, self.x, Some(split));
        if whole_check(&context, &self.value) != self.check {
            return Err(PaperError::Elsewhere {
                holder: self.holder,
            });
        }
        Ok(OfficerShare::new(split.clone(), self.x, self.value)?)
    }
}

impl std::fmt::Debug for Paper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paper")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}
