//! The spelling of a share file. Reading is: first line, last line, checksum, fields, and then the whole is
//! written again and compared, so that no second spelling slips through.

use super::{SHARE_FILE_BYTES_MAX, ShareError, ShareFile};
use crate::charter::CharterDigest;
use crate::derive::sha512_256;
use crate::record::custody::{CeremonyId, Custody, Holder, ShareDigest};
use crate::secret::KeyCheck;
use crate::shamir::{SECRET_BYTES, Value, blank};
use std::fmt::Write as _;
use std::str::FromStr;
use words::{CloudId, PartyName, hex};
use zeroize::Zeroizing;

/// How every share file begins; the number of its format follows.
pub(super) const FIRST: &str = "clarence share file, format ";
const FORMAT: u32 = 1;
const LAST: &str = "end of clarence share file\n";
pub(in crate::record) const CHECKSUM: &str = "checksum    ";
const CHECKSUM_LABEL: &[u8] = b"clarence/v1/share-file\0";
/// The labels of lines are padded to so many columns.
const LABEL_COLUMNS: usize = 12;
const CHECKSUM_BYTES: usize = 16;
/// Enough for 16 holders, so that the text never grows and leaves a copy of the share behind.
const TEXT_CAPACITY: usize = 8 * 1024;

pub(super) fn render(file: &ShareFile) -> Zeroizing<String> {
    let custody = &file.custody;
    let mut text = Zeroizing::new(String::with_capacity(TEXT_CAPACITY));
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "{FIRST}{FORMAT}\n\
         #\n\
         # One party's share of the root key of a cloud: {threshold} of these {count} open everything in it.\n\
         # Keep it offline and apart from the others, and show it to nobody.\n\
         # To open the cloud, each of {threshold} parties runs: clarence unseal --share FILE\n\
         #\n",
        threshold = custody.threshold,
        count = custody.holders.len(),
    );
    render_custody(&mut text, custody);
    let _ = writeln!(text, "this share  {} {}", file.x, file.party);
    render_value(&mut text, "share", &file.share);
    let checksum = checksum(CHECKSUM_LABEL, text.as_bytes());
    let _ = write!(text, "{CHECKSUM}{checksum}\n{LAST}");
    text
}

/// The lines of the record of custody, which every kind of share file repeats.
pub(in crate::record) fn render_custody(text: &mut String, custody: &Custody) {
    let _ = write!(
        text,
        "cloud       {cloud}\n\
         cloud name  {name}\n\
         ceremony    {ceremony}\n\
         epoch       {epoch}\n\
         charter     {charter}\n\
         threshold   {threshold} of {count}\n\
         key check   {check}\n",
        threshold = custody.threshold,
        count = custody.holders.len(),
        cloud = custody.cloud,
        name = custody.cloud_name,
        ceremony = custody.ceremony,
        epoch = custody.epoch,
        charter = custody.charter,
        check = custody.key_check,
    );
    for holder in &custody.holders {
        let _ = writeln!(
            text,
            "holder      {} {} {}",
            holder.x, holder.digest, holder.party
        );
    }
}

/// A secret value in two lines of groups of four digits.
pub(in crate::record) fn render_value(text: &mut String, label: &str, value: &Value) {
    for half in value.chunks(SECRET_BYTES / 2) {
        text.push_str(label);
        text.extend(std::iter::repeat_n(' ', LABEL_COLUMNS - 1 - label.len()));
        for pair in half.chunks(2) {
            text.push(' ');
            push_hex(text, pair);
        }
        text.push('\n');
    }
}

/// Hexadecimal written digit by digit, so that no copy of the share is left in memory.
fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
}

pub(in crate::record) fn checksum(label: &[u8], body: &[u8]) -> String {
    let digest = sha512_256(&[label, body]);
    hex::encode(digest.get(..CHECKSUM_BYTES).unwrap_or_default())
}

pub(super) fn parse(bytes: &[u8]) -> Result<ShareFile, ShareError> {
    if bytes.len() as u64 > SHARE_FILE_BYTES_MAX {
        return Err(ShareError::NotAShareFile);
    }
    check_first_line(FIRST, bytes)?;
    let text = unix_lines(bytes)?;
    let body = checked_body(&text, CHECKSUM_LABEL, LAST)?;
    let file = fields(body)?;
    match *file.to_text() == *text {
        true => Ok(file),
        false => Err(ShareError::Malformed { field: "comment" }),
    }
}

pub(in crate::record) fn check_first_line(first: &str, bytes: &[u8]) -> Result<(), ShareError> {
    let Some(rest) = bytes.strip_prefix(first.as_bytes()) else {
        let begun = !bytes.is_empty() && first.as_bytes().starts_with(bytes);
        return Err(if begun {
            ShareError::CutShort
        } else {
            ShareError::NotAShareFile
        });
    };
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return Err(ShareError::CutShort);
    };
    let number = rest
        .get(..end)
        .and_then(|n| std::str::from_utf8(n).ok())
        .map(|n| n.trim_end_matches('\r'));
    match number.and_then(decimal::<u32>) {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => Err(ShareError::NewerFormat { found }),
        _ => Err(damaged("its first line")),
    }
}

/// The text with the line ends of Unix: a mail program may have changed them, which harms nothing.
pub(in crate::record) fn unix_lines(bytes: &[u8]) -> Result<Zeroizing<String>, ShareError> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len()));
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\r' if rest.peek() == Some(&&b'\n') => {}
            b'\n' | b' '..=b'~' => text.push(char::from(*byte)),
            other => {
                return Err(damaged(&format!(
                    "a byte {other:#04x} that no share file has"
                )));
            }
        }
    }
    Ok(text)
}

/// Everything before the checksum, once the last line and the checksum are right.
pub(in crate::record) fn checked_body<'t>(
    text: &'t str,
    label: &[u8],
    end: &str,
) -> Result<&'t str, ShareError> {
    let mark = text.rfind("\nchecksum ").map(|at| at + 1);
    let Some(head) = text.strip_suffix(end) else {
        // Behind the checksum's line there must be room for the last one; otherwise the file just ends early.
        let tail = mark
            .and_then(|at| text.get(at..))
            .and_then(|tail| tail.split_once('\n'));
        let whole = tail.is_some_and(|(_, last)| last.len() >= end.len());
        return Err(if whole {
            damaged("its last line")
        } else {
            ShareError::CutShort
        });
    };
    let place = mark
        .filter(|at| *at < head.len())
        .ok_or_else(|| damaged("the line \"checksum\" is missing"))?;
    let (body, line) = head.split_at(place);
    let stated = line
        .strip_prefix(CHECKSUM)
        .and_then(|rest| rest.strip_suffix('\n'));
    match stated == Some(checksum(label, body.as_bytes()).as_str()) {
        true => Ok(body),
        false => Err(damaged("its checksum does not match")),
    }
}

fn damaged(place: &str) -> ShareError {
    ShareError::Damaged {
        place: place.to_owned(),
    }
}

fn fields(body: &str) -> Result<ShareFile, ShareError> {
    let mut lines = Lines::of(body);
    let custody = custody(&mut lines)?;
    let (x, party) = lines.take("this share", point_and_party)?;
    let share = value(&mut lines, "share")?;
    lines.finish()?;
    ShareFile::new(custody, party, x, share)
}

pub(in crate::record) fn point_and_party(text: &str) -> Option<(u8, PartyName)> {
    let (x, party) = text.split_once(' ')?;
    Some((decimal::<u8>(x)?, PartyName::parse(party).ok()?))
}

pub(in crate::record) fn value(
    lines: &mut Lines<'_>,
    label: &'static str,
) -> Result<Value, ShareError> {
    let mut share = blank();
    for half in share.chunks_mut(SECRET_BYTES / 2) {
        lines.take(label, |t| read_groups(t, half))?;
    }
    Ok(share)
}

/// The record of custody that every kind of share file repeats.
pub(in crate::record) fn custody(lines: &mut Lines<'_>) -> Result<Custody, ShareError> {
    let cloud = lines.take("cloud", CloudId::parse)?;
    let cloud_name = lines.take("cloud name", |name| Some(name.to_owned()))?;
    let ceremony = lines.take("ceremony", CeremonyId::parse)?;
    let epoch = lines.take("epoch", decimal::<u32>)?;
    let charter = lines.take("charter", |t| {
        hex::decode_array(t).map(CharterDigest::from_bytes)
    })?;
    let (threshold, count) = lines.take("threshold", |t| {
        let (threshold, count) = t.split_once(" of ")?;
        Some((decimal::<u8>(threshold)?, decimal::<u8>(count)?))
    })?;
    let key_check = lines.take("key check", |t| {
        hex::decode_array(t).map(KeyCheck::from_bytes)
    })?;
    let mut holders = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        holders.push(lines.take("holder", holder)?);
    }
    let custody = Custody {
        cloud,
        cloud_name,
        ceremony,
        epoch,
        charter,
        threshold,
        key_check,
        holders,
    };
    custody
        .checked()
        .map_err(|_| ShareError::Malformed { field: "holder" })
}

fn holder(text: &str) -> Option<Holder> {
    let mut words = text.splitn(3, ' ');
    let x = decimal::<u8>(words.next()?)?;
    let digest = ShareDigest::from_bytes(hex::decode_array(words.next()?)?);
    Some(Holder {
        party: PartyName::parse(words.next()?).ok()?,
        x,
        digest,
    })
}

/// Reads groups of four digits into place, without a copy on the way.
fn read_groups(text: &str, into: &mut [u8]) -> Option<()> {
    let mut digits = text
        .bytes()
        .filter(|c| *c != b' ')
        .map(|c| char::from(c).to_digit(16));
    for byte in into {
        let high = digits.next()??;
        let low = digits.next()??;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    digits.next().is_none().then_some(())
}

pub(in crate::record) fn decimal<N: FromStr>(text: &str) -> Option<N> {
    let plain = text.bytes().all(|c| c.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

pub(in crate::record) struct Lines<'a>(Vec<&'a str>, usize);

impl<'a> Lines<'a> {
    /// The lines of a body behind its first line and the comments.
    pub(in crate::record) fn of(body: &'a str) -> Self {
        let lines = body.lines().skip(1);
        Self(lines.skip_while(|line| line.starts_with('#')).collect(), 0)
    }
    /// The next line must have this label, padded to twelve columns, and a value that `read` understands.
    pub(in crate::record) fn take<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, ShareError> {
        let line = self.0.get(self.1).copied().unwrap_or_default();
        self.1 += 1;
        line.split_at_checked(LABEL_COLUMNS)
            .filter(|(label, _)| label.trim_end() == field)
            .and_then(|(_, value)| read(value))
            .ok_or(ShareError::Malformed { field })
    }
    pub(in crate::record) fn finish(self) -> Result<(), ShareError> {
        match self.0.len() == self.1 {
            true => Ok(()),
            false => Err(ShareError::Malformed { field: "share" }),
        }
    }
}
