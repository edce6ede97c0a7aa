//! A signer of its own, written from the specification and sharing no code with the room. It signs what
//! it is told, valid or not, so that refusals other than a wrong signature can be reached.

use aws_lc_rs::{digest, hmac};
use words::hex;

/// A request in the shape the room takes, owning its parts.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn head(&self) -> authn::RequestHead<'_> {
        authn::RequestHead {
            method: &self.method,
            raw_path: &self.path,
            raw_query: &self.query,
            headers: &self.headers,
            via: authn::Via::default(),
        }
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v)
    }
    pub fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

pub const ACCESS: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

pub fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
        .as_ref()
        .to_vec()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub fn signing_key(day: &str, region: &str, service: &str) -> Vec<u8> {
    let first = mac(format!("AWS4{SECRET}").as_bytes(), day);
    mac(&mac(&mac(&first, region), service), "aws4_request")
}

/// Signs in the header: `signed` names the headers; the query must be canonical already.
pub fn sign_header(request: &mut Request, signed: &[&str], region: &str) {
    let stamp = request.header("x-amz-date").to_owned();
    let day = stamp[..8].to_owned();
    let scope = format!("{day}/{region}/s3/aws4_request");
    let payload = request.header("x-amz-content-sha256").to_owned();
    let text = canonical(request, signed, &payload);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
        sha256(text.as_bytes())
    );
    let signature = hex::encode(&mac(&signing_key(&day, region, "s3"), &to_sign));
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={}, Signature={signature}",
        signed.join(";")
    );
    request.set("authorization", &value);
}

/// Signs in the query: adds the parameters that a presigned URL has.
pub fn sign_query(request: &mut Request, signed: &[&str], stamp: &str, expires: &str) {
    let day = &stamp[..8];
    let scope = format!("{day}/lu-1/s3/aws4_request");
    let mut pairs: Vec<String> = request
        .query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect();
    pairs.extend([
        "X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned(),
        format!("X-Amz-Credential={ACCESS}%2F{}", scope.replace('/', "%2F")),
        format!("X-Amz-Date={stamp}"),
        format!("X-Amz-Expires={expires}"),
        format!("X-Amz-SignedHeaders={}", signed.join("%3B")),
    ]);
    pairs.sort();
    request.query = pairs.join("&");
    let text = canonical(request, signed, "UNSIGNED-PAYLOAD");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
        sha256(text.as_bytes())
    );
    let signature = hex::encode(&mac(&signing_key(day, "lu-1", "s3"), &to_sign));
    request.query = format!("{}&X-Amz-Signature={signature}", request.query);
}

fn canonical(request: &Request, signed: &[&str], payload: &str) -> String {
    let mut text = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for name in signed {
        text += &format!("{name}:{}\n", request.header(name));
    }
    text + "\n" + &signed.join(";") + "\n" + payload
}

/// A plain signed GET of `/bucket/key` at noon of 2026-11-23.
pub fn plain() -> Request {
    let mut request = Request {
        method: "GET".to_owned(),
        path: "/bucket/key".to_owned(),
        query: String::new(),
        headers: vec![
            ("host".to_owned(), "127.0.0.1:9000".to_owned()),
            (
                "x-amz-content-sha256".to_owned(),
                "UNSIGNED-PAYLOAD".to_owned(),
            ),
            ("x-amz-date".to_owned(), "20261123T120000Z".to_owned()),
        ],
    };
    sign_header(&mut request, PLAIN_SIGNED, "lu-1");
    request
}

pub const PLAIN_SIGNED: &[&str] = &["host", "x-amz-content-sha256", "x-amz-date"];
/// 2026-11-23T12:00:00Z.
pub const NOON: words::UnixMillis = words::UnixMillis(1_795_435_200_000);

pub fn check(
    request: &Request,
    now: words::UnixMillis,
) -> Result<authn::Verified, authn::AuthnError> {
    let presented = authn::present(&request.head())?;
    assert_eq!(presented.access_key().as_str(), ACCESS);
    let credential = authn::Credential::active(words::TenantId::from_bytes([7; 16]));
    authn::verify(
        presented,
        &authn::SecretKey::new(SECRET.to_owned()),
        credential,
        now,
        "lu-1",
    )
}
