//! Share files: one spelling, and every way of being wrong has its own name.

use super::world::{copy, default_founding, with_right_checksum};
use charter::{ShareError, ShareFile};
use proptest::prelude::{any, prop_assert, proptest};

fn refused(bytes: &[u8]) -> ShareError {
    ShareFile::parse(bytes).unwrap_err()
}

fn one_text() -> String {
    default_founding(30).shares[1].1.to_text().to_string()
}

#[test]
fn a_share_file_is_read_back_as_it_was_written() {
    for (party, share) in default_founding(31).shares {
        let again = copy(&share);
        assert_eq!(*again.to_text(), *share.to_text());
        assert_eq!((again.party(), again.custody()), (&party, share.custody()));
    }
}

#[test]
fn a_share_file_of_format_1_is_read_for_ever() {
    let old = include_str!("golden/share-format-1.clarence");
    let share = ShareFile::parse(old.as_bytes()).unwrap();
    assert_eq!(*share.to_text(), old);
    assert_eq!(
        (share.party().as_str(), share.x(), share.epoch()),
        ("luxconnect", 2, 1)
    );
    assert_eq!(old, one_text(), "the same seed still makes the same file");
}

#[test]
fn a_flip_of_any_bit_is_refused_by_a_fitting_name() {
    let text = one_text();
    let first = text.find('\n').unwrap();
    let last = text.rfind("end of").unwrap();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let error = refused(&bytes);
            let fits = match &error {
                ShareError::Damaged { .. } => true,
                ShareError::NotAShareFile | ShareError::NewerFormat { .. } => at <= first,
                // The last line, or the line end before it, is not there any more.
                ShareError::CutShort => at >= last - 1,
                ShareError::Malformed { .. }
                | ShareError::WrongValue { .. }
                | ShareError::WrongPart { .. } => false,
            };
            assert!(fits, "byte {at} bit {bit}: {error}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_called_cut_short() {
    let text = one_text();
    assert_eq!(refused(b""), ShareError::NotAShareFile);
    for length in 1..text.len() {
        assert_eq!(
            refused(&text.as_bytes()[..length]),
            ShareError::CutShort,
            "after {length} bytes"
        );
    }
}

#[test]
fn line_ends_of_mail_programs_do_no_harm() {
    let text = one_text();
    let share = ShareFile::parse(text.replace('\n', "\r\n").as_bytes()).unwrap();
    assert_eq!(*share.to_text(), text);
    assert!(matches!(
        refused(text.replace('\n', "\r").as_bytes()),
        ShareError::CutShort
    ));
}

#[test]
fn other_files_are_called_what_they_are() {
    let text = one_text();
    let not_a_share: [&[u8]; 5] = [
        b"hello\n",
        b"-----BEGIN AGE ENCRYPTED FILE-----\n",
        b"\xef\xbb\xbfclarence share file, format 1\n",
        &[0; 100],
        &[b'#'; 20_000],
    ];
    for bytes in not_a_share {
        assert_eq!(refused(bytes), ShareError::NotAShareFile);
    }
    let newer = text.replacen("format 1", "format 2", 1);
    assert_eq!(
        refused(newer.as_bytes()),
        ShareError::NewerFormat { found: 2 }
    );
    for number in ["0", "01", "", "x", "99999999999"] {
        let odd = text.replacen("format 1", &format!("format {number}"), 1);
        assert!(
            matches!(refused(odd.as_bytes()), ShareError::Damaged { .. }),
            "{number}"
        );
    }
    for more in ["\n", " ", "x", "\0", text.as_str()] {
        assert!(matches!(
            refused(format!("{text}{more}").as_bytes()),
            ShareError::Damaged { .. }
        ));
    }
}

#[test]
fn a_second_spelling_is_refused_even_with_a_right_checksum() {
    let text = one_text();
    let cases = [
        ("# Keep it", "# keep it"),
        ("epoch       1", "epoch       01"),
        ("epoch       1", "epoch       0"),
        ("epoch       1", "epoch        1"),
        ("threshold   2 of 3", "threshold   1 of 3"),
        ("threshold   2 of 3", "threshold   2 of 2"),
        ("threshold   2 of 3", "threshold   2 of 255"),
        ("cloud name  clarence", "cloud name  cla rence"),
        ("this share  2 luxconnect", "this share  1 luxconnect"),
        ("this share  2 luxconnect", "this share  2 mallory"),
        ("holder      3", "holder      4"),
        (" proximus\n", " luxconnect\n"),
        (" proximus\n", " LuxConnect\n"),
        ("key check   ", "key  check  "),
        ("\nshare  ", "\n\nshare  "),
    ];
    for (from, to) in cases {
        assert!(text.contains(from), "{from}");
        let forged = with_right_checksum(&text.replacen(from, to, 1));
        let error = refused(forged.as_bytes());
        assert!(
            matches!(error, ShareError::Malformed { .. }),
            "{from:?} -> {to:?}: {error}"
        );
    }
    let upper = text
        .lines()
        .map(|line| match line.strip_prefix("ceremony    ") {
            Some(digits) => format!("ceremony    {}\n", digits.to_uppercase()),
            None => format!("{line}\n"),
        });
    let forged = with_right_checksum(&upper.collect::<String>());
    assert!(matches!(
        refused(forged.as_bytes()),
        ShareError::Malformed { .. }
    ));
}

#[test]
fn a_wrong_share_is_laid_at_its_holders_door() {
    let text = one_text();
    let at = text.find("\nshare       ").unwrap() + 13;
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    let forged = with_right_checksum(&format!("{}{other}{}", &text[..at], &text[at + 1..]));
    let error = refused(forged.as_bytes());
    assert!(matches!(&error, ShareError::WrongValue { party } if party.as_str() == "luxconnect"));
    assert!(
        error
            .to_string()
            .contains("ask luxconnect for its other copy"),
        "{error}"
    );
}

#[test]
fn no_message_shows_a_share() {
    let text = one_text();
    let groups: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("share       "))
        .flat_map(|l| l.split(' '))
        .collect();
    assert_eq!(groups.len(), 16);
    for at in (0..text.len()).step_by(3) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 2;
        let said = format!("{0} {0:?}", refused(&bytes));
        assert!(
            groups
                .windows(2)
                .all(|pair| !said.contains(&pair.concat()) && !said.contains(&pair.join(" ")))
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(ShareFile::parse(&bytes).is_err());
    }

    #[test]
    fn any_middle_with_a_right_frame_is_answered_without_a_panic(middle in "[ -~\n]{0,400}") {
        let forged = with_right_checksum(&format!("clarence share file, format 1\n{middle}\nchecksum    \n"));
        prop_assert!(ShareFile::parse(forged.as_bytes()).is_err());
    }

    #[test]
    fn lines_left_out_doubled_or_swapped_are_refused(a in 0_usize..21, b in 0_usize..21, how in 0..3) {
        let text = one_text();
        let mut lines: Vec<&str> = text.lines().collect();
        match how {
            0 => { lines.remove(a); }
            1 => lines.insert(a, lines[b]),
            _ => lines.swap(a, b),
        }
        let changed = lines.join("\n") + "\n";
        if changed != text {
            prop_assert!(ShareFile::parse(changed.as_bytes()).is_err());
            let framed = changed.contains("checksum    ").then(|| with_right_checksum(&changed));
            if let Some(framed) = framed.filter(|framed| *framed != text) {
                prop_assert!(ShareFile::parse(framed.as_bytes()).is_err());
            }
        }
    }
}
