//! Forms to STS and IAM: a POST to the root of the service. The door reads the form whole, hands it on as it
//! came with the request's head, and writes the answer as XML. It judges nothing of it.

use crate::backend::{Answered, Element};
use crate::body::Wire;
use crate::body::out::Out;
use crate::document;
use crate::refuse::No;
use crate::target::Target;
use crate::verb::Verb;
use authn::PayloadHash;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use std::time::Duration;

/// Longest form that is read, in bytes.
const FORM_BYTES_MAX: u64 = 64 * 1024;

/// Whether a request is such a form.
pub(crate) fn is(method: &Method, target: &Target, headers: &HeaderMap) -> bool {
    matches!((method, target), (&Method::POST, Target::Root))
        && headers.get(CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"application/x-www-form-urlencoded")
        })
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
pub(crate) fn answer(answered: Result<Answered, No>, id: &str) -> Response<Out> {
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
