//! Agreements: any text and any bytes are read or refused in bounded words; what is read and written again is the same
//! agreement with the same digest; a signature's sheet has one spelling.
#![no_main]

use agreement::{Agreement, Language, Signed};
use fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match Agreement::decode(data) {
        Ok(agreement) => {
            assert_eq!(agreement.encode(), data, "one spelling only");
            let _ = agreement.page(Language::Luxembourgish);
        }
        Err(error) => bounded(&error),
    }
    match Signed::parse(data) {
        Ok(signed) => assert_eq!(signed.to_text().as_bytes(), data),
        Err(error) => bounded(&error),
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Agreement::from_toml(text) {
        Ok(agreement) => {
            let again = Agreement::decode(&agreement.encode()).expect("its own form");
            assert_eq!(again, agreement);
            assert_eq!(again.digest(), agreement.digest());
        }
        Err(error) => bounded(&error),
    }
});
