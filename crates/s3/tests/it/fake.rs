//! A foreign S3 for tests, also for those of the embassy: one bucket in memory behind HTTP, as much of S3 as this
//! room asks for, with faults on order.

use bytes::Bytes;
use host::Host;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use s3::{Bucket, Place};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

#[derive(Default)]
pub struct State {
    pub objects: Mutex<BTreeMap<String, Bytes>>,
    /// So many calls are answered with 503 and nothing is done.
    pub busy: AtomicU32,
    /// So many calls are done and never answered.
    pub mute: AtomicU32,
    /// No call is done or answered.
    pub away: AtomicBool,
    /// Calls are taken and never answered.
    pub silent: AtomicBool,
    /// There is no bucket.
    pub missing: AtomicBool,
    /// Conditions of writes are not heeded.
    pub heedless: AtomicBool,
    /// Every write is refused so: status and code.
    pub refusing: Mutex<Option<(u16, &'static str)>>,
    pub calls: AtomicU32,
}

pub struct Fake {
    pub state: Arc<State>,
    pub port: u16,
}

impl Fake {
    pub async fn start() -> Self {
        let state = Arc::new(State::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { state, port }
    }

    pub fn bucket(&self) -> Bucket {
        Bucket::new(self.place(), Host::real()).unwrap()
    }

    pub fn place(&self) -> Place {
        Place {
            tls: false,
            host: "127.0.0.1".into(),
            port: self.port,
            region: "lu-1".into(),
            bucket: words::BucketName::parse("twin").unwrap(),
            access_key: words::AccessKeyId::parse("CLRABCDEFGHIJKLMNOPQ").unwrap(),
            secret: "secret".to_owned().into(),
            authorities: None,
        }
    }

    pub fn names(&self) -> Vec<String> {
        self.state.objects.lock().unwrap().keys().cloned().collect()
    }
}

fn taken(count: &AtomicU32) -> bool {
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
        .is_ok()
}

type Answer = Result<Response<Full<Bytes>>, std::io::Error>;

fn reply(status: u16, body: impl Into<Bytes>) -> Answer {
    Ok(Response::builder()
        .status(status)
        .header(
            "last-modified",
            httpdate::fmt_http_date(std::time::SystemTime::now()),
        )
        .header("server", "Fake 1")
        .body(Full::new(body.into()))
        .unwrap())
}

fn error(status: u16, code: &str) -> Answer {
    reply(
        status,
        format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
    )
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    state.calls.fetch_add(1, Ordering::SeqCst);
    let signed = head.headers.get("authorization").unwrap().to_str().unwrap();
    assert!(signed.contains("Signature="));
    if state.away.load(Ordering::SeqCst) {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    if state.silent.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    if taken(&state.busy) {
        return reply(
            503,
            "<Error><Code>SlowDown</Code><Message>later</Message></Error>",
        );
    }
    let done = act(&state, &head, body);
    if taken(&state.mute) {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    done
}

fn act(state: &State, head: &http::request::Parts, body: Bytes) -> Answer {
    let mut objects = state.objects.lock().unwrap();
    let name = head.uri.path().strip_prefix("/twin/").unwrap_or_default();
    let conditional = head.headers.contains_key("if-none-match");
    let heedless = state.heedless.load(Ordering::SeqCst);
    let refusing = *state.refusing.lock().unwrap();
    match head.method.as_str() {
        "PUT" if name.is_empty() => {
            state.missing.store(false, Ordering::SeqCst);
            reply(200, "")
        }
        _ if state.missing.load(Ordering::SeqCst) => error(404, "NoSuchBucket"),
        "PUT" if refusing.is_some_and(|(status, _)| status != 501 || conditional) => {
            let (status, code) = refusing.unwrap();
            error(status, code)
        }
        "GET" if name.is_empty() => reply(200, listing(&objects, head.uri.query().unwrap())),
        "PUT" if conditional && objects.contains_key(name) && !heedless => {
            error(412, "PreconditionFailed")
        }
        "PUT" => {
            objects.insert(name.to_owned(), body);
            reply(200, "")
        }
        "DELETE" => {
            objects.remove(name);
            reply(204, "")
        }
        _ => match objects.get(name) {
            None => error(404, "NoSuchKey"),
            Some(object) => match head.headers.get("range") {
                None => reply(200, object.clone()),
                Some(range) => {
                    let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
                    let (from, to) = range.split_once('-').unwrap();
                    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
                    if from >= object.len() {
                        return reply(416, "");
                    }
                    reply(206, object.slice(from..object.len().min(to + 1)))
                }
            },
        },
    }
}

fn listing(objects: &BTreeMap<String, Bytes>, query: &str) -> String {
    let value = |name: &str| {
        let pair = query
            .split('&')
            .find_map(|p| p.strip_prefix(&format!("{name}=")));
        pair.unwrap_or_default().replace("%2F", "/")
    };
    let max: usize = value("max-keys").parse().unwrap();
    let (prefix, after) = (value("prefix"), value("start-after"));
    let found = objects
        .iter()
        .filter(|(name, _)| name.starts_with(&prefix) && **name > after)
        .take(max);
    let entries: String = found
        .map(|(name, body)| {
            format!(
                "<Contents><Key>{name}</Key><LastModified>2026-11-26T04:00:00.000Z</LastModified><Size>{}</Size></Contents>",
                body.len()
            )
        })
        .collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>")
}
