//! A client with a credential: it signs, is identified, and calls the store's verbs.

use crate::sign;
use crate::world::{Node, REGION};
use authn::{Caller, RequestHead};
use bytes::Bytes;
use futures::{StreamExt, stream};
use store::StoreError;
use store::api::{
    BodyIn, BodyOut, Conditions, Expected, Metadata, ObjectInfo, PutAsked, PutDone, RangeAsked,
    ReadAsked,
};
use vault::{QueryDone, Refusal};
use words::{BucketName, ObjectKey, TenantId};

/// A credential.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its public half.
    pub access_key: String,
    /// Its secret half.
    pub secret: String,
    /// Whom it acts for.
    pub tenant: TenantId,
    /// The token of a session.
    pub token: Option<String>,
}

/// What a GET came to.
#[derive(Debug)]
pub struct Got {
    /// The object.
    pub info: ObjectInfo,
    /// First and last byte, if a range was asked for.
    pub range: Option<(u64, u64)>,
    /// The announced length.
    pub length: u64,
    /// The bytes, or how the stream broke.
    pub body: Result<Vec<u8>, String>,
}

impl Client {
    /// A caller, by a request that is signed and checked.
    pub async fn caller(&self, node: &Node, method: &str, path: &str) -> Result<Caller, Refusal> {
        let asked = sign::Signed {
            method,
            path,
            client: self,
            region: REGION,
            service: "s3",
            payload: "UNSIGNED-PAYLOAD",
        };
        let headers = sign::headers(&asked, node.host.now());
        let head = RequestHead {
            method,
            raw_path: path,
            raw_query: "",
            headers: &headers,
            via: authn::Via::default(),
        };
        node.vault
            .identify(&head)
            .await
            .map(|identified| identified.caller)
    }

    /// Sends a form to STS or IAM: name and value of each parameter.
    pub async fn form(
        &self,
        node: &Node,
        service: &str,
        parameters: &[(&str, &str)],
    ) -> Result<QueryDone, Refusal> {
        let body = form_of(service, parameters);
        let payload = sign::hash(&body);
        let asked = sign::Signed {
            method: "POST",
            path: "/",
            client: self,
            region: REGION,
            service,
            payload: &payload,
        };
        let headers = sign::headers(&asked, node.host.now());
        let head = RequestHead {
            method: "POST",
            raw_path: "/",
            raw_query: "",
            headers: &headers,
            via: authn::Via::default(),
        };
        node.vault.query(&head, body.as_bytes()).await
    }

    /// The same as an error of the store.
    pub async fn ask(
        &self,
        node: &Node,
        method: &str,
        bucket: &BucketName,
    ) -> Result<Caller, StoreError> {
        let path = format!("/{}", bucket.as_str());
        self.caller(node, method, &path)
            .await
            .map_err(|refusal| match refusal.status {
                503 => StoreError::Sealed,
                _ => StoreError::Denied,
            })
    }

    /// Makes a bucket.
    pub async fn create_bucket(&self, node: &Node, bucket: &BucketName) -> Result<(), StoreError> {
        node.store
            .create_bucket(self.ask(node, "PUT", bucket).await?, bucket.clone())
            .await
    }

    /// PUT of whole bytes.
    pub async fn put(
        &self,
        node: &Node,
        bucket: &BucketName,
        key: &ObjectKey,
        bytes: &[u8],
    ) -> Result<PutDone, StoreError> {
        self.put_asked(node, bucket, key, bytes, put_asked(bytes.len() as u64))
            .await
    }

    /// PUT with conditions.
    pub async fn put_if(
        &self,
        node: &Node,
        bucket: &BucketName,
        key: &ObjectKey,
        bytes: &[u8],
        conditions: Conditions,
    ) -> Result<PutDone, StoreError> {
        self.put_asked(
            node,
            bucket,
            key,
            bytes,
            PutAsked {
                conditions,
                ..put_asked(bytes.len() as u64)
            },
        )
        .await
    }

    /// PUT with everything.
    pub async fn put_asked(
        &self,
        node: &Node,
        bucket: &BucketName,
        key: &ObjectKey,
        bytes: &[u8],
        asked: PutAsked,
    ) -> Result<PutDone, StoreError> {
        let caller = self.ask(node, "PUT", bucket).await?;
        node.store
            .put_object(caller, bucket, key, asked, body(bytes))
            .await
    }

    /// GET, read to its end.
    pub async fn get(
        &self,
        node: &Node,
        bucket: &BucketName,
        key: &ObjectKey,
        range: Option<RangeAsked>,
    ) -> Result<Got, StoreError> {
        self.get_asked(
            node,
            bucket,
            key,
            ReadAsked {
                range,
                ..ReadAsked::default()
            },
        )
        .await
    }

    /// GET with everything, read to its end.
    pub async fn get_asked(
        &self,
        node: &Node,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<Got, StoreError> {
        let caller = self.ask(node, "GET", bucket).await?;
        let out = node.store.get_object(caller, bucket, key, asked).await?;
        Ok(Got {
            info: out.info,
            range: out.range,
            length: out.length,
            body: collect(out.body).await,
        })
    }

    /// HEAD.
    pub async fn head(
        &self,
        node: &Node,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<ObjectInfo, StoreError> {
        let caller = self.ask(node, "HEAD", bucket).await?;
        Ok(node
            .store
            .head_object(caller, bucket, key, ReadAsked::default())
            .await?
            .info)
    }

    /// DELETE.
    pub async fn delete(
        &self,
        node: &Node,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<(), StoreError> {
        let caller = self.ask(node, "DELETE", bucket).await?;
        node.store
            .delete_object(caller, bucket, key, Conditions::default())
            .await
    }
}

/// A form as it is sent.
#[must_use]
pub fn form_of(service: &str, parameters: &[(&str, &str)]) -> String {
    let version = match service {
        "iam" => "2010-05-08",
        _ => "2011-06-15",
    };
    let mut body = format!("Version={version}");
    for (name, value) in parameters {
        let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        body.push_str(&format!("&{name}={escaped}"));
    }
    body
}

/// A form that nobody signed.
pub async fn unsigned_form(node: &Node, parameters: &[(&str, &str)]) -> Result<QueryDone, Refusal> {
    let body = form_of("sts", parameters);
    let headers = [("host".to_owned(), "sim.test".to_owned())];
    let head = RequestHead {
        method: "POST",
        raw_path: "/",
        raw_query: "",
        headers: &headers,
        via: authn::Via::default(),
    };
    node.vault.query(&head, body.as_bytes()).await
}

/// A PUT without anything special.
#[must_use]
pub fn put_asked(length: u64) -> PutAsked {
    PutAsked {
        metadata: Metadata::default(),
        length,
        expected: Expected::default(),
        conditions: Conditions::default(),
    }
}

/// Bytes as they come over a wire: in pieces that fit no boundary.
#[must_use]
pub fn body(bytes: &[u8]) -> BodyIn {
    let pieces: Vec<_> = bytes
        .chunks(70_001)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces).boxed()
}

/// Reads a body to its end.
pub async fn collect(mut out: BodyOut) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(piece) = out.next().await {
        bytes.extend_from_slice(&piece.map_err(|e| e.to_string())?);
    }
    Ok(bytes)
}
