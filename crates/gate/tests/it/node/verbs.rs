//! The verbs of the node in memory.

use super::*;

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
