//! Nobody's call is read before they have proven who they are: by a token, or by an access key and its secret.

use super::Door;
use super::client::Peer;
use super::fail::{refused, status};
use super::tokens::Signed;
use crate::http::asked::sign;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use sql::{Fault, SignedIn, SqlError};
use statement::Why;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;

/// The database of somebody who names none: their own.
const OWN: &str = "clarence";
/// The header that names another.
const DATABASE: &str = "database";

/// Who calls.
#[derive(Clone)]
pub struct Who {
    pub signed: Arc<Signed>,
    /// The token that they came with.
    pub token: Option<String>,
}

/// Lets calls through to a service with who makes them.
#[derive(Clone)]
pub struct Believing<S> {
    door: Arc<Door>,
    inner: S,
}

impl<S> Believing<S> {
    pub const fn new(door: Arc<Door>, inner: S) -> Self {
        Self { door, inner }
    }
}

impl<S: NamedService> NamedService for Believing<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Believing<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The one that said it is ready takes the call.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let door = Arc::clone(&self.door);
        Box::pin(async move {
            let headers = request.headers().clone();
            let peer = request.extensions().get::<Peer>().cloned();
            match who(&door, &headers, peer.as_ref()).await {
                Ok(who) => {
                    if let Some(peer) = peer {
                        peer.believe();
                    }
                    request.extensions_mut().insert(who);
                    ready.call(request).await
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

async fn who(door: &Door, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Who, Status> {
    let database = match headers.get(DATABASE) {
        Some(name) => Some(name.to_str().map_err(|_| {
            Status::invalid_argument("the header database names one: clarence, or agr_<id>")
        })?),
        None => None,
    };
    let Some(token) = bearer(headers) else {
        let signed = sign_in(door, headers, database.unwrap_or(OWN), peer).await?;
        let token = None;
        return Ok(Who { signed, token });
    };
    let signed = door.tokens.of(token).ok_or_else(|| {
        Status::unauthenticated(
            "the token is not known, or has ended: sign in again with the access key and its secret",
        )
    })?;
    match database {
        Some(other) if other != signed.database => Err(Status::invalid_argument(format!(
            "the token is for the database {}: sign in again with the header database for another",
            signed.database
        ))),
        _ => Ok(Who {
            signed,
            token: Some(token.to_owned()),
        }),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = given.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn sign_in(
    door: &Door,
    headers: &HeaderMap,
    database: &str,
    peer: Option<&Peer>,
) -> Result<Arc<Signed>, Status> {
    let sign = sign(headers).map_err(|refusal| refused(&refusal))?;
    let from = peer.and_then(|peer| peer.from);
    match door.engine.sign_in(sign, database, from).await {
        Ok(SignedIn::In { connection, .. }) => Ok(Arc::new(Signed::new(connection, database))),
        Ok(SignedIn::Challenge { .. }) => Err(status(&SqlError::new(
            Fault::Refused(Why::Internal),
            "a secret asks for nothing more",
        ))),
        Err(error) => Err(status(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_token_is_told_from_a_secret() {
        let with = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(text));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(with("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(with("bearer  abc"), Some("abc".to_owned()));
        assert_eq!(with("Basic abc"), None);
        assert_eq!(with("Bearer"), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
