//! What a client is answered.

use crate::postgres::fail::code_of;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use sql::{Fault, SqlError};
use statement::Why;
use std::io;

/// A body, whole or as it comes.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;
/// An answer.
pub type Answered = Response<Body>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// After how many seconds it is worth to come again.
const AGAIN: HeaderValue = HeaderValue::from_static("1");

/// Why a request was refused.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    /// SQLSTATE, as PostgreSQL's clients know it.
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// Something about the request that makes no sense.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "22023", message)
    }
}

impl From<SqlError> for Refusal {
    fn from(error: SqlError) -> Self {
        let status = match error.fault {
            Fault::Refused(why) => match why {
                Why::Unauthenticated | Why::SessionEnded => StatusCode::UNAUTHORIZED,
                Why::Locked => StatusCode::TOO_MANY_REQUESTS,
                Why::NotFound => StatusCode::NOT_FOUND,
                Why::Denied | Why::Revoked => StatusCode::FORBIDDEN,
                Why::Invalid => StatusCode::BAD_REQUEST,
                Why::Conflict => StatusCode::CONFLICT,
                Why::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                Why::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                Why::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Fault::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let message = match error.fault {
            // The same words for a key that is not there and a wrong secret.
            Fault::Refused(Why::Unauthenticated) => {
                "the access key is not known, or the secret is not its own".to_owned()
            }
            _ => error.message,
        };
        Self::new(status, code_of(error.fault), message)
    }
}

/// A failure in JSON.
pub fn failure(code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message })
}

pub fn whole(status: StatusCode, value: &Value) -> Answered {
    let mut text = value.to_string();
    text.push('\n');
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    kept_nowhere(&mut answer);
    answer
}

/// Rows, as they come.
pub fn streamed(media_type: &'static str, body: Body) -> Answered {
    let mut answer = Response::new(body);
    let media_type = HeaderValue::from_static(media_type);
    answer.headers_mut().insert(CONTENT_TYPE, media_type);
    kept_nowhere(&mut answer);
    answer
}

fn kept_nowhere(answer: &mut Answered) {
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

pub fn refused(refusal: &Refusal) -> Answered {
    let error = failure(refusal.code, &refusal.message);
    let mut answer = whole(refusal.status, &json!({ "error": error }));
    let headers = answer.headers_mut();
    match refusal.status {
        StatusCode::UNAUTHORIZED => {
            let basic = HeaderValue::from_static("Basic realm=\"Clarence\", charset=\"UTF-8\"");
            headers.insert(WWW_AUTHENTICATE, basic);
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, AGAIN);
        }
        _ => {}
    }
    answer
}

/// A method that is not served there.
pub fn not_allowed(methods: &'static str) -> Answered {
    let refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "0A000",
        format!("served here: {methods}"),
    );
    let mut answer = refused(&refusal);
    let methods = HeaderValue::from_static(methods);
    answer.headers_mut().insert(ALLOW, methods);
    answer
}
