//! Forms to STS and IAM, a POST to the root of the service, and certificates that ask for a session, a POST to
//! `/sessions`. The door reads the body whole, hands it on as it came with the request's head, and writes the answer
//! as XML, or as JSON for certificates. It judges nothing of it.

use crate::backend::{Answered, Element};
use crate::body::Wire;
use crate::body::out::Out;
use crate::document;
use crate::refuse::No;
use crate::target::Target;
use crate::verb::Verb;
use authn::PayloadHash;
use authn::x509::CREATE_SESSION_PATH;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use std::time::Duration;

/// Longest form that is read, in bytes.
const FORM_BYTES_MAX: u64 = 64 * 1024;

/// In which words a request is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tongue {
    Xml,
    Json,
}

/// Whether a request is such a form, and how it is answered.
pub(crate) fn tongue(method: &Method, target: &Target, parts: &Parts) -> Option<Tongue> {
    let begins = |name: HeaderName, with: &[u8]| {
        parts
            .headers
            .get(name)
            .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(with))
    };
    if method != Method::POST {
        return None;
    }
    if parts.uri.path() == CREATE_SESSION_PATH && begins(AUTHORIZATION, b"aws4-x509-") {
        return Some(Tongue::Json);
    }
    let form = begins(CONTENT_TYPE, b"application/x-www-form-urlencoded");
    (matches!(target, Target::Root) && form).then_some(Tongue::Xml)
}

/// Reads the form.
pub(crate) async fn read(
    headers: &HeaderMap,
    wire: &mut Wire,
    idle: Duration,
) -> Result<Bytes, No> {
    if wire.length().is_none_or(|length| length > FORM_BYTES_MAX) {
        return Err(No::request(format!(
            "A form must announce its length and have at most {FORM_BYTES_MAX} bytes"
        )));
    }
    let mut plain = headers.clone();
    plain.remove("x-amz-content-sha256"); // checked with the signature
    document::read(Verb::Other, &plain, wire, PayloadHash::Unsigned, None, idle).await
}

fn namespace(service: &str) -> &'static str {
    match service {
        "iam" => "https://iam.amazonaws.com/doc/2010-05-08/",
        _ => "https://sts.amazonaws.com/doc/2011-06-15/",
    }
}

/// The answer to a form.
pub(crate) fn answer(answered: Result<Answered, No>, tongue: Tongue, id: &str) -> Response<Out> {
    if tongue == Tongue::Json {
        return in_json(answered);
    }
    let (status, xml) = match answered {
        Ok(done) => (StatusCode::OK, done_xml(&done, id)),
        Err(no) => (
            StatusCode::from_u16(no.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            refused_xml(&no, id),
        ),
    };
    let mut response = Response::new(Out::Once(Bytes::from(xml)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

/// Of CreateSession: 201 and a JSON object, or a message and its sort in a header.
fn in_json(answered: Result<Answered, No>) -> Response<Out> {
    let (status, value, error) = match answered {
        Ok(done) => (StatusCode::CREATED, json(&done.elements), None),
        Err(no) => (
            StatusCode::from_u16(no.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            serde_json::json!({ "message": no.message }),
            HeaderValue::from_str(&no.code).ok(),
        ),
    };
    let mut response = Response::new(Out::Once(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(error) = error {
        headers.insert("x-amzn-errortype", error);
    }
    response
}

/// Elements as an object; as a list, where they are all called `member`.
fn json(all: &[Element]) -> serde_json::Value {
    let member = |one: &Element| matches!(one, Element::Group(name, _) if name == "member");
    let shown = |one: &Element| match one {
        Element::Text(name, text) => (name.clone(), text.clone().into()),
        Element::Group(name, inside) => (name.clone(), json(inside)),
    };
    if !all.is_empty() && all.iter().all(member) {
        return all.iter().map(|one| shown(one).1).collect();
    }
    serde_json::Value::Object(all.iter().map(shown).collect())
}

fn done_xml(done: &Answered, id: &str) -> String {
    let mut xml = String::with_capacity(2048);
    let action = &done.action;
    xml.push_str(&format!(
        "<{action}Response xmlns=\"{}\">",
        namespace(&done.service)
    ));
    if !done.elements.is_empty() {
        xml.push_str(&format!("<{action}Result>"));
        elements(&mut xml, &done.elements);
        xml.push_str(&format!("</{action}Result>"));
    }
    xml.push_str("<ResponseMetadata>");
    crate::refuse::element(&mut xml, "RequestId", id);
    xml.push_str(&format!("</ResponseMetadata></{action}Response>"));
    xml
}

fn elements(xml: &mut String, all: &[Element]) {
    for one in all {
        match one {
            Element::Text(name, text) => crate::refuse::element(xml, name, text),
            Element::Group(name, inside) => {
                xml.push_str(&format!("<{name}>"));
                elements(xml, inside);
                xml.push_str(&format!("</{name}>"));
            }
        }
    }
}

fn refused_xml(no: &No, id: &str) -> String {
    let mut xml = String::from("<ErrorResponse><Error>");
    let sender = if no.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    crate::refuse::element(&mut xml, "Type", sender);
    crate::refuse::element(&mut xml, "Code", &no.code);
    crate::refuse::element(&mut xml, "Message", &no.message);
    xml.push_str("</Error>");
    crate::refuse::element(&mut xml, "RequestId", id);
    xml.push_str("</ErrorResponse>");
    xml
}
