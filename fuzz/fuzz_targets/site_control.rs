//! Lines of the control socket: any line is read or refused; a request that is read and written again is the
//! same request.
#![no_main]

use fuzz::{MESSAGE_BYTES_MAX, bounded_by};
use libfuzzer_sys::fuzz_target;

// The files themselves, for they need nothing of their room, whose other parts would bring a whole node along.
#[path = "../../crates/site/src/control/agreement.rs"]
mod agreement;
#[path = "../../crates/site/src/control/anchor.rs"]
mod anchor;
#[path = "../../crates/site/src/control/erasure.rs"]
mod erasure;
#[path = "../../crates/site/src/control/identity.rs"]
mod identity;
#[path = "../../crates/site/src/control/lending.rs"]
mod lending;
#[path = "../../crates/site/src/control/person.rs"]
mod person;
#[path = "../../crates/site/src/control/protocol.rs"]
mod protocol;

use protocol::{Line, Request};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match serde_json::from_str::<Request>(text) {
        Ok(request) => {
            let again = serde_json::to_string(&request).expect("plain values");
            assert!(!again.contains('\n'), "a line is one line");
            assert_eq!(serde_json::from_str::<Request>(&again).ok(), Some(request));
        }
        Err(error) => bounded_by(&error, MESSAGE_BYTES_MAX + 8 * text.len()),
    }
    if let Ok(line) = serde_json::from_str::<Line>(text) {
        let again = serde_json::to_string(&line).expect("plain values");
        assert!(!again.contains('\n') && serde_json::from_str::<Line>(&again).is_ok());
    }
});
