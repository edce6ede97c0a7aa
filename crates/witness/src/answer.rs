//! What a witness answers over HTTP: status, type and body of tlog-witness. Pure.

use crate::decide::No;
use crate::folder::Refused;
use bytes::Bytes;
use http::StatusCode;
use ledger::note::{Note, SignatureLine};

/// The type of the body of a conflict.
pub const SIZE_TYPE: &str = "text/x.tlog.size";
/// The type of every other body.
pub const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A sentence for whoever asked.
    #[must_use]
    pub fn said(status: StatusCode, why: &str) -> Self {
        Self {
            status,
            content_type: TEXT_TYPE,
            body: format!("{why}\n").into(),
        }
    }
    /// To `add-checkpoint`.
    #[must_use]
    pub fn to_request(outcome: Result<Vec<SignatureLine>, Refused>) -> Self {
        match outcome {
            Ok(lines) => {
                let lines: String = lines.iter().map(SignatureLine::to_text).collect();
                Self::text(lines)
            }
            Err(Refused::No(No::Recorded { recorded, .. })) => Self {
                status: StatusCode::CONFLICT,
                content_type: SIZE_TYPE,
                body: format!("{recorded}\n").into(),
            },
            // Paths and what the disk said are for the operator's log.
            Err(Refused::Disk(_)) => Self::said(
                StatusCode::INTERNAL_SERVER_ERROR,
                "it could not be written down, so nothing was cosigned; ask again later",
            ),
            Err(refused) => Self::said(status(&refused), &refused.to_string()),
        }
    }
    /// To the question for the latest checkpoint.
    #[must_use]
    pub fn to_latest(note: Option<Note>) -> Self {
        match note {
            Some(note) => Self::text(note.to_text()),
            None => Self::said(
                StatusCode::NOT_FOUND,
                "nothing was cosigned of a log with this name",
            ),
        }
    }

    fn text(body: String) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: TEXT_TYPE,
            body: body.into(),
        }
    }
}

/// The status of a refusal.
#[must_use]
pub const fn status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Request(_) | Refused::No(No::OldAbove { .. }) => StatusCode::BAD_REQUEST,
        Refused::UnknownLog(_) => StatusCode::NOT_FOUND,
        Refused::Forked(_) | Refused::No(No::Signature(_)) => StatusCode::FORBIDDEN,
        Refused::No(No::Recorded { .. }) => StatusCode::CONFLICT,
        Refused::No(No::EmptyRoot | No::OtherRoot(_) | No::Proof(_)) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refused::Clock(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refused::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
