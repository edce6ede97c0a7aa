//! Sheets: one spelling, and every other is refused by name.

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use sign::sheet::{decimal, is_plain_line};
use sign::{Algorithm, Kind, Purpose, Sheet, SheetError, SheetReader, Signature, SigningKey};

const NOTE: Kind = Kind {
    name: "note",
    format: 1,
    comment: "#\n# A note.\n#\n",
    bytes_max: 16 * 1024,
};

#[derive(Debug, PartialEq, Clone)]
struct Note {
    title: String,
    points: Vec<String>,
    blob: Vec<u8>,
}

impl Note {
    fn to_text(&self) -> String {
        let sheet = Sheet::begin(NOTE).field("title", &self.title);
        let sheet = self.points.iter().fold(sheet, |s, p| s.field("point", p));
        sheet.long("blob", &self.blob).finish().to_string()
    }
    fn parse(bytes: &[u8]) -> Result<Self, SheetError> {
        let line = |text: &str| is_plain_line(text, 80).then(|| text.to_owned());
        let mut reader = SheetReader::open(NOTE, bytes)?;
        let note = Self {
            title: reader.take("title", line)?,
            points: reader.take_all("point", 4, line)?,
            blob: reader.long("blob")?,
        };
        reader.finish(&note.to_text())?;
        Ok(note)
    }
}

fn note() -> Note {
    Note {
        title: "Größe and élan".to_owned(),
        points: vec!["one".to_owned(), "two".to_owned()],
        blob: (0..200).collect(),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let text = note().to_text();
    assert!(text.starts_with("clarence note, format 1\n#\n# A note.\n#\ntitle         Größe"));
    assert!(text.ends_with("end of clarence note\n"));
    assert_eq!(Note::parse(text.as_bytes()), Ok(note()));
}

#[test]
fn what_is_wrong_is_named() {
    let text = note().to_text();
    let said = |text: String| Note::parse(text.as_bytes()).unwrap_err().to_string();
    for (changed, words) in [
        (format!("{text}\n"), "1 bytes follow the last line"),
        (format!("{text}x"), "1 bytes follow the last line"),
        (format!("{text}{text}"), "checksum does not match"),
        (text.trim_end().to_owned(), "cut short"),
        (text[..text.len() / 2].to_owned(), "cut short"),
        ("clarence no".to_owned(), "cut short"),
        (String::new(), "not a clarence note"),
        (
            "clarence notes, format 1\n".to_owned(),
            "not a clarence note",
        ),
        (
            text.replace("format 1", "format 2"),
            "has format 2; this build reads up to 1",
        ),
        (text.replace("format 1", "format 0"), "has format 0"),
        (text.replace("format 1", "format 01"), "has format 01"),
        (text.replace("one", "One"), "checksum does not match"),
        (text.replace('\n', "\r\n"), "has format 1\r"),
        (
            "clarence note, format 1\n".repeat(700),
            "at most 16384 are allowed",
        ),
    ] {
        let said = said(changed.clone());
        assert!(said.contains(words), "{changed}\n-> {said}");
    }
}

/// The text with the checksum made right again, as a careful forger would.
fn with_right_checksum(text: &str) -> String {
    let body = &text[..text.rfind("\nchecksum ").unwrap() + 1];
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA512_256);
    context.update(b"clarence/v1/sheet\0");
    context.update(body.as_bytes());
    let checksum = words::hex::encode(&context.finish().as_ref()[..16]);
    format!("{body}checksum      {checksum}\nend of clarence note\n")
}

#[test]
fn a_right_checksum_does_not_make_another_spelling_good() {
    let text = note().to_text();
    assert_eq!(with_right_checksum(&text), text);
    for (from, to, words) in [
        ("title         G", "title          G", "line 5"),
        ("point         one", "point         one ", "line 6"),
        ("point         one\n", "points        one\n", "line 6"),
        ("# A note.", "# A  note.", "lines of comment"),
        ("blob          AA", "blob          A=", "\"blob\""),
        ("point         one\n", "", ""),
        (
            "point         one\n",
            "point         o\u{202e}ne\n",
            "line 6",
        ),
    ] {
        let changed = with_right_checksum(&text.replacen(from, to, 1));
        assert_ne!(changed, text, "{from}");
        match Note::parse(changed.as_bytes()) {
            Err(error) => assert!(error.to_string().contains(words), "{to}: {error}"),
            Ok(read) => assert_ne!(read, note(), "{to}"),
        }
    }
    let many = with_right_checksum(&text.replacen(
        "point         one\n",
        &"point         one\n".repeat(5),
        1,
    ));
    let said = Note::parse(many.as_bytes()).unwrap_err().to_string();
    assert!(said.contains("at most 4 lines"), "{said}");
}

#[test]
fn a_stripped_signature_is_named() {
    let signature = SigningKey::from_seeds(&[1; 64])
        .unwrap()
        .sign(Purpose("clarence/v1/test"), b"x")
        .unwrap();
    let read = |sheet: Sheet| -> Result<Signature, SheetError> {
        SheetReader::open(NOTE, sheet.finish().as_bytes())?.signature()
    };
    let begin = || Sheet::begin(NOTE);
    assert_eq!(read(begin().signature(&signature)), Ok(signature.clone()));
    for (kept, missing) in [
        (Algorithm::MlDsa65, Algorithm::Ed25519),
        (Algorithm::Ed25519, Algorithm::MlDsa65),
    ] {
        let stripped = begin().long(kept.name(), signature.bytes(kept));
        let expected = SheetError::SignatureMissing {
            kind: "note",
            algorithm: missing,
        };
        assert_eq!(read(stripped), Err(expected));
    }
}

#[test]
fn lines_for_people_hold_no_tricks() {
    for good in ["a", "Müller & fils: 3 % – “no”", "Kirchberg, 2026"] {
        assert!(is_plain_line(good, 80), "{good}");
    }
    for bad in [
        "",
        " a",
        "a ",
        "a  b",
        "a\nb",
        "a\tb",
        "a\u{202e}b",
        "a\u{200b}b",
        "a\u{ad}b",
        "\u{441}tie",
        "a\u{301}",
        "a\u{a0}b",
    ] {
        assert!(!is_plain_line(bad, 80), "{bad:?}");
    }
    assert!(!is_plain_line("abc", 2));
    assert_eq!(
        (decimal::<u8>("0"), decimal::<u8>("255")),
        (Some(0), Some(255))
    );
    for bad in ["", "00", "01", "+1", "-1", "256", "1 "] {
        assert_eq!(decimal::<u8>(bad), None, "{bad}");
    }
}

#[test]
fn a_change_of_any_byte_is_refused() {
    let text = note().to_text();
    for at in 0..text.len() {
        for bit in [1, 4, 32, 128] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= bit;
            assert!(Note::parse(&bytes).is_err(), "byte {at} bit {bit}");
        }
        let mut shorter = text.as_bytes().to_vec();
        shorter.remove(at);
        assert!(Note::parse(&shorter).is_err(), "without byte {at}");
        assert!(Note::parse(&text.as_bytes()[..at]).is_err(), "cut at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Note::parse(&bytes).is_err());
    }

    #[test]
    fn any_lines_with_a_right_checksum_are_answered_and_kept(lines in "([a-z ]{0,20}\n){0,8}") {
        let text = format!("clarence note, format 1\n#\n# A note.\n#\n{lines}checksum \nend");
        let text = with_right_checksum(&text);
        if let Ok(read) = Note::parse(text.as_bytes()) {
            prop_assert_eq!(read.to_text(), text);
        }
    }
}
