//! Shares on paper: what is typed in is the share, and one wrong or exchanged word is found in its line.

use super::world::{copy, default_founding, host};
use charter::officers::split;
use charter::paper::{PaperError, of_part, of_share, read};
use charter::{Custody, OfficerShare, ShareFile};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use words::PartyName;

fn share(seed: u64) -> ShareFile {
    copy(&default_founding(seed).shares[1].1)
}

/// Lines of words: number, four words, the one that checks them.
fn word_lines(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

fn with_lines(text: &str, lines: &[Vec<String>]) -> String {
    let head = text
        .lines()
        .take_while(|line| !line.starts_with(|c: char| c.is_ascii_digit()));
    let rows = lines.iter().map(|line| line.join(" "));
    head.map(str::to_owned)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_share_comes_back_from_its_paper() {
    let share = share(70);
    let text = of_share(&share);
    let again = read(&text).unwrap().into_share(share.custody()).unwrap();
    assert_eq!(*again.to_text(), *share.to_text());
    // As a person types it.
    let typed = text
        .to_uppercase()
        .replace(' ', "   ")
        .replace('\n', "\r\n\r\n");
    let typed = typed.replace("LUXCONNECT", "luxconnect");
    assert!(read(&typed).unwrap().into_share(share.custody()).is_ok());
}

#[test]
fn a_paper_of_format_1_is_read_for_ever() {
    let old = include_str!("golden/paper-1.txt");
    let share = share(70);
    assert_eq!(*of_share(&share), old);
}

#[test]
fn an_officers_part_comes_back_from_its_paper() {
    let share = share(71);
    let officers = ["anna", "ben", "luc"].map(|name| PartyName::parse(name).unwrap());
    let parts = split(&share, 2, &officers, &host(1)).unwrap();
    let text = of_part(&parts[2]);
    let again: OfficerShare = read(&text).unwrap().into_part(parts[0].split()).unwrap();
    assert_eq!(*again.to_text(), *parts[2].to_text());
    let other = split(&share, 2, &officers, &host(2)).unwrap();
    let error = read(&text)
        .unwrap()
        .into_part(other[0].split())
        .unwrap_err();
    assert!(matches!(error, PaperError::Elsewhere { .. }), "{error}");
    assert!(read(&text).unwrap().into_share(share.custody()).is_err());
}

#[test]
fn a_paper_of_another_cloud_is_refused() {
    let (share, other) = (share(72), share(73));
    let elsewhere: &Custody = other.custody();
    let error = read(&of_share(&share))
        .unwrap()
        .into_share(elsewhere)
        .unwrap_err();
    assert!(matches!(error, PaperError::Elsewhere { .. }), "{error}");
}

#[test]
fn every_exchange_of_two_words_is_found_in_its_line() {
    let text = of_share(&share(74));
    let lines = word_lines(&text);
    assert_eq!(lines.len(), 5);
    for (line, words) in lines.iter().enumerate() {
        for one in 1..words.len() {
            for other in one + 1..words.len() {
                let mut bad = lines.clone();
                bad[line].swap(one, other);
                if bad == lines {
                    continue;
                }
                let error = read(&with_lines(&text, &bad)).unwrap_err();
                assert_eq!(error, PaperError::Line { line: line + 1 });
            }
        }
    }
    // Two whole lines that changed places, numbers and all, and with the numbers put right.
    let mut bad = lines.clone();
    bad.swap(0, 2);
    assert_eq!(
        read(&with_lines(&text, &bad)).unwrap_err(),
        PaperError::Shape { line: 1 }
    );
    let (first, third) = (bad[0][0].clone(), bad[2][0].clone());
    (bad[0][0], bad[2][0]) = (third, first);
    assert_eq!(
        read(&with_lines(&text, &bad)).unwrap_err(),
        PaperError::Line { line: 1 }
    );
    let mut fewer = lines;
    fewer.remove(3);
    assert_eq!(
        read(&with_lines(&text, &fewer)).unwrap_err(),
        PaperError::Lines { found: 4 }
    );
}

proptest! {
    #[test]
    fn one_wrong_letter_is_found_in_its_line(line in 0usize..5, word in 1usize..6, letter in 0usize..5, to in any::<u8>()) {
        let share = share(75);
        let text = of_share(&share);
        let mut lines = word_lines(&text);
        let mut bytes = lines[line][word].clone().into_bytes();
        bytes[letter] = b'a' + to % 26;
        let changed = String::from_utf8(bytes).unwrap();
        if changed == lines[line][word] {
            return Ok(());
        }
        lines[line][word] = changed;
        match read(&with_lines(&text, &lines)).unwrap_err() {
            PaperError::Line { line: named } => prop_assert_eq!(named, line + 1),
            PaperError::Word { line: named, word: at, .. } => {
                prop_assert_eq!((named, at), (line + 1, word));
            }
            other => prop_assert!(false, "{}", other),
        }
    }
}
