//! A backend with one object, which believes whoever says `authorization: ok`.

use async_trait::async_trait;
use authn::{ChunkCheck, ChunkMismatch, PayloadHash, RequestHead};
use bytes::Bytes;
use futures::StreamExt as _;
use gate::{
    Answered, Backend, Element, Identified, Known, ObjectHead, Ops, Readiness, Refusal, Seen,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use store::api::{
    BodyIn, BucketInfo, CompleteAsked, Conditions, CopyAsked, ListAsked, ListPage, ListedPart,
    ListedUpload, Metadata, ObjectInfo, ObjectOut, PartCopyAsked, PutAsked, PutDone, ReadAsked,
    UploadAsked,
};
use store::{PolicyAct, StoreError};
use words::{BucketName, ObjectKey, TenantId, UnixMillis, VersionId};

#[derive(Default)]
pub struct Node {
    open: AtomicBool,
    pub refuse_puts: AtomicBool,
    identified: AtomicUsize,
    reads: AtomicUsize,
    object: Mutex<Option<Vec<u8>>>,
    hash: Mutex<Option<[u8; 32]>>,
    seen: Mutex<String>,
}

pub fn node() -> Arc<Node> {
    Arc::new(Node::default())
}

impl Node {
    pub fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
    pub fn store(&self, bytes: &[u8]) {
        *self.object.lock().unwrap() = Some(bytes.to_vec());
    }
    pub fn stored(&self) -> Option<Vec<u8>> {
        self.object.lock().unwrap().clone()
    }
    pub fn expected_hash(&self) -> Option<[u8; 32]> {
        *self.hash.lock().unwrap()
    }
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
    pub fn lanes_seen(&self) -> usize {
        self.identified.load(Ordering::SeqCst)
    }
}

/// A chain on which every signature must be `good`.
struct Chain;

impl ChunkCheck for Chain {
    fn chunk(&mut self, _: &[u8; 32], _: u64, signature: &str) -> Result<(), ChunkMismatch> {
        (signature == "good").then_some(()).ok_or(ChunkMismatch)
    }
    fn trailer(&mut self, _: &[u8], signature: &str) -> Result<(), ChunkMismatch> {
        (signature == "good").then_some(()).ok_or(ChunkMismatch)
    }
}

fn lacking<T>() -> Result<T, StoreError> {
    Err(StoreError::Busy)
}

fn info(size: u64) -> ObjectInfo {
    ObjectInfo {
        size,
        etag: size.to_string(),
        modified: UnixMillis(1),
        metadata: Metadata::default(),
        checksums: Vec::new(),
        parts: None,
        version: VersionId::from_bytes([1; 16]),
    }
}

#[async_trait]
impl Ops for Node {
    fn readiness(&self) -> Readiness {
        match self.open.load(Ordering::SeqCst) {
            true => Readiness::Ready,
            false => Readiness::Sealed,
        }
    }
    async fn metrics(&self) -> String {
        self.seen.lock().unwrap().clone()
    }
    fn seen(&self, request: Seen) {
        let line = format!("seen {} {}\n", request.verb, request.status);
        self.seen.lock().unwrap().push_str(&line);
    }
}

#[async_trait]
impl Backend for Node {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Identified, Refusal> {
        let header = |name: &str| {
            let found = head.headers.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value.as_str())
        };
        if header("authorization") != Some("ok") {
            return Err(Refusal {
                code: "AccessDenied".into(),
                status: 403,
                message: "no".into(),
                region: Some("lu-1".into()),
            });
        }
        self.identified.fetch_add(1, Ordering::SeqCst);
        let (payload, chunks) = match header("x-amz-content-sha256") {
            Some("signed") => (PayloadHash::Hex([9; 32]), None),
            Some("chunks") => (PayloadHash::SignedChunks, Some(Box::new(Chain) as _)),
            _ => (PayloadHash::Unsigned, None),
        };
        Ok(Identified {
            caller: Known::new(TenantId::from_bytes([3; 16]), "proof"),
            payload,
            chunks,
        })
    }

    async fn query(&self, head: &RequestHead<'_>, form: Vec<u8>) -> Result<Answered, Refusal> {
        let source = head.via.source.map(|source| source.to_string());
        Ok(Answered {
            action: String::from_utf8(form).unwrap(),
            service: "sts".into(),
            elements: vec![Element::Group(
                "Via".into(),
                vec![Element::Text("Source".into(), source.unwrap_or_default())],
            )],
        })
    }
    async fn bucket_policy(
        &self,
        _: Known,
        _: &BucketName,
        act: PolicyAct,
    ) -> Result<Option<String>, StoreError> {
        match act {
            PolicyAct::Put(text) => Ok(Some(text)),
            _ => Err(StoreError::NoSuchBucketPolicy),
        }
    }
    async fn list_buckets(&self, _: Known) -> Result<Vec<BucketInfo>, StoreError> {
        lacking()
    }
    async fn create_bucket(&self, _: Known, _: BucketName) -> Result<(), StoreError> {
        lacking()
    }
    async fn head_bucket(&self, _: Known, _: &BucketName) -> Result<BucketInfo, StoreError> {
        lacking()
    }
    async fn delete_bucket(&self, _: Known, _: &BucketName) -> Result<(), StoreError> {
        lacking()
    }
    async fn list_objects(
        &self,
        _: Known,
        _: &BucketName,
        _: ListAsked,
    ) -> Result<ListPage, StoreError> {
        lacking()
    }

    async fn get_object(
        &self,
        caller: Known,
        _: &BucketName,
        key: &ObjectKey,
        _: ReadAsked,
    ) -> Result<ObjectOut, StoreError> {
        assert_eq!(caller.into_proof::<&str>(), Some("proof"));
        self.reads.fetch_add(1, Ordering::SeqCst);
        let Some(bytes) = self.stored().filter(|_| key.as_str() == "k") else {
            return Err(StoreError::NoSuchKey);
        };
        let length = bytes.len() as u64;
        let pieces: Vec<_> = bytes
            .chunks(200_000)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        Ok(ObjectOut {
            info: info(length),
            range: None,
            length,
            body: futures::stream::iter(pieces).boxed(),
        })
    }

    async fn head_object(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: ReadAsked,
    ) -> Result<ObjectHead, StoreError> {
        lacking()
    }

    async fn put_object(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        asked: PutAsked,
        mut body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        if self.refuse_puts.load(Ordering::SeqCst) {
            return Err(StoreError::NoSpace);
        }
        *self.hash.lock().unwrap() = asked.expected.payload_sha256;
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let etag = bytes.len().to_string();
        *self.object.lock().unwrap() = Some(bytes);
        Ok(PutDone {
            etag,
            checksums: Vec::new(),
            modified: UnixMillis(2),
            version: VersionId::from_bytes([2; 16]),
        })
    }

    async fn delete_object(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: Conditions,
    ) -> Result<(), StoreError> {
        lacking()
    }
    async fn delete_objects(
        &self,
        _: Known,
        _: &BucketName,
        _: Vec<ObjectKey>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        lacking()
    }
    async fn copy_object(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: CopyAsked,
    ) -> Result<PutDone, StoreError> {
        lacking()
    }
    async fn create_upload(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: UploadAsked,
    ) -> Result<VersionId, StoreError> {
        lacking()
    }
    async fn upload_part(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: VersionId,
        _: u32,
        _: PutAsked,
        _: BodyIn,
    ) -> Result<PutDone, StoreError> {
        lacking()
    }
    async fn upload_part_copy(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: VersionId,
        _: u32,
        _: PartCopyAsked,
    ) -> Result<PutDone, StoreError> {
        lacking()
    }
    async fn complete_upload(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: VersionId,
        _: CompleteAsked,
    ) -> Result<PutDone, StoreError> {
        lacking()
    }
    async fn abort_upload(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: VersionId,
    ) -> Result<(), StoreError> {
        lacking()
    }
    async fn list_parts(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        _: VersionId,
        _: u32,
        _: usize,
    ) -> Result<(Vec<ListedPart>, bool), StoreError> {
        lacking()
    }
    async fn list_uploads(
        &self,
        _: Known,
        _: &BucketName,
        _: ListAsked,
    ) -> Result<(Vec<ListedUpload>, bool), StoreError> {
        lacking()
    }
}
