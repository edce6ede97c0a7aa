//! The check of a request's document before s3s reads it: it passes exactly what holds no declaration and no
//! CDATA, which s3s would skip without a word. The documents' own reader is s3s's.
#![no_main]

use gate::fuzzing::plain_document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Comments say nothing and may stay; all other markup that begins with an exclamation mark may not.
    let declared = (0..data.len())
        .map(|at| &data[at..])
        .any(|rest| rest.starts_with(b"<!") && !rest.starts_with(b"<!--"));
    match plain_document(data) {
        Ok(()) => assert!(!declared),
        Err(no) => {
            assert!(declared);
            assert_eq!((no.status, no.code.as_ref()), (400, "MalformedXML"));
        }
    }
});
