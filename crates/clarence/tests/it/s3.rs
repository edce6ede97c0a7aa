//! One signed S3 request at a time, written from the specification, over plain HTTP.

use aws_lc_rs::{digest, hmac};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A client with a credential.
pub struct S3 {
    address: String,
    region: String,
    access_key: String,
    secret_key: String,
}

/// What came back.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stamp() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let text = sign::Stamp::from_seconds(seconds).to_string();
    text.replace(['-', ':'], "")
}

impl S3 {
    /// The first client of `connect.json`, or what `tenant add` printed.
    pub fn of(connect: &Value) -> Self {
        let field = |name: &str| connect[name].as_str().unwrap().to_owned();
        Self {
            address: field("endpoint").replace("http://", ""),
            region: field("region"),
            access_key: field("access_key"),
            secret_key: field("secret_key"),
        }
    }

    /// Sends one request; `query` is canonical already.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let stamp = stamp();
        let day = &stamp[..8];
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let mut all: Vec<(&str, &str)> = vec![
            ("host", &self.address),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("x-amz-date", &stamp),
        ];
        all.extend(headers);
        all.sort_unstable();
        let signed: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let signed = signed.join(";");
        let lines: String = all.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{signed}\nUNSIGNED-PAYLOAD");
        let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
        let date_key = mac(format!("AWS4{}", self.secret_key).as_bytes(), day);
        let key = mac(&mac(&mac(&date_key, &self.region), "s3"), "aws4_request");
        let signature = hex(&mac(&key, &to_sign));
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        let mut request = format!("{method} {target} HTTP/1.1\r\n");
        for (name, value) in &all {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!(
            "authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.access_key,
            body.len()
        ));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked");
        let body = answer.split_off(end + 4);
        Reply {
            status,
            body: if chunked { unchunked(&body) } else { body },
        }
    }

    pub fn put(&self, path: &str, subject: Option<&str>, body: &[u8]) {
        let named = subject.map(|subject| ("x-amz-meta-clarence-subject", subject));
        let headers: Vec<(&str, &str)> = named.into_iter().collect();
        let reply = self.ask("PUT", path, "", &headers, body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "", &[], &[])
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
}
