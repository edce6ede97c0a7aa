//! Signed notes (C2SP signed-note) and checkpoints (C2SP tlog-checkpoint): text, an empty line, and one
//! line for every signature. Reading is strict, so that one note has one form. Pure; who may sign is
//! decided in [`crate::keys`].

use crate::tree::Hash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use words::UnixMillis;

/// Longest note that is read: room for sixteen post-quantum signatures and more.
pub const NOTE_BYTES_MAX: u64 = 256 * 1024;
/// Most signature lines that are read.
pub const SIGNATURES_MAX: usize = 32;

/// Why bytes are not a signed note or not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not the text that the specification asks for.
    #[error("not a signed note: {0}")]
    Note(&'static str),
    /// The note is well formed and its text is not that of a checkpoint.
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
}

/// One signature of a note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignatureLine {
    /// The key's name.
    pub name: String,
    /// The first four bytes of the hash over name, type and public key.
    pub key_id: [u8; 4],
    /// The signature, by the rules of the key's type.
    pub signature: Vec<u8>,
}

/// A text and the signatures below it. Nothing here says that the signatures are good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// What is signed, with its last newline.
    pub text: String,
    /// The signatures, in order.
    pub signatures: Vec<SignatureLine>,
}

impl Note {
    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Note("it is not UTF-8"))?;
        if note.bytes().any(|c| c < 0x20 && c != b'\n') {
            return Err(NoteError::Note("it has a control character"));
        }
        let (text, below) = note
            .rsplit_once("\n\n")
            .ok_or(NoteError::Note("no empty line"))?;
        let below = below
            .strip_suffix('\n')
            .ok_or(NoteError::Note("the last line is cut"))?;
        Ok(Self {
            text: format!("{text}\n"),
            signatures: SignatureLine::parse_all(below)?,
        })
    }
    /// The note as it is stored and sent.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut note = format!("{}\n", self.text);
        for line in &self.signatures {
            note.push_str(&line.to_text());
        }
        note
    }
}

impl SignatureLine {
    /// Reads one or more signature lines without a note, as a witness answers.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, NoteError> {
        let lines = std::str::from_utf8(bytes).map_err(|_| NoteError::Note("it is not UTF-8"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Note("the last line is cut"))?;
        Self::parse_all(lines)
    }
    /// The line as it stands in a note, with its newline.
    #[must_use]
    pub fn to_text(&self) -> String {
        let blob = [self.key_id.as_slice(), &self.signature].concat();
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(blob))
    }

    fn parse_all(lines: &str) -> Result<Vec<Self>, NoteError> {
        let parsed: Vec<Self> = lines
            .split('\n')
            .map(Self::parse)
            .collect::<Result<_, _>>()?;
        match parsed.len() > SIGNATURES_MAX {
            true => Err(NoteError::Note("too many signatures")),
            false => Ok(parsed),
        }
    }
    fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Note("a signature line is malformed");
        let rest = line.strip_prefix("\u{2014} ").ok_or(malformed.clone())?;
        let (name, blob) = rest.split_once(' ').ok_or(malformed.clone())?;
        let blob = STANDARD.decode(blob).map_err(|_| malformed.clone())?;
        let (key_id, signature) = blob.split_first_chunk::<4>().ok_or(malformed.clone())?;
        if !name_fits(name) || signature.is_empty() {
            return Err(malformed);
        }
        Ok(Self {
            name: name.to_owned(),
            key_id: *key_id,
            signature: signature.to_vec(),
        })
    }
}

/// Whether a key or an origin may be called so: not empty, no spaces, no plus sign, no control characters.
#[must_use]
pub fn name_fits(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// The head of a log: how many entries it has, and the root over them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The log's name; also the name of its keys.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// When it was signed, as an extension line `time <milliseconds>`. The signatures cover it; no proof
    /// depends on it.
    pub time: Option<UnixMillis>,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        );
        if let Some(time) = self.time {
            text.push_str(&format!("time {}\n", time.0));
        }
        text
    }
    /// Reads the text of a note. Extension lines that are not known are passed over.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let lines = text
            .strip_suffix('\n')
            .ok_or(NoteError::Checkpoint("the last line is cut"))?;
        let mut lines = lines.split('\n');
        let origin = lines.next().filter(|origin| name_fits(origin));
        let origin = origin
            .ok_or(NoteError::Checkpoint("the origin is not a name"))?
            .to_owned();
        let size = lines
            .next()
            .and_then(decimal)
            .ok_or(NoteError::Checkpoint("no tree size"))?;
        let root = lines
            .next()
            .and_then(|line| STANDARD.decode(line).ok()?.try_into().ok());
        let root = root.ok_or(NoteError::Checkpoint("no root hash"))?;
        let mut time = None;
        for line in lines {
            match line.strip_prefix("time ") {
                _ if line.is_empty() => return Err(NoteError::Checkpoint("it has an empty line")),
                Some(value) if time.is_none() => {
                    time =
                        Some(decimal(value).ok_or(NoteError::Checkpoint("the time is not one"))?);
                }
                _ => {}
            }
        }
        Ok(Self {
            origin,
            size,
            root,
            time: time.map(UnixMillis),
        })
    }
}

fn decimal(text: &str) -> Option<u64> {
    let value = text.parse().ok()?;
    (u64::to_string(&value) == text).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::{Checkpoint, Note, NoteError};

    // The example of the specification.
    const EXAMPLE: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è \
        subito sera.\n\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJ\
        KONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    const HEAD: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_examples_of_the_specifications_read_back() {
        let note = Note::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(
            note.text,
            "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
        );
        assert_eq!(note.signatures.len(), 1);
        assert_eq!(note.to_text(), EXAMPLE);
        let head = Checkpoint::parse(HEAD).unwrap();
        assert_eq!(
            (head.origin.as_str(), head.size, head.time),
            ("example.com/behind-the-sofa", 20_852_163, None)
        );
        assert_eq!(head.text(), HEAD);
    }

    #[test]
    fn malformed_notes_are_refused() {
        for note in [
            "text\n",
            "text\n\n",
            "text\n\n— a AAAAAAA=",
            "text\n\n- a AAAAAAA=\n",
            "text\n\n— a+b AAAAAAA=\n",
            "text\n\n— a  AAAAAAA=\n",
            "text\n\n— a AAAA\n",
            "text\n\n— a AAAAAAB=\n",
            "te\rxt\n\n— a AAAAAAA=\n",
        ] {
            assert!(
                matches!(Note::parse(note.as_bytes()), Err(NoteError::Note(_))),
                "{note:?}"
            );
        }
        assert!(Note::parse("text\n\n— a AAAAAAA=\n".as_bytes()).is_ok());
        let good = HEAD.replace("20852163", "0");
        assert!(Checkpoint::parse(&good).is_ok());
        for (old, new) in [
            ("\n0\n", "\n00\n"),
            ("\n0\n", "\n+0\n"),
            ("\n0\n", "\n\n"),
            ("CsU", "Cs"),
            ("/b", " b"),
        ] {
            assert!(
                Checkpoint::parse(&good.replace(old, new)).is_err(),
                "{new:?}"
            );
        }
    }
}
