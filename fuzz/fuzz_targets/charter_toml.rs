//! The charter file: any text is read or refused in bounded words; what is read and written again is the same
//! charter with the same digest, and keeps the rules that a charter has.
#![no_main]

use charter::Charter;
use fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Charter::parse(text) {
        Ok(charter) => {
            let again = Charter::parse(&charter.to_toml()).expect("its own text");
            assert_eq!(again, charter);
            assert_eq!(again.digest(), charter.digest());
            let names: BTreeSet<String> = charter
                .parties()
                .iter()
                .map(|party| party.as_str().to_ascii_lowercase())
                .collect();
            let count = charter.parties().len();
            assert_eq!(names.len(), count, "a party holds two shares");
            assert!((2..=count).contains(&usize::from(charter.threshold())) && count <= 16);
        }
        Err(error) => bounded(&error),
    }
});
