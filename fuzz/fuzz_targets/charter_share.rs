//! A party's share file: any bytes, any bytes under a right checksum, and share files made up here from
//! `docs/format/charter.md`. Read exactly when the rules allow it, and then given back as the same text.
#![no_main]

use aws_lc_rs::digest::{SHA512_256, digest};
use charter::{ShareError, ShareFile};
use fuzz::{Input, bounded};
use libfuzzer_sys::fuzz_target;
use std::fmt::Write as _;
use words::hex;

const GOLDEN: &str = include_str!("../../crates/charter/tests/it/golden/share-format-1.clarence");
const LAST: &str = "end of clarence share file\n";

fuzz_target!(|data: &[u8]| {
    // If the checksum were computed otherwise than the room does, nothing below would get past it.
    assert_eq!(with_right_checksum(GOLDEN).as_deref(), Some(GOLDEN));
    let mut input = Input::new(data);
    match input.u8() % 3 {
        0 => drop(read(input.rest())),
        1 => {
            let text = String::from_utf8_lossy(input.rest()).replace("\r\n", "\n");
            if let Some(text) = with_right_checksum(&text)
                && let Err(ShareError::Damaged { place }) = read(text.as_bytes())
            {
                assert!(!place.contains("match"), "the checksum is right: {place}");
            }
        }
        _ => made_up(&mut input),
    }
});

fn read(bytes: &[u8]) -> Result<ShareFile, ShareError> {
    let found = ShareFile::parse(bytes);
    match &found {
        Ok(share) => {
            let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
            assert_eq!(*share.to_text(), text);
        }
        Err(error) => bounded(error),
    }
    found
}

/// The text up to its checksum, with the right one and the last line.
fn with_right_checksum(text: &str) -> Option<String> {
    let body = &text[..text.rfind("\nchecksum ")? + 1];
    let hash = digest(
        &SHA512_256,
        &[b"clarence/v1/share-file\0", body.as_bytes()].concat(),
    );
    let checksum = hex::encode(&hash.as_ref()[..16]);
    Some(format!("{body}checksum    {checksum}\n{LAST}"))
}

/// A share file with these fields, right in everything else.
struct Fields {
    cloud: [u8; 16],
    name: String,
    ceremony: [u8; 16],
    epoch: u32,
    threshold: u8,
    holders: Vec<String>,
    own: usize,
    share: [u8; 32],
}

fn made_up(input: &mut Input<'_>) {
    let count = input.below(19);
    let fields = Fields {
        cloud: input.array(),
        ceremony: input.array(),
        share: input.array(),
        epoch: u32::from(input.u16()),
        threshold: input.u8() % 18,
        own: input.below(count.max(1)),
        name: word(input, "lu"),
        holders: (0..count)
            .map(|at| word(input, &format!("party-{at}")))
            .collect(),
    };
    let Some(text) = fields.text() else {
        return;
    };
    let found = read(text.as_bytes());
    assert_eq!(found.is_ok(), fields.fit(), "{text}{found:?}");
    if let Ok(share) = found {
        assert_eq!(share.party().as_str(), fields.holders[fields.own]);
        assert_eq!(usize::from(share.x()), fields.own + 1);
        assert_eq!(
            (share.epoch(), share.cloud().as_bytes()),
            (fields.epoch, &fields.cloud)
        );
    }
}

/// A word of the input, or this one if it has none.
fn word(input: &mut Input<'_>, usual: &str) -> String {
    let word = input.text(9);
    let fits = !word.is_empty() && word.chars().all(|c| (' '..='~').contains(&c));
    if fits { word } else { usual.to_owned() }
}

impl Fields {
    fn fit(&self) -> bool {
        let plain = |name: &String| {
            !matches!(name.as_str(), "." | "..")
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let mut lower: Vec<String> = self
            .holders
            .iter()
            .map(|h| h.to_ascii_lowercase())
            .collect();
        lower.sort();
        lower.dedup();
        let count = self.holders.len();
        plain(&self.name)
            && self.holders.iter().all(plain)
            && lower.len() == count
            && count <= 16
            && (2..=count).contains(&usize::from(self.threshold))
            && self.epoch > 0
    }

    /// `None` if there is no holder to give the share to.
    fn text(&self) -> Option<String> {
        let own = self.holders.get(self.own)?;
        let count = self.holders.len();
        let threshold = self.threshold;
        let head: String = GOLDEN.split_inclusive('\n').take(6).collect();
        let head = head
            .replace(" 2 of these 3 ", &format!(" {threshold} of these {count} "))
            .replace(" each of 2 ", &format!(" each of {threshold} "));
        let mut text = format!(
            "{head}\
             cloud       {}\n\
             cloud name  {}\n\
             ceremony    {}\n\
             epoch       {}\n\
             charter     {}\n\
             threshold   {threshold} of {count}\n\
             key check   {}\n",
            hex::encode(&self.cloud),
            self.name,
            hex::encode(&self.ceremony),
            self.epoch,
            "a5".repeat(32),
            "5a".repeat(32),
        );
        for (at, holder) in self.holders.iter().enumerate() {
            let digest = match at == self.own {
                true => self.digest(at, holder),
                false => "00".repeat(32),
            };
            let _ = writeln!(text, "holder      {} {digest} {holder}", at + 1);
        }
        let _ = writeln!(text, "this share  {} {own}", self.own + 1);
        for half in self.share.chunks(16) {
            let groups: Vec<String> = half.chunks(2).map(hex::encode).collect();
            let _ = writeln!(text, "share       {}", groups.join(" "));
        }
        text += "checksum    \n";
        with_right_checksum(&text)
    }

    /// What the share hashes to, with everything it is bound to.
    fn digest(&self, at: usize, holder: &str) -> String {
        let length = u32::try_from(holder.len()).expect("a short name");
        let parts: [&[u8]; 8] = [
            b"clarence/v1/share-digest\0",
            &self.cloud,
            &self.ceremony,
            &self.epoch.to_be_bytes(),
            &[u8::try_from(at + 1).expect("few holders")],
            &length.to_be_bytes(),
            holder.as_bytes(),
            &self.share,
        ];
        hex::encode(digest(&SHA512_256, &parts.concat()).as_ref())
    }
}
