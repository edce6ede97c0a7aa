//! Refusals and failures in gRPC's words, with the messages that the door of HTTP gives.

use crate::http::answer::Refusal;
use arrow_flight::error::FlightError;
use http::StatusCode;
use sql::{Fault, SqlError};
use statement::Why;
use tonic::{Code, Status};

/// Characters of a message. It travels in a header, of which clients take so much and no more.
const MESSAGE_MAX: usize = 1500;

/// A failure of a statement.
pub fn status(error: &SqlError) -> Status {
    // The words are the ones over HTTP, for what they leave unsaid too.
    let message = Refusal::from(error.clone()).message;
    Status::new(code_of(error.fault), shortened(&message))
}

/// A refusal as the door of HTTP makes it.
pub fn refused(refusal: &Refusal) -> Status {
    let code = match refusal.status {
        StatusCode::BAD_REQUEST => Code::InvalidArgument,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND | StatusCode::GONE => Code::NotFound,
        StatusCode::CONFLICT => Code::FailedPrecondition,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Internal,
    };
    Status::new(code, shortened(&refusal.message))
}

/// A message or a schema that could not be written or read.
pub fn broken(error: impl Into<FlightError>) -> Status {
    let error = error.into();
    match error {
        FlightError::Tonic(status) => *status,
        other => Status::internal(shortened(&other.to_string())),
    }
}

const fn code_of(fault: Fault) -> Code {
    match fault {
        Fault::Syntax | Fault::Column | Fault::Value => Code::InvalidArgument,
        Fault::Name => Code::NotFound,
        Fault::Unsupported => Code::Unimplemented,
        Fault::Cancelled => Code::Cancelled,
        Fault::Timeout => Code::DeadlineExceeded,
        Fault::Resources => Code::ResourceExhausted,
        Fault::Stale => Code::Aborted,
        Fault::InFailedBlock => Code::FailedPrecondition,
        Fault::Internal => Code::Internal,
        Fault::Refused(why) => match why {
            Why::Unauthenticated | Why::SessionEnded => Code::Unauthenticated,
            Why::Locked | Why::TooLarge => Code::ResourceExhausted,
            Why::NotFound => Code::NotFound,
            Why::Denied | Why::Revoked => Code::PermissionDenied,
            Why::Invalid => Code::InvalidArgument,
            Why::Conflict => Code::Aborted,
            Why::Unavailable => Code::Unavailable,
            Why::Internal => Code::Internal,
        },
    }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_secret_and_an_unknown_key_are_answered_alike() {
        let one = SqlError::new(Fault::Refused(Why::Unauthenticated), "no such key");
        let other = SqlError::new(Fault::Refused(Why::Unauthenticated), "another secret");
        assert_eq!(status(&one).message(), status(&other).message());
        assert_eq!(status(&one).code(), Code::Unauthenticated);
    }

    #[test]
    fn a_long_message_is_cut() {
        let long = SqlError::new(Fault::Value, "é".repeat(MESSAGE_MAX + 1));
        assert_eq!(status(&long).message().chars().count(), MESSAGE_MAX + 1);
        let fits = SqlError::new(Fault::Value, "é".repeat(MESSAGE_MAX));
        assert_eq!(status(&fits).message().chars().count(), MESSAGE_MAX);
    }
}
