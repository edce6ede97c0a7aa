//! Failures in PostgreSQL's words (appendix A, "PostgreSQL Error Codes").

use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};
use sql::{Fault, SqlError};
use statement::Why;

/// The code of a failure.
pub const fn code_of(fault: Fault) -> &'static str {
    match fault {
        Fault::Syntax => "42601",
        Fault::Name => "42P01",
        Fault::Column => "42703",
        Fault::Unsupported => "0A000",
        Fault::Value => "22000",
        Fault::Cancelled | Fault::Timeout => "57014",
        Fault::Resources => "53200",
        Fault::Stale => "40001",
        Fault::InFailedBlock => "25P02",
        Fault::Internal => "XX000",
        Fault::Refused(why) => match why {
            Why::Unauthenticated => "28P01",
            Why::Locked => "28000",
            Why::SessionEnded => "57P05",
            Why::NotFound => "42P01",
            Why::Denied => "42501",
            Why::Revoked => "42501",
            Why::Invalid => "22023",
            Why::Conflict => "40001",
            Why::TooLarge => "54000",
            Why::Unavailable => "57P03",
            Why::Internal => "XX000",
        },
    }
}

/// A failure of a statement.
pub fn error(error: &SqlError) -> PgWireBackendMessage {
    said("ERROR", code_of(error.fault), &error.message)
}

/// A failure that ends the connection.
pub fn fatal(code: &str, message: &str) -> PgWireBackendMessage {
    said("FATAL", code, message)
}

fn said(severity: &str, code: &str, message: &str) -> PgWireBackendMessage {
    PgWireBackendMessage::ErrorResponse(ErrorResponse::new(fields(severity, code, message)))
}

/// Something that a client should know.
pub fn warning(message: &str) -> PgWireBackendMessage {
    PgWireBackendMessage::NoticeResponse(NoticeResponse::new(fields("WARNING", "01000", message)))
}

fn fields(severity: &str, code: &str, message: &str) -> Vec<(u8, String)> {
    // A message holds no zero byte, for that would end it.
    let message = message.replace('\0', " ");
    vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', code.to_owned()),
        (b'M', message),
    ]
}
