//! Words that were typed in from paper: any text is answered, and one that is read with a known record of custody
//! is the share of that record. What is made here is read back, and one changed word is found in its line.
#![no_main]

use charter::ShareFile;
use charter::paper::{PaperError, of_share, read};
use fuzz::{Input, bounded};
use libfuzzer_sys::fuzz_target;

const GOLDEN: &str = include_str!("../../crates/charter/tests/it/golden/share-format-1.clarence");

fuzz_target!(|data: &[u8]| {
    let share = ShareFile::parse(GOLDEN.as_bytes()).expect("the golden share is read");
    let mut input = Input::new(data);
    if input.flag() {
        let text = String::from_utf8_lossy(input.rest());
        match read(&text).and_then(|paper| paper.into_share(share.custody())) {
            Ok(found) => assert_eq!(*found.to_text(), *share.to_text()),
            Err(error) => bounded(&error),
        }
        return;
    }
    let text = of_share(&share);
    let mut lines: Vec<Vec<String>> = text
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect();
    let (line, word) = (input.below(5), 1 + input.below(5));
    let changed = input.text(8);
    let row = 3 + line;
    if changed.split_whitespace().count() != 1 || changed.eq_ignore_ascii_case(&lines[row][word]) {
        return;
    }
    lines[row][word] = changed.trim().to_owned();
    let rows: Vec<String> = lines.iter().map(|line| line.join(" ")).collect();
    match read(&rows.join("\n")) {
        Err(PaperError::Line { line: named } | PaperError::Word { line: named, .. }) => {
            assert_eq!(named, line + 1);
        }
        other => panic!("a wrong word was not found: {other:?}"),
    }
});
