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

#[async_trait]
impl Backend for Node {
    async fn identify(&self, head: &RequestHead<'_>) -> Result<Identified, Refusal> {
        self.identified.fetch_add(1, Ordering::SeqCst);
        let now = Host::real().now();
        let verified = authn::present(head).and_then(|presented| {
            if presented.access_key().as_str() != ACCESS {
                return Err(authn::AuthnError::UnknownAccessKey);
            }
            let secret = SecretKey::new(SECRET.to_owned());
            authn::verify(presented, &secret, Credential::active(TENANT), now, REGION)
        });
        match verified {
            Ok(verified) => Ok(Identified {
                caller: Known::new(verified.caller.tenant(), ()),
                payload: verified.payload,
                chunks: verified.chunks.map(|chain| Box::new(chain) as _),
            }),
            Err(error) => {
                let answer = error.answer(REGION);
                Err(Refusal {
                    code: answer.code.into(),
                    status: answer.status,
                    message: answer.message,
                    region: answer.region,
                })
            }
        }
    }

    async fn query(
        &self,
        head: &RequestHead<'_>,
        form: Vec<u8>,
    ) -> Result<gate::Answered, Refusal> {
        self.identified.fetch_add(1, Ordering::SeqCst);
        let text = String::from_utf8(form).unwrap();
        if text.contains("Action=No") {
            return Err(Refusal {
                code: "AccessDenied".into(),
                status: 403,
                message: "no <&>".to_owned(),
                region: None,
            });
        }
        let source = head.via.source.map(|address| address.to_string());
        Ok(gate::Answered {
            action: "GetCallerIdentity".to_owned(),
            service: "sts".to_owned(),
            elements: vec![gate::Element::Group(
                "Outer".to_owned(),
                vec![gate::Element::Text(
                    "Source".to_owned(),
                    source.unwrap_or_default(),
                )],
            )],
        })
    }
    async fn list_buckets(&self, _: Known) -> Result<Vec<BucketInfo>, StoreError> {
        self.asked();
        let state = self.state.lock().unwrap();
        let info = |name: &String| BucketInfo {
            name: BucketName::parse(name).unwrap(),
            created: TIME,
        };
        Ok(state.buckets.keys().map(info).collect())
    }
    async fn create_bucket(&self, _: Known, bucket: BucketName) -> Result<(), StoreError> {
        self.asked();
        let mut state = self.state.lock().unwrap();
        if state.buckets.contains_key(bucket.as_str()) {
            return Err(StoreError::BucketAlreadyOwned);
        }
        state
            .buckets
            .insert(bucket.as_str().to_owned(), BTreeMap::new());
        Ok(())
    }
    async fn head_bucket(&self, _: Known, bucket: &BucketName) -> Result<BucketInfo, StoreError> {
        self.in_bucket(bucket, |_| {
            Ok(BucketInfo {
                name: bucket.clone(),
                created: TIME,
            })
        })
    }
    async fn bucket_policy(
        &self,
        _: Known,
        bucket: &BucketName,
        act: PolicyAct,
    ) -> Result<Option<String>, StoreError> {
        self.in_bucket(bucket, |_| Ok(()))?;
        let mut policies = self.policies.lock().unwrap();
        match act {
            PolicyAct::Get => policies
                .get(bucket.as_str())
                .map(|text| Some(text.clone()))
                .ok_or(StoreError::NoSuchBucketPolicy),
            PolicyAct::Put(text) if !text.starts_with('{') => {
                Err(StoreError::MalformedPolicy("it is not JSON".into()))
            }
            PolicyAct::Put(text) => {
                policies.insert(bucket.as_str().to_owned(), text);
                Ok(None)
            }
            PolicyAct::Delete => {
                policies.remove(bucket.as_str());
                Ok(None)
            }
        }
    }
    async fn delete_bucket(&self, _: Known, bucket: &BucketName) -> Result<(), StoreError> {
        self.in_bucket(bucket, |objects| {
            if objects.is_empty() {
                Ok(())
            } else {
                Err(StoreError::BucketNotEmpty)
            }
        })?;
        self.state.lock().unwrap().buckets.remove(bucket.as_str());
        Ok(())
    }
    async fn list_objects(
        &self,
        _: Known,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<ListPage, StoreError> {
        self.in_bucket(bucket, |objects| {
            let mut page = ListPage::default();
            for (key, object) in objects.iter() {
                if !key.starts_with(&asked.prefix) {
                    continue;
                }
                let rest = &key[asked.prefix.len()..];
                let group = asked.delimiter.as_ref().and_then(|d| {
                    rest.find(d.as_str())
                        .map(|at| format!("{}{}", asked.prefix, &rest[..at + d.len()]))
                });
                let shown = group.clone().unwrap_or_else(|| key.clone());
                if asked.after.as_ref().is_some_and(|after| shown <= *after)
                    || page.prefixes.last() == Some(&shown)
                {
                    continue;
                }
                if page.objects.len() + page.prefixes.len() == asked.max {
                    page.truncated = true;
                    break;
                }
                page.next = Some(shown);
                match group {
                    Some(group) => page.prefixes.push(group),
                    None => page.objects.push(ListedObject {
                        key: key.clone(),
                        size: object.info.size,
                        etag: object.info.etag.clone(),
                        modified: TIME,
                    }),
                }
            }
            if !page.truncated {
                page.next = None;
            }
            Ok(page)
        })
    }

    async fn get_object(
        &self,
        _: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectOut, StoreError> {
        let (object, range) = self.find(bucket, key, &asked)?;
        let bytes = match range {
            None => object.bytes,
            Some((first, last)) => object.bytes.slice(first as usize..=last as usize),
        };
        let length = bytes.len() as u64;
        // Small pieces, so that streaming is exercised.
        let pieces: Vec<_> = bytes
            .chunks(64 * 1024)
            .map(|c| Ok(Bytes::copy_from_slice(c)))
            .collect();
        Ok(ObjectOut {
            info: object.info,
            range,
            length,
            body: futures::stream::iter(pieces).boxed(),
        })
    }
    async fn head_object(
        &self,
        _: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectHead, StoreError> {
        let (object, range) = self.find(bucket, key, &asked)?;
        let length = range.map_or(object.info.size, |(first, last)| last - first + 1);
        Ok(ObjectHead {
            info: object.info,
            range,
            length,
        })
    }
    async fn put_object(
        &self,
        _: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        self.in_bucket(bucket, |_| Ok(()))?;
        let (bytes, digests) = read(&asked, body, None).await?;
        self.in_bucket(bucket, |objects| {
            check(
                &asked.conditions,
                objects.get(key.as_str()).map(|o| &o.info),
                false,
            )?;
            let object = object(bytes, asked.metadata, &digests);
            let put = done(&object.info);
            objects.insert(key.as_str().to_owned(), object);
            Ok(put)
        })
    }
    async fn delete_object(
        &self,
        _: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        conditions: Conditions,
    ) -> Result<(), StoreError> {
        self.in_bucket(bucket, |objects| {
            check(
                &conditions,
                objects.get(key.as_str()).map(|o| &o.info),
                false,
            )?;
            objects.remove(key.as_str());
            Ok(())
        })
    }
    async fn delete_objects(
        &self,
        _: Known,
        bucket: &BucketName,
        keys: Vec<ObjectKey>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        self.in_bucket(bucket, |objects| {
            Ok(keys
                .iter()
                .map(|key| match objects.remove(key.as_str()) {
                    _ if key.as_str().contains("denied") => Err(StoreError::Denied),
                    _ => Ok(()),
                })
                .collect())
        })
    }
    async fn copy_object(
        &self,
        _: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: CopyAsked,
    ) -> Result<PutDone, StoreError> {
        let mut source = self.in_bucket(&asked.source_bucket, |objects| {
            objects
                .get(asked.source_key.as_str())
                .cloned()
                .ok_or(StoreError::NoSuchKey)
        })?;
        check(&asked.source_conditions, Some(&source.info), true)?;
        if let CopyMetadata::Replace(metadata) = asked.metadata {
            source.info.metadata = metadata;
        }
        self.in_bucket(bucket, |objects| {
            check(
                &asked.conditions,
                objects.get(key.as_str()).map(|o| &o.info),
                false,
            )?;
            let put = done(&source.info);
            objects.insert(key.as_str().to_owned(), source);
            Ok(put)
        })
    }

    async fn create_upload(
        &self,
        _: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        asked: UploadAsked,
    ) -> Result<VersionId, StoreError> {
        self.in_bucket(bucket, |_| Ok(()))?;
        let mut state = self.state.lock().unwrap();
        state.next += 1;
        let id = [state.next; 16];
        let (bucket, key) = (bucket.as_str().to_owned(), key.as_str().to_owned());
        state.uploads.insert(
            id,
            Upload {
                bucket,
                key,
                asked,
                parts: BTreeMap::new(),
            },
        );
        Ok(VersionId::from_bytes(id))
    }
    async fn upload_part(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PutAsked,
        body: BodyIn,
    ) -> Result<PutDone, StoreError> {
        let kind = self.upload(upload, |upload| Ok(upload.asked.checksum))?;
        let (bytes, digests) = read(&asked, body, kind).await?;
        self.upload(upload, |upload| {
            let object = object(bytes.clone(), Metadata::default(), &digests);
            let part = Part {
                bytes,
                md5: digests.md5,
                checksums: digests.checksums,
            };
            upload.parts.insert(number, part);
            Ok(done(&object.info))
        })
    }
    async fn upload_part_copy(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        upload: VersionId,
        number: u32,
        asked: PartCopyAsked,
    ) -> Result<PutDone, StoreError> {
        let source = self.in_bucket(&asked.source_bucket, |objects| {
            objects
                .get(asked.source_key.as_str())
                .cloned()
                .ok_or(StoreError::NoSuchKey)
        })?;
        let bytes = match asked.range {
            None => source.bytes,
            Some((_, last)) if last >= source.info.size => {
                return Err(StoreError::RangeNotSatisfiable {
                    size: source.info.size,
                });
            }
            Some((first, last)) => source.bytes.slice(first as usize..=last as usize),
        };
        let mut hashes = BodyHashes::new(&Expected::default(), None);
        hashes.update(&bytes);
        let digests = hashes.finish();
        self.upload(upload, |upload| {
            let object = object(bytes.clone(), Metadata::default(), &digests);
            upload.parts.insert(
                number,
                Part {
                    bytes,
                    md5: digests.md5,
                    checksums: Vec::new(),
                },
            );
            Ok(done(&object.info))
        })
    }
    async fn complete_upload(
        &self,
        _: Known,
        bucket: &BucketName,
        key: &ObjectKey,
        id: VersionId,
        asked: CompleteAsked,
    ) -> Result<PutDone, StoreError> {
        self.asked();
        let upload = self
            .state
            .lock()
            .unwrap()
            .uploads
            .remove(id.as_bytes())
            .ok_or(StoreError::NoSuchUpload)?;
        let (mut bytes, mut md5s, mut sums) = (Vec::new(), Vec::new(), Vec::new());
        for named in &asked.parts {
            let part = upload
                .parts
                .get(&named.number)
                .ok_or(StoreError::InvalidPart {
                    number: named.number,
                })?;
            if etag_text(&part.md5, None) != named.etag {
                return Err(StoreError::InvalidPart {
                    number: named.number,
                });
            }
            bytes.extend_from_slice(&part.bytes);
            md5s.push(part.md5);
            sums.extend(
                part.checksums
                    .first()
                    .map(|sum| (sum.value.clone(), part.bytes.len() as u64)),
            );
        }
        let whole = upload
            .asked
            .checksum
            .and_then(|kind| match upload.asked.full_object {
                true => full_object(kind, &sums),
                false => Some(composite(
                    kind,
                    &sums.iter().map(|(sum, _)| sum.clone()).collect::<Vec<_>>(),
                )),
            });
        for sum in &asked.checksums {
            if whole.as_ref() != Some(sum) {
                return Err(StoreError::BadDigest(sum.kind.name()));
            }
        }
        let (etag, parts) = multipart_etag(&md5s);
        let info = ObjectInfo {
            size: bytes.len() as u64,
            etag: etag_text(&etag, Some(parts)),
            modified: TIME,
            metadata: upload.asked.metadata,
            checksums: whole.into_iter().collect(),
            parts: Some(parts),
            version: id,
        };
        self.in_bucket(bucket, |objects| {
            check(
                &asked.conditions,
                objects.get(key.as_str()).map(|o| &o.info),
                false,
            )?;
            let put = done(&info);
            objects.insert(
                key.as_str().to_owned(),
                Object {
                    bytes: bytes.into(),
                    info,
                },
            );
            Ok(put)
        })
    }
    async fn abort_upload(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        upload: VersionId,
    ) -> Result<(), StoreError> {
        self.upload(upload, |_| Ok(()))?;
        self.state.lock().unwrap().uploads.remove(upload.as_bytes());
        Ok(())
    }
    async fn list_parts(
        &self,
        _: Known,
        _: &BucketName,
        _: &ObjectKey,
        upload: VersionId,
        after: u32,
        max: usize,
    ) -> Result<(Vec<ListedPart>, bool), StoreError> {
        self.upload(upload, |upload| {
            let all: Vec<_> = upload.parts.iter().filter(|(n, _)| **n > after).collect();
            let more = all.len() > max;
            let listed = all.into_iter().take(max).map(|(number, part)| ListedPart {
                number: *number,
                size: part.bytes.len() as u64,
                etag: etag_text(&part.md5, None),
                modified: TIME,
                checksums: part.checksums.clone(),
            });
            Ok((listed.collect(), more))
        })
    }
    async fn list_uploads(
        &self,
        _: Known,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<(Vec<ListedUpload>, bool), StoreError> {
        self.in_bucket(bucket, |_| Ok(()))?;
        let state = self.state.lock().unwrap();
        let mut all: Vec<_> = state
            .uploads
            .iter()
            .filter(|(_, u)| u.bucket == bucket.as_str() && u.key.starts_with(&asked.prefix))
            .filter(|(_, u)| asked.after.as_ref().is_none_or(|after| u.key > *after))
            .map(|(id, u)| ListedUpload {
                key: u.key.clone(),
                upload: VersionId::from_bytes(*id),
                begun: TIME,
            })
            .collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let more = all.len() > asked.max;
        all.truncate(asked.max);
        Ok((all, more))
    }
}
