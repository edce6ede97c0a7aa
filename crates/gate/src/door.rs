//! The road of one request: identify, refuse what we lack, take the framing off the body, let s3s read the
//! rest, ask one verb, answer.

use crate::backend::{Answered, Backend, Identified};
use crate::body::out::Out;
use crate::body::{Wire, incoming};
use crate::config::Config;
use crate::form::{self, Tongue};
use crate::ops::{Ops, Readiness, Seen};
use crate::query::Query;
use crate::refuse::No;
use crate::target::Target;
use crate::ticket::{Asked, Ticket};
use crate::verb::Verb;
use crate::verbs::Verbs;
use crate::{document, unsupported};
use authn::RequestHead;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, SERVER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::sync::Arc;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, dispatcher};

/// The headers that s3s may see; the rest is read here, from what was signed.
const FOR_S3S: [&str; 6] = [
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-metadata-directive",
    "x-amz-mp-object-size",
    "x-amz-object-attributes",
    "x-amz-max-parts",
];

/// One door, shared by all connections.
pub(crate) struct Door {
    backend: Arc<dyn Backend>,
    ops: Arc<dyn Ops>,
    config: Config,
    s3: S3Service,
}

impl Door {
    pub(crate) fn new(backend: Arc<dyn Backend>, ops: Arc<dyn Ops>, config: Config) -> Self {
        let s3 = S3ServiceBuilder::new(Verbs::new(backend.clone(), config.region.clone())).build();
        Self {
            backend,
            ops,
            config,
            s3,
        }
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Out> {
        let began = self.config.host.elapsed();
        if let Some(answer) = self.about_node(&request).await {
            return answer;
        }
        let id = words::hex::encode(&self.config.host.random::<8>()).to_ascii_uppercase();
        let head = request.method() == Method::HEAD;
        let resource = request.uri().path().to_owned();
        let mut verb = Verb::Other.name();
        let mut answer = match self.serve(request, &mut verb, &id).await {
            Ok(answer) => answer,
            Err(no) => refused(&no, &resource, &id, head),
        };
        let headers = answer.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert("x-amz-request-id", id);
        }
        headers.insert("x-amz-id-2", HeaderValue::from_static("clarence"));
        headers.insert(SERVER, HeaderValue::from_static("Clarence"));
        let took = self.config.host.elapsed().saturating_sub(began);
        self.ops.seen(Seen {
            verb,
            status: answer.status().as_u16(),
            took,
        });
        answer
    }

    /// Health and metrics, for unsigned questions on their own names.
    async fn about_node(&self, request: &Request<Incoming>) -> Option<Response<Out>> {
        let unsigned =
            !request.headers().contains_key("authorization") && request.uri().query().is_none();
        if !unsigned || !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let (status, text) = match request.uri().path() {
            "/healthz" | "/livez" => (StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => match self.readiness().await {
                Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
                Readiness::Sealed => (StatusCode::SERVICE_UNAVAILABLE, "sealed\n".to_owned()),
                Readiness::NotReady(why) => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("not ready: {why}\n"),
                ),
            },
            "/metrics" => (StatusCode::OK, self.ops.metrics().await),
            _ => return None,
        };
        let mut answer = Response::new(Out::Once(Bytes::from(text)));
        *answer.status_mut() = status;
        answer.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; version=0.0.4"),
        );
        Some(answer)
    }

    /// Asked anew before anybody is turned away: the node may have opened this moment.
    async fn readiness(&self) -> Readiness {
        match self.ops.readiness() {
            Readiness::Ready => Readiness::Ready,
            _ => self.ops.ready_now().await,
        }
    }

    async fn open(&self) -> Result<(), No> {
        let why = match self.readiness().await {
            Readiness::Ready => return Ok(()),
            Readiness::Sealed => store::error::StoreError::Sealed.into(),
            Readiness::NotReady(why) => No::new(
                503,
                "ServiceUnavailable",
                format!("The node cannot serve: {why}"),
            )
            .with_header(RETRY_AFTER, "5"),
        };
        Err(why)
    }

    /// The road itself.
    async fn serve(
        &self,
        request: Request<Incoming>,
        verb: &mut &'static str,
        id: &str,
    ) -> Result<Response<Out>, No> {
        let (parts, body) = request.into_parts();
        let mut wire = Wire::new(body, &parts.headers);
        let mut answer = match self.form(&parts, &mut wire).await {
            Some((tongue, answered)) => Ok(form::answer(answered, tongue, id)),
            None => self.go(parts, &mut wire, verb).await,
        };
        if wire.answered_unasked() {
            answer = match answer {
                Ok(mut answer) => {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(CONNECTION, close);
                    Ok(answer)
                }
                Err(no) => Err(no.with_header(CONNECTION, "close")),
            };
        }
        if answer.is_err() {
            wire.drain().await;
        }
        answer
    }

    async fn go(
        &self,
        parts: http::request::Parts,
        wire: &mut Wire,
        verb: &mut &'static str,
    ) -> Result<Response<Out>, No> {
        self.open().await?;
        form_upload(&parts)?;
        let identified = self.identify(&parts).await?;
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let (query, headers) = unhoisted(query, parts.headers)?;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let target = Target::parse(parts.uri.path(), host, &self.config.domains)?;
        let asked_for = Verb::of(&parts.method, &target, &query, &headers);
        *verb = asked_for.name();
        let owner = identified.caller.tenant().to_string();
        unsupported::check(&parts.method, &target, asked_for, &query, &headers, &owner)?;

        let Identified {
            caller,
            payload,
            chunks,
        } = identified;
        let idle = self.config.idle_timeout;
        let (document, taken) = if asked_for.carries_object() {
            (
                Bytes::new(),
                Some(incoming::take(&headers, wire, payload, chunks, idle)?),
            )
        } else {
            (
                document::read(asked_for, &headers, wire, payload, chunks, idle).await?,
                None,
            )
        };
        let length = taken
            .as_ref()
            .map_or(document.len() as u64, |taken| taken.length);
        let mut plain = plain_request(&parts.method, &target, &query, &headers, length)?;
        *plain.body_mut() = s3s::Body::from(document);
        let ticket = Ticket::new(Asked {
            caller,
            target,
            headers,
            query,
            body: taken,
            log: dispatcher::get_default(Clone::clone),
        });
        plain.extensions_mut().insert(ticket.clone());
        self.ask(plain, &ticket).await
    }

    /// Answers a form to STS or IAM, or a certificate that asks for a session; nothing, if the request is none.
    async fn form(
        &self,
        parts: &http::request::Parts,
        wire: &mut Wire,
    ) -> Option<(Tongue, Result<Answered, No>)> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let target = Target::parse(parts.uri.path(), host, &self.config.domains).ok()?;
        let tongue = form::tongue(&parts.method, &target, parts)?;
        let answered = async {
            self.open().await?;
            let form = form::read(&parts.headers, wire, self.config.idle_timeout).await?;
            let headers = texts(&parts.headers)?;
            let head = head(parts, &headers);
            Ok(self.backend.query(&head, form.to_vec()).await?)
        };
        Some((tongue, answered.await))
    }

    async fn identify(&self, parts: &http::request::Parts) -> Result<Identified, No> {
        let headers = texts(&parts.headers)?;
        let head = head(parts, &headers);
        Ok(self.backend.identify(&head).await?)
    }

    /// Lets s3s read the plain request, and takes the answer from where it was put.
    async fn ask(&self, plain: Request<s3s::Body>, ticket: &Ticket) -> Result<Response<Out>, No> {
        // s3s logs documents that it cannot read, and names can stand in them: it gets no log at all.
        let answered = self.s3.call(plain).with_subscriber(Dispatch::none()).await;
        if let Some(no) = ticket.refused() {
            return Err(no);
        }
        if let Some((status, headers, body)) = ticket.replied() {
            let mut answer = Response::new(body);
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            return Ok(answer);
        }
        let answer = answered.map_err(|_| store_fault("the answer could not be written"))?;
        let (mut parts, mut body) = answer.into_parts();
        let bytes = body.take_bytes().unwrap_or_default();
        if !parts.status.is_success() {
            return Err(read_refusal(parts.status, &bytes));
        }
        parts.headers.remove(CONTENT_LENGTH); // hyper knows it from the body
        Ok(Response::from_parts(
            parts,
            if bytes.is_empty() {
                Out::Empty
            } else {
                Out::Once(bytes)
            },
        ))
    }
}

fn store_fault(why: &str) -> No {
    store::error::StoreError::Internal(why.to_owned()).into()
}

/// The headers as texts.
fn texts(headers: &HeaderMap) -> Result<Vec<(String, String)>, No> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = std::str::from_utf8(value.as_bytes())
                .map_err(|_| No::argument(format!("The header {name} is not UTF-8")))?;
            Ok((name.as_str().to_owned(), value.to_owned()))
        })
        .collect()
}

/// The head of a request as it is checked.
fn head<'a>(parts: &'a http::request::Parts, headers: &'a [(String, String)]) -> RequestHead<'a> {
    RequestHead {
        method: parts.method.as_str(),
        raw_path: parts.uri.path(),
        raw_query: parts.uri.query().unwrap_or_default(),
        headers,
        via: parts.extensions.get().copied().unwrap_or_default(),
    }
}

/// Browsers' form uploads sign a policy in the form instead of the request.
fn form_upload(parts: &http::request::Parts) -> Result<(), No> {
    let form = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"multipart/form-data")
    });
    if form && parts.method == Method::POST {
        return Err(No::lacking("uploads by HTML form"));
    }
    Ok(())
}

/// Presigned URLs may carry headers in their query, which are as signed as the rest: they count as headers.
pub(crate) fn unhoisted(
    mut query: Query,
    mut headers: HeaderMap,
) -> Result<(Query, HeaderMap), No> {
    let is_header = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-amz-") || matches!(name.as_str(), "content-md5")
    };
    for (name, value) in query.take_headers(is_header) {
        let invalid = |_| No::argument("A header in the query is not valid");
        let name = HeaderName::try_from(name.to_ascii_lowercase()).map_err(|_| invalid(()))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid(()))?;
        headers.append(name, value);
    }
    Ok((query, headers))
}

/// The request as s3s sees it: path style, unsigned, unframed, with no header that it could judge wrongly.
fn plain_request(
    method: &Method,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
    length: u64,
) -> Result<Request<s3s::Body>, No> {
    let mut uri = target.path();
    let text = query.text();
    if !text.is_empty() {
        uri.push('?');
        uri.push_str(&text);
    }
    let mut plain = Request::new(s3s::Body::empty());
    *plain.method_mut() = method.clone();
    *plain.uri_mut() = uri
        .try_into()
        .map_err(|_| No::new(400, "InvalidURI", "Couldn't parse the specified URI."))?;
    for name in FOR_S3S {
        if let Some(value) = headers.get(name) {
            plain.headers_mut().insert(name, value.clone());
        }
    }
    plain
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(plain)
}

/// What s3s refuses itself (a query that is no number, XML that is not as it must be, an operation nobody
/// implements), in our words' form.
fn read_refusal(status: StatusCode, xml: &[u8]) -> No {
    let text = String::from_utf8_lossy(xml);
    let between = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    };
    let known = [
        "InvalidArgument",
        "InvalidRequest",
        "MalformedXML",
        "InvalidURI",
        "InvalidBucketName",
        "KeyTooLongError",
        "MissingRequestBodyError",
        "MethodNotAllowed",
        "MissingContentLength",
        "IncompleteBody",
    ];
    let code = between("Code").unwrap_or_default();
    match known.iter().find(|word| **word == code) {
        Some(&"MalformedXML") => No::malformed_xml(),
        Some(&"MissingRequestBodyError") => {
            No::new(400, "MissingRequestBodyError", "Request Body is empty")
        }
        Some(word) => {
            let message = between("Message").unwrap_or("The request is not valid");
            let message = message
                .replace("&quot;", "\"")
                .replace("&lt;", "<")
                .replace("&gt;", ">");
            No::new(
                status.as_u16(),
                *word,
                message.replace("&apos;", "'").replace("&amp;", "&"),
            )
        }
        None if code == "NotImplemented" => No::lacking("this operation"),
        None => store_fault("s3s refused a request in words that are not known"),
    }
}

fn refused(no: &No, resource: &str, id: &str, head: bool) -> Response<Out> {
    let status = StatusCode::from_u16(no.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let bodiless = head || status == StatusCode::NOT_MODIFIED;
    let body = if bodiless {
        Out::Empty
    } else {
        Out::Once(Bytes::from(no.document(resource, id)))
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in &no.headers {
        headers.insert(name, value.clone());
    }
    if !bodiless {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(
            ALLOW,
            HeaderValue::from_static("GET, HEAD, PUT, POST, DELETE"),
        );
    }
    if no.code == "IncompleteBody" || no.code == "RequestTimeout" {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
