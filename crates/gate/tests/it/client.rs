//! A client of raw HTTP that signs as Signature Version 4 prescribes, and misbehaves where it is told to.

use crate::node::{ACCESS, REGION, SECRET, World};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::UNIX_EPOCH;
use store::api::{ChecksumKind, Expected};
use store::checksum::BodyHashes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub fn sha256(bytes: &[u8]) -> String {
    words::hex::encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
        .as_ref()
        .to_vec()
}

pub fn checksum(kind: ChecksumKind, bytes: &[u8]) -> String {
    let mut hashes = BodyHashes::new(&Expected::default(), Some(kind));
    hashes.update(bytes);
    STANDARD.encode(&hashes.finish().checksums[0].value)
}

pub fn md5(bytes: &[u8]) -> String {
    let mut hashes = BodyHashes::new(&Expected::default(), None);
    hashes.update(bytes);
    STANDARD.encode(hashes.finish().md5)
}

/// `YYYYMMDDTHHMMSSZ` of now.
fn stamp() -> String {
    let now = UNIX_EPOCH + std::time::Duration::from_millis(host::Host::real().now().0);
    let text = httpdate::fmt_http_date(now); // Wed, 21 Oct 2015 07:28:00 GMT
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = months.iter().position(|m| *m == &text[8..11]).unwrap() + 1;
    format!(
        "{}{month:02}{}T{}Z",
        &text[12..16],
        &text[5..7],
        text[17..25].replace(':', "")
    )
}

/// One request.
#[derive(Clone)]
pub struct Ask {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// `x-amz-content-sha256`; the body's hash if not given.
    pub payload: Option<String>,
    pub signed: bool,
}

pub fn ask(method: &str, path: &str) -> Ask {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Ask {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        payload: None,
        signed: true,
    }
}

pub struct Signature {
    pub key: Vec<u8>,
    pub stamp: String,
    pub scope: String,
    pub seed: String,
}

impl Signature {
    /// Signs the next chunk and gives its signature.
    pub fn chunk(&mut self, data: &[u8]) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{}",
            self.stamp,
            self.scope,
            self.seed,
            sha256(b""),
            sha256(data)
        );
        self.seed = words::hex::encode(&mac(&self.key, &text));
        self.seed.clone()
    }
    pub fn trailer(&mut self, trailers: &str) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
            self.stamp,
            self.scope,
            self.seed,
            sha256(trailers.as_bytes())
        );
        words::hex::encode(&mac(&self.key, &text))
    }
}

impl Ask {
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
    pub fn payload(mut self, payload: &str) -> Self {
        self.payload = Some(payload.to_owned());
        self
    }
    pub fn unsigned(mut self) -> Self {
        self.signed = false;
        self
    }
    pub fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    /// The head of the request with its signature. `content_length` is the length on the wire.
    pub fn head(&self, host: &str, content_length: Option<usize>) -> (String, Signature) {
        let stamp = stamp();
        let payload = self.payload.clone().unwrap_or_else(|| sha256(&self.body));
        let mut headers = self.headers.clone();
        if !self.has("host") {
            headers.push(("host".to_owned(), host.to_owned()));
        }
        if self.signed {
            headers.push(("x-amz-date".to_owned(), stamp.clone()));
            headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
        }
        let mut sorted: Vec<(String, String)> = headers
            .iter()
            .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
            .collect();
        sorted.sort();
        let names: Vec<&str> = sorted.iter().map(|(n, _)| n.as_str()).collect();
        let signed_names = names.join(";");
        let lines: String = sorted.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let mut pairs: Vec<String> = self
            .query
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| {
                if p.contains('=') {
                    p.to_owned()
                } else {
                    format!("{p}=")
                }
            })
            .collect();
        pairs.sort_by_key(|pair| {
            pair.split_once('=')
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
        });
        let canonical = format!(
            "{}\n{}\n{}\n{lines}\n{signed_names}\n{payload}",
            self.method,
            self.path,
            pairs.join("&")
        );
        let scope = format!("{}/{REGION}/s3/aws4_request", &stamp[..8]);
        let mut key = mac(format!("AWS4{SECRET}").as_bytes(), &stamp[..8]);
        for word in [REGION, "s3", "aws4_request"] {
            key = mac(&key, word);
        }
        let text = format!(
            "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
            sha256(canonical.as_bytes())
        );
        let seed = words::hex::encode(&mac(&key, &text));
        if self.signed {
            headers.push((
                "authorization".to_owned(),
                format!("AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={signed_names}, Signature={seed}"),
            ));
        }
        if let Some(length) = content_length {
            headers.push(("content-length".to_owned(), length.to_string()));
        }
        let query = if self.query.is_empty() {
            String::new()
        } else {
            format!("?{}", self.query)
        };
        let mut head = format!("{} {}{query} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        (
            head,
            Signature {
                key,
                stamp,
                scope,
                seed,
            },
        )
    }

    /// Sends it on a connection of its own.
    pub async fn send(&self, world: &World) -> Answer {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        self.send_on(&mut stream, world).await
    }

    pub async fn send_on(&self, stream: &mut TcpStream, world: &World) -> Answer {
        let (head, _) = self.head(&world.address.to_string(), Some(self.body.len()));
        stream
            .write_all(&[head.as_bytes(), &self.body].concat())
            .await
            .unwrap();
        read_answer(stream, self.method == "HEAD")
            .await
            .expect("an answer")
    }

    /// The link of a presigned request.
    pub fn presigned(&self, host: &str, seconds: u64) -> String {
        let stamp = stamp();
        let scope = format!("{}/{REGION}/s3/aws4_request", &stamp[..8]);
        let mut pairs: Vec<String> = self
            .query
            .split('&')
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect();
        pairs.extend([
            "X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned(),
            format!("X-Amz-Credential={ACCESS}%2F{}", scope.replace('/', "%2F")),
            format!("X-Amz-Date={stamp}"),
            format!("X-Amz-Expires={seconds}"),
            "X-Amz-SignedHeaders=host".to_owned(),
        ]);
        pairs.sort_by_key(|pair| {
            pair.split_once('=')
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
        });
        let query = pairs.join("&");
        let canonical = format!(
            "{}\n{}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD",
            self.method, self.path
        );
        let mut key = mac(format!("AWS4{SECRET}").as_bytes(), &stamp[..8]);
        for word in [REGION, "s3", "aws4_request"] {
            key = mac(&key, word);
        }
        let text = format!(
            "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
            sha256(canonical.as_bytes())
        );
        format!(
            "{}?{query}&X-Amz-Signature={}",
            self.path,
            words::hex::encode(&mac(&key, &text))
        )
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The connection ended before the announced length.
    pub cut: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// The first element of that name in the document.
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>"))
            .map(|(text, _)| text.to_owned())
    }
    pub fn code(&self) -> String {
        self.element("Code").unwrap_or_default()
    }
}

/// Reads one answer; `None` if the connection ends before its head.
pub async fn read_answer(
    stream: &mut (impl AsyncReadExt + Unpin),
    head_only: bool,
) -> Option<Answer> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        let read = stream.read_buf(&mut bytes).await.ok()?;
        if read == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end + 4);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|l| {
            l.split_once(": ")
                .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
        })
        .collect();
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
        cut: false,
    };
    if status == 100 {
        assert!(body.is_empty());
        return Some(answer);
    }
    let length: usize = answer
        .header("content-length")
        .and_then(|l| l.parse().ok())
        .unwrap_or(0);
    if !head_only && status != 304 {
        while body.len() < length {
            if stream.read_buf(&mut body).await.unwrap_or(0) == 0 {
                answer.cut = true;
                break;
            }
        }
    }
    answer.body = body;
    Some(answer)
}
