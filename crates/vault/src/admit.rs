//! May they, written down, and only then the key: decide → record → release.

use crate::Vault;
use crate::entries::Who;
use crate::error::VaultError;
use crate::grant::{
    DeleteGrant, ListGrant, OpenObject, PartGrant, ReadGrant, ReadOutcome, WriteGrant,
};
use crate::leases::Why;
use crate::secrets::{Bucket, Secrets, Tenant};
use authn::Caller;
use ledger::{Fields, Kind};
use policy::{Action, Asked, Compiled, Permit, Resource, Show, Standing};
use seal::{ClaimedRecord, ObjectKey, ObjectPlace};
use std::sync::Arc;
use words::{BucketId, BucketName, VersionId};

/// Where the object record begins in an object's row: after the version byte.
pub const RECORD_IN_OBJECT_ROW: usize = 1;
/// Where the object record begins in an upload's row: after version byte, time and name hash.
pub const RECORD_IN_UPLOAD_ROW: usize = 41;

/// A caller whose act on a bucket is permitted.
pub(crate) struct Admitted {
    pub permit: Permit,
    pub who: Who,
    pub bucket: Arc<Bucket>,
}

/// What in a bucket an act is about.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// The bucket itself.
    Bucket,
    /// One object.
    Key(&'a words::ObjectKey),
    /// Names that begin so.
    Prefix(&'a str),
}

impl<'a> Of<'a> {
    fn of(self, bucket: Asked<'a>) -> Asked<'a> {
        match self {
            Of::Bucket => bucket,
            Of::Key(key) => bucket.key(key.as_str()),
            Of::Prefix(prefix) => bucket.prefix(prefix),
        }
    }
}

/// A bucket and everything that decides about a caller in it.
pub(crate) struct Scene {
    pub tenant: Arc<Tenant>,
    standing: Arc<Standing>,
    pub bucket: Option<Arc<Bucket>>,
    policy: Option<Arc<Compiled>>,
}

impl Scene {
    /// Whether no document narrows the caller here.
    pub fn is_whole(&self) -> bool {
        self.standing.is_whole() && self.policy.is_none()
    }
}

impl Vault {
    /// Whether an act is permitted in a scene, without doing it or writing it down.
    pub(crate) fn permitted(&self, scene: &Scene, caller: Caller, asked: &Asked<'_>) -> bool {
        let (standing, policy) = (&scene.standing, scene.policy.as_deref());
        self.policies
            .judge(caller, asked, standing, policy, self.host.now())
            .is_ok()
    }

    /// Loads what decides about a caller in a bucket of its tenant.
    pub(crate) async fn scene(
        &self,
        secrets: &Secrets,
        caller: &Caller,
        action: Action,
        name: &BucketName,
    ) -> Result<Scene, VaultError> {
        let tenant = self.tenant(secrets, caller.tenant()).await?;
        let standing = secrets.judged.standing(caller)?;
        let why = Why {
            actor: caller.access_key().as_str(),
            operation: action.name(),
        };
        let bucket = self.bucket(secrets, tenant.id, name, why).await?;
        let policy = match &bucket {
            Some(bucket) => {
                self.policy_of(secrets, &tenant, (bucket.id, &bucket.name))
                    .await?
            }
            None => None,
        };
        Ok(Scene {
            tenant,
            standing,
            bucket,
            policy,
        })
    }

    /// Decides about an act on a bucket of the caller's tenant. What is refused is on the ledger, durably,
    /// when this returns.
    pub(crate) async fn admit(
        &self,
        secrets: &Secrets,
        caller: Caller,
        action: Action,
        name: &BucketName,
        of: Of<'_>,
    ) -> Result<Admitted, VaultError> {
        let scene = self.scene(secrets, &caller, action, name).await?;
        let (outcome, _) = self
            .judge(secrets, &scene, caller, action, name, of)
            .await?;
        outcome
    }

    /// Decides about one act in a scene, and gives the caller back if the act is refused.
    pub(crate) async fn judge(
        &self,
        secrets: &Secrets,
        scene: &Scene,
        caller: Caller,
        action: Action,
        name: &BucketName,
        of: Of<'_>,
    ) -> Result<(Result<Admitted, VaultError>, Option<Caller>), VaultError> {
        let policy = scene.policy.as_deref();
        let digest = self
            .policies
            .in_force(scene.standing.digest(), policy.map(Compiled::digest));
        let who = Who::of(Arc::clone(&scene.tenant), &caller, digest);
        self.within_glass(&who, action, Some(name)).await?;
        let id = scene.bucket.as_ref().map(|bucket| bucket.id);
        // Whether a bucket is there is told only to those who may do it where it is.
        let resource = Resource {
            owner: scene.tenant.id,
            bucket: Some(id.unwrap_or_else(|| BucketId::from_bytes([0; 16]))),
        };
        let asked = of.of(Asked::bucket(action, resource, name.as_str()));
        let now = self.host.now();
        let judged = self
            .policies
            .judge(caller, &asked, &scene.standing, policy, now);
        let quota = match (&judged, &scene.bucket) {
            (Ok(_), Some(_)) => self.within_quota(secrets, &scene.tenant, action).await?,
            _ => None,
        };
        let (decision, error, caller) = match (judged, &scene.bucket) {
            (Ok(permit), Some(_)) if quota.is_some() => (
                "quota",
                VaultError::Quota(quota.unwrap_or_default()),
                permit.into_caller(),
            ),
            (Ok(permit), Some(bucket)) => {
                let admitted = Admitted {
                    permit,
                    who,
                    bucket: Arc::clone(bucket),
                };
                return Ok((Ok(admitted), None));
            }
            (Ok(permit), None) => (
                "NoSuchBucket",
                VaultError::NoSuchBucket,
                permit.into_caller(),
            ),
            (Err(denial), _) => {
                let error = if denial.show() == Show::NotFound {
                    VaultError::NoSuchBucket
                } else {
                    VaultError::Denied
                };
                (denial.reason().word(), error, denial.into_caller())
            }
        };
        let mut fields = self.fields_of(Kind::Deny, &who, action.name());
        fields.resource = Some(match of {
            Of::Key(key) if id.is_some() => format!("{}/{}", name.as_str(), key.as_str()),
            _ => name.as_str().to_owned(),
        });
        fields.bucket = id;
        fields.decision = Some(decision.to_owned());
        self.meter.refused(scene.tenant.id);
        self.note(self.entry_for(&scene.tenant, &fields)).await?;
        Ok((Err(error), Some(caller)))
    }

    fn object_fields(
        &self,
        kind: Kind,
        admitted: &Admitted,
        action: Action,
        name: &words::ObjectKey,
    ) -> Fields {
        let mut fields = self.fields_of(kind, &admitted.who, action.name());
        fields.resource = Some(format!(
            "{}/{}",
            admitted.bucket.name.as_str(),
            name.as_str()
        ));
        fields.bucket = Some(admitted.bucket.id);
        fields.decision = Some("permit".into());
        fields
    }

    /// Grants one object to a reader: the entry is durable before the key opens.
    pub async fn admit_read(
        &self,
        caller: Caller,
        action: Action,
        bucket: &BucketName,
        name: &words::ObjectKey,
    ) -> Result<ReadOutcome, VaultError> {
        let secrets = self.secrets()?;
        let admitted = self
            .admit(&secrets, caller, action, bucket, Of::Key(name))
            .await?;
        Ok(self
            .read_of(&admitted, action, name)
            .await?
            .map_or(ReadOutcome::Absent, ReadOutcome::Found))
    }

    async fn read_of(
        &self,
        admitted: &Admitted,
        action: Action,
        name: &words::ObjectKey,
    ) -> Result<Option<ReadGrant>, VaultError> {
        self.within_glass_names(&admitted.who, action, name.as_str())
            .await?;
        let bucket = &admitted.bucket;
        let name_hash = seal::name_hash(&bucket.name_key, name.as_bytes());
        let row = self.engine.get(&object_row_key(bucket, &name_hash)).await?;
        let mut fields = self.object_fields(Kind::Grant, admitted, action, name);
        let Some(row) = row else {
            fields.decision = Some("permit; there is no such object".into());
            self.note(self.entry_for(&admitted.who.owner, &fields))
                .await?;
            return Ok(None);
        };
        let claimed = claimed(&row.value, RECORD_IN_OBJECT_ROW)?;
        let version = claimed.version();
        fields.version = Some(version);
        let Some(opener) = self.opener(&*self.secrets()?, &claimed).await? else {
            fields.decision = Some("permit; the object was erased".into());
            self.note(self.entry_for(&admitted.who.owner, &fields))
                .await?;
            return Ok(None);
        };
        fields.bytes = Some(claimed.plain_bytes());
        let receipt = self
            .record_read(&admitted.who, fields, (&bucket.name, name), opener.group())
            .await?;
        let object_key = self
            .object_key(bucket, &claimed, opener.group(), &receipt)
            .await?;
        let place = ObjectPlace {
            tenant: bucket.owner,
            bucket: bucket.id,
            version,
            name: name_hash,
        };
        Ok(Some(ReadGrant {
            who: admitted.who.clone(),
            receipt,
            object: Arc::new(OpenObject {
                object_key,
                place,
                row,
                group: opener.into_group(),
                lease: bucket.lease.clone(),
            }),
        }))
    }

    /// Grants a listing of a bucket's names.
    pub async fn admit_list(
        &self,
        caller: Caller,
        action: Action,
        bucket: &BucketName,
        prefix: &str,
    ) -> Result<ListGrant, VaultError> {
        let secrets = self.secrets()?;
        let admitted = self
            .admit(&secrets, caller, action, bucket, Of::Prefix(prefix))
            .await?;
        self.within_glass_names(&admitted.who, action, prefix)
            .await?;
        let mut fields = self.fields_of(Kind::List, &admitted.who, action.name());
        fields.resource = Some(format!("{}/{prefix}*", bucket.as_str()));
        fields.bucket = Some(admitted.bucket.id);
        fields.decision = Some("permit".into());
        let receipt = self
            .record(self.entry_for(&admitted.who.tenant, &fields))
            .await?;
        Ok(ListGrant {
            bucket: admitted.bucket,
            receipt,
        })
    }

    /// Grants one write under a fresh key. Its entry becomes durable with the fact, see [`Vault::settle_write`].
    pub async fn admit_write(
        &self,
        caller: Caller,
        action: Action,
        bucket: &BucketName,
        name: &words::ObjectKey,
    ) -> Result<WriteGrant, VaultError> {
        let secrets = self.secrets()?;
        let admitted = self
            .admit(&secrets, caller, action, bucket, Of::Key(name))
            .await?;
        self.write_of(admitted, name)
    }

    fn write_of(
        &self,
        admitted: Admitted,
        name: &words::ObjectKey,
    ) -> Result<WriteGrant, VaultError> {
        let Admitted {
            permit,
            who,
            bucket,
        } = admitted;
        let version = VersionId::from_bytes(self.host.random());
        let place = ObjectPlace {
            tenant: bucket.owner,
            bucket: bucket.id,
            version,
            name: seal::name_hash(&bucket.name_key, name.as_bytes()),
        };
        let object_key = ObjectKey::fresh(self.host.random());
        let (kek, wrapped) = self.wrapped(&bucket, None, &object_key, version)?;
        Ok(WriteGrant {
            who,
            permit,
            bucket,
            name: name.clone(),
            object_key,
            wrapped,
            kek,
            place,
            group: None,
        })
    }

    /// Grants a read of one object and a write of another to the same caller.
    pub async fn admit_copy(
        &self,
        caller: Caller,
        source: (&BucketName, &words::ObjectKey),
        target: (&BucketName, &words::ObjectKey),
    ) -> Result<(ReadOutcome, WriteGrant), VaultError> {
        let secrets = self.secrets()?;
        let admitted = self
            .admit(
                &secrets,
                caller,
                Action::GetObject,
                source.0,
                Of::Key(source.1),
            )
            .await?;
        let read = self.read_of(&admitted, Action::GetObject, source.1).await?;
        let caller = admitted.permit.into_caller();
        let admitted = self
            .admit(
                &secrets,
                caller,
                Action::PutObject,
                target.0,
                Of::Key(target.1),
            )
            .await?;
        let write = self.write_of(admitted, target.1)?;
        Ok((read.map_or(ReadOutcome::Absent, ReadOutcome::Found), write))
    }

    /// Grants an act on a multipart upload. Its key exists already, so the entry is durable before it opens.
    pub async fn admit_part(
        &self,
        caller: Caller,
        action: Action,
        bucket: &BucketName,
        name: &words::ObjectKey,
        upload: VersionId,
    ) -> Result<PartGrant, VaultError> {
        let secrets = self.secrets()?;
        let admitted = self
            .admit(&secrets, caller, action, bucket, Of::Key(name))
            .await?;
        self.part_of(admitted, action, name, upload).await
    }

    /// Grants a read of one object and a part of an upload to the same caller.
    pub async fn admit_part_copy(
        &self,
        caller: Caller,
        source: (&BucketName, &words::ObjectKey),
        target: (&BucketName, &words::ObjectKey),
        upload: VersionId,
    ) -> Result<(ReadOutcome, PartGrant), VaultError> {
        let secrets = self.secrets()?;
        let admitted = self
            .admit(
                &secrets,
                caller,
                Action::GetObject,
                source.0,
                Of::Key(source.1),
            )
            .await?;
        let read = self.read_of(&admitted, Action::GetObject, source.1).await?;
        let caller = admitted.permit.into_caller();
        let admitted = self
            .admit(
                &secrets,
                caller,
                Action::PutObject,
                target.0,
                Of::Key(target.1),
            )
            .await?;
        let part = self
            .part_of(admitted, Action::PutObject, target.1, upload)
            .await?;
        Ok((read.map_or(ReadOutcome::Absent, ReadOutcome::Found), part))
    }

    async fn part_of(
        &self,
        admitted: Admitted,
        action: Action,
        name: &words::ObjectKey,
        upload: VersionId,
    ) -> Result<PartGrant, VaultError> {
        let mut fields = self.object_fields(Kind::Grant, &admitted, action, name);
        fields.version = Some(upload);
        let name_hash = seal::name_hash(&admitted.bucket.name_key, name.as_bytes());
        let row_key = upload_row_key(&admitted.bucket, upload);
        let row = self
            .engine
            .get(&row_key)
            .await?
            .filter(|row| row.value.get(9..41) == Some(&name_hash[..]));
        let Some(row) = row else {
            fields.decision = Some("permit; there is no such upload".into());
            self.note(self.entry_for(&admitted.who.tenant, &fields))
                .await?;
            return Err(VaultError::NoSuchUpload);
        };
        let claimed = claimed(&row.value, RECORD_IN_UPLOAD_ROW)?;
        let Some(opener) = self.opener(&*self.secrets()?, &claimed).await? else {
            fields.decision = Some("permit; the upload was erased".into());
            self.note(self.entry_for(&admitted.who.tenant, &fields))
                .await?;
            return Err(VaultError::NoSuchUpload);
        };
        let receipt = self
            .record(self.entry_for(&admitted.who.tenant, &fields))
            .await?;
        let Admitted {
            permit,
            who,
            bucket,
        } = admitted;
        let object_key = self
            .object_key(&bucket, &claimed, opener.group(), &receipt)
            .await?;
        let place = ObjectPlace {
            tenant: bucket.owner,
            bucket: bucket.id,
            version: upload,
            name: name_hash,
        };
        // The object to be is wrapped under the newest key; the upload's row keeps the one it was begun with.
        let (kek, wrapped) = self.wrapped(&bucket, opener.group(), &object_key, upload)?;
        let write = WriteGrant {
            who,
            permit,
            bucket,
            name: name.clone(),
            object_key,
            wrapped,
            kek,
            place,
            group: opener.into_group(),
        };
        Ok(PartGrant {
            write,
            row,
            row_key,
            upload,
        })
    }

    /// Grants the deletion of objects, each decided on its own; each makes its own entry with the fact. The
    /// answers come in the order of the names.
    pub async fn admit_delete(
        &self,
        caller: Caller,
        bucket: &BucketName,
        names: &[words::ObjectKey],
    ) -> Result<Vec<Result<DeleteGrant, VaultError>>, VaultError> {
        let secrets = self.secrets()?;
        let action = Action::DeleteObject;
        let scene = self.scene(&secrets, &caller, action, bucket).await?;
        let alike = scene.is_whole();
        let (mut asks, mut granted) = (Some(caller), Vec::with_capacity(names.len()));
        let judged = if alike { names.get(..1) } else { Some(names) };
        for name in judged.unwrap_or_default() {
            let Some(caller) = asks.take() else { break };
            let (outcome, back) = self
                .judge(&secrets, &scene, caller, action, bucket, Of::Key(name))
                .await?;
            asks = back;
            match outcome {
                Ok(admitted) => {
                    asks = Some(admitted.permit.into_caller());
                    granted.push(true);
                }
                Err(VaultError::Denied) => granted.push(false),
                Err(error) => return Err(error),
            }
        }
        if alike {
            granted.resize(names.len(), granted.first() == Some(&true));
        }
        // One permit stands for all that were granted: it was given for each of them.
        let first = granted.iter().position(|granted| *granted);
        let (Some(name), Some(caller)) = (first.and_then(|at| names.get(at)), asks) else {
            return Ok(names.iter().map(|_| Err(VaultError::Denied)).collect());
        };
        let (outcome, _) = self
            .judge(&secrets, &scene, caller, action, bucket, Of::Key(name))
            .await?;
        let Admitted {
            permit,
            who,
            bucket,
        } = outcome?;
        let permit = Arc::new(permit);
        let grant = |(name, granted): (&words::ObjectKey, bool)| {
            if !granted {
                return Err(VaultError::Denied);
            }
            Ok(DeleteGrant {
                who: who.clone(),
                permit: Arc::clone(&permit),
                bucket: Arc::clone(&bucket),
                name: name.clone(),
                name_hash: seal::name_hash(&bucket.name_key, name.as_bytes()),
            })
        };
        Ok(names.iter().zip(granted).map(grant).collect())
    }
}

/// The row of an object: `O ‖ bucket ‖ name hash`.
pub(crate) fn object_row_key(bucket: &Bucket, name_hash: &[u8; 32]) -> Vec<u8> {
    [b"O".as_slice(), bucket.id.as_bytes(), name_hash].concat()
}

/// The row of an upload: `U ‖ bucket ‖ version`.
fn upload_row_key(bucket: &Bucket, upload: VersionId) -> Vec<u8> {
    [b"U".as_slice(), bucket.id.as_bytes(), upload.as_bytes()].concat()
}

/// The object record that a row carries.
pub(crate) fn claimed(row: &[u8], at: usize) -> Result<ClaimedRecord, VaultError> {
    let bytes = row
        .get(at..at + seal::record::RECORD_BYTES)
        .ok_or(words::wire::WireError::Short)?;
    ClaimedRecord::read(bytes).map_err(|e| VaultError::ObjectRecord(e.to_string()))
}
