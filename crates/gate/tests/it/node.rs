//! A node in memory: simple, complete enough for the door, and counting what it is asked.

use async_trait::async_trait;
use authn::{Credential, RequestHead, SecretKey};
use bytes::Bytes;
use futures::StreamExt;
use gate::{Backend, Config, Identified, Known, ObjectHead, Ops, Readiness, Refusal};
use host::Host;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use store::PolicyAct;
use store::api::*;
use store::checksum::{BodyDigests, BodyHashes, composite, etag_text, full_object, multipart_etag};
use store::error::StoreError;
use tokio::net::TcpListener;
use words::{BucketName, ObjectKey, TenantId, UnixMillis, VersionId};

mod verbs;

pub const ACCESS: &str = "TESTKEY";
pub const SECRET: &str = "not/a+secret";
pub const TENANT: TenantId = TenantId::from_bytes([7; 16]);
pub const REGION: &str = "lu-1";
const TIME: UnixMillis = UnixMillis(1_445_412_480_123);

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    info: ObjectInfo,
}

struct Part {
    bytes: Bytes,
    md5: [u8; 16],
    checksums: Vec<Checksum>,
}

struct Upload {
    bucket: String,
    key: String,
    asked: UploadAsked,
    parts: BTreeMap<u32, Part>,
}

#[derive(Default)]
struct State {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    uploads: BTreeMap<[u8; 16], Upload>,
    next: u8,
}

/// The node.
#[derive(Default)]
pub struct Node {
    state: Mutex<State>,
    policies: Mutex<BTreeMap<String, String>>,
    pub identified: AtomicUsize,
    pub verbs: AtomicUsize,
    pub sealed: std::sync::atomic::AtomicBool,
}

pub struct World {
    pub node: Arc<Node>,
    pub address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    pub served: Option<tokio::task::JoinHandle<()>>,
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let node = Arc::new(Node::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = Config::new(Host::real());
        change(&mut config);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let served = tokio::spawn(gate::serve(
            listener,
            node.clone(),
            node.clone(),
            config,
            async {
                let _ = stopped.await;
            },
        ));
        Self {
            node,
            address,
            stop: Some(stop),
            served: Some(served),
        }
    }
    pub fn stop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
    pub fn bucket(&self, name: &str) {
        self.node
            .state
            .lock()
            .unwrap()
            .buckets
            .insert(name.to_owned(), BTreeMap::new());
    }
    pub fn object(&self, bucket: &str, key: &str) -> Option<(Bytes, ObjectInfo)> {
        let state = self.node.state.lock().unwrap();
        state
            .buckets
            .get(bucket)?
            .get(key)
            .map(|o| (o.bytes.clone(), o.info.clone()))
    }
    pub fn put(&self, bucket: &str, key: &str, bytes: &'static [u8]) {
        let mut hashes = BodyHashes::new(&Expected::default(), Some(ChecksumKind::Crc32));
        hashes.update(bytes);
        let digests = hashes.finish();
        let object = object(Bytes::from_static(bytes), Metadata::default(), &digests);
        self.node
            .state
            .lock()
            .unwrap()
            .buckets
            .get_mut(bucket)
            .unwrap()
            .insert(key.to_owned(), object);
    }
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.node.state.lock().unwrap().buckets[bucket]
            .keys()
            .cloned()
            .collect()
    }
    pub fn part(&self, number: u32) -> Option<Bytes> {
        let state = self.node.state.lock().unwrap();
        state
            .uploads
            .values()
            .find_map(|u| u.parts.get(&number).map(|p| p.bytes.clone()))
    }
}

fn object(bytes: Bytes, metadata: Metadata, digests: &BodyDigests) -> Object {
    let info = ObjectInfo {
        size: bytes.len() as u64,
        etag: etag_text(&digests.md5, None),
        modified: TIME,
        metadata,
        checksums: digests.checksums.clone(),
        parts: None,
        version: VersionId::from_bytes([1; 16]),
    };
    Object { bytes, info }
}

fn done(info: &ObjectInfo) -> PutDone {
    PutDone {
        etag: info.etag.clone(),
        checksums: info.checksums.clone(),
        modified: info.modified,
        version: info.version,
    }
}

fn check(conditions: &Conditions, info: Option<&ObjectInfo>, read: bool) -> Result<(), StoreError> {
    let hits = |asked: &EtagMatch, info: &ObjectInfo| match asked {
        EtagMatch::Any => true,
        EtagMatch::OneOf(etags) => etags.contains(&info.etag),
    };
    if let Some(asked) = &conditions.if_match
        && !info.is_some_and(|info| hits(asked, info))
    {
        return Err(StoreError::PreconditionFailed("If-Match"));
    }
    let Some(info) = info else { return Ok(()) };
    if conditions
        .if_none_match
        .as_ref()
        .is_some_and(|asked| hits(asked, info))
    {
        return Err(if read {
            StoreError::NotModified
        } else {
            StoreError::PreconditionFailed("If-None-Match")
        });
    }
    if conditions
        .if_unmodified_since
        .is_some_and(|time| info.modified.seconds() > time.seconds())
    {
        return Err(StoreError::PreconditionFailed("If-Unmodified-Since"));
    }
    if conditions
        .if_modified_since
        .is_some_and(|time| info.modified.seconds() <= time.seconds())
    {
        return Err(StoreError::NotModified);
    }
    Ok(())
}

/// Reads a body as the real store does: hashes, length, checks.
async fn read(
    asked: &PutAsked,
    mut body: BodyIn,
    also: Option<ChecksumKind>,
) -> Result<(Bytes, BodyDigests), StoreError> {
    let mut hashes = BodyHashes::new(&asked.expected, also);
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        hashes.update(&piece);
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(
        bytes.len() as u64,
        asked.length,
        "the door must enforce the length"
    );
    let digests = hashes.finish();
    digests.check(&asked.expected)?;
    Ok((bytes.into(), digests))
}

impl Node {
    fn asked(&self) {
        self.verbs.fetch_add(1, Ordering::SeqCst);
    }
    fn in_bucket<T>(
        &self,
        bucket: &BucketName,
        f: impl FnOnce(&mut BTreeMap<String, Object>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.asked();
        let mut state = self.state.lock().unwrap();
        f(state
            .buckets
            .get_mut(bucket.as_str())
            .ok_or(StoreError::NoSuchBucket)?)
    }
    fn find(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: &ReadAsked,
    ) -> Result<(Object, Option<(u64, u64)>), StoreError> {
        self.in_bucket(bucket, |objects| {
            if key.as_str() == "broken" {
                return Err(StoreError::Internal("the disk is on fire".to_owned()));
            }
            let object = objects.get(key.as_str()).ok_or(StoreError::NoSuchKey)?;
            check(&asked.conditions, Some(&object.info), true)?;
            let size = object.info.size;
            let range = match asked.range {
                None => None,
                Some(RangeAsked::From { first, .. }) if first >= size => {
                    return Err(StoreError::RangeNotSatisfiable { size });
                }
                Some(RangeAsked::Last(0)) => return Err(StoreError::RangeNotSatisfiable { size }),
                Some(RangeAsked::From { first, last }) => {
                    Some((first, last.unwrap_or(size).min(size - 1)))
                }
                Some(RangeAsked::Last(n)) => Some((size.saturating_sub(n), size - 1)),
            };
            Ok((object.clone(), range))
        })
    }
    fn upload<T>(
        &self,
        id: VersionId,
        f: impl FnOnce(&mut Upload) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.asked();
        let mut state = self.state.lock().unwrap();
        f(state
            .uploads
            .get_mut(id.as_bytes())
            .ok_or(StoreError::NoSuchUpload)?)
    }
}

#[async_trait]
impl Ops for Node {
    fn readiness(&self) -> Readiness {
        if self.sealed.load(Ordering::SeqCst) {
            Readiness::Sealed
        } else {
            Readiness::Ready
        }
    }
    async fn metrics(&self) -> String {
        "clarence_up 1\n".to_owned()
    }
}
