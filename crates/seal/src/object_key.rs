//! The key of one object version. Whoever wants one of an object that exists hands over a
//! [`ledger::Receipt`]: the act was recorded before the key comes out. A skipped record does not compile.

use crate::cipher;
use crate::key::{Key, held, kcv};
use crate::wrap::{self, UnwrapError, WrapContext, Wrapped, Wraps};
use std::fmt;

/// The key under which one object version's segments and its private facts are sealed.
pub struct ObjectKey(Key);

impl ObjectKey {
    /// A new key for an object that is about to be written. The bytes come from the host's randomness,
    /// are used once, and are wiped here.
    #[must_use]
    pub fn fresh(random: [u8; 32]) -> Self {
        Self(Key::from_bytes(random))
    }

    /// Unwraps the key of an object that exists. The receipt shows that the ledger holds the entry of this
    /// act durably.
    pub fn open<P: Wraps<Self>>(
        wrapped: &Wrapped,
        parent: &P,
        context: &WrapContext,
        receipt: &ledger::Receipt,
    ) -> Result<Self, UnwrapError> {
        let _ = receipt.index();
        wrap::open(
            parent.key(held::Pass),
            <P as Wraps<Self>>::LEVEL,
            wrapped,
            context,
        )
        .map(Self)
    }

    /// Sixteen bytes that stand for a digest of the content and tell nothing about it without this key:
    /// HMAC-SHA-512 under a key derived for it, first 16 bytes.
    #[must_use]
    pub fn veil(&self, digest: &[u8; 16]) -> [u8; 16] {
        let key = cipher::expand::<64>(&self.0, &[b"clarence/v1/etag"]);
        let mut veiled = [0; 16];
        for (to, from) in veiled.iter_mut().zip(cipher::hmac_sha512(&*key, digest)) {
            *to = from;
        }
        veiled
    }

    /// See [`kcv`].
    #[must_use]
    pub fn kcv(&self) -> [u8; 16] {
        kcv(&self.0)
    }
}

impl held::Held for ObjectKey {
    fn key(&self, _: held::Pass) -> &Key {
        &self.0
    }
    fn hold(key: Key, _: held::Pass) -> Self {
        Self(key)
    }
}

impl AsRef<Key> for ObjectKey {
    fn as_ref(&self) -> &Key {
        &self.0
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectKey(…)")
    }
}

#[cfg(test)]
mod tests {
    //! Beside the code, because only here and in the catalog may an entry be turned into a receipt.

    use super::ObjectKey;
    use crate::{
        BucketKey, ClaimedRecord, EraseKey, GroupKey, IndexKey, Kek, KeyId, NameKey, NewRecord,
        ObjectPlace, ObjectRecord, RootKey, Segment, ShredKey, SiteKey, TenantKey, UnwrapError,
        WrapContext, unwrap, wrap,
    };
    use words::{BucketId, CloudId, SiteId, TenantId, UnixMillis, VersionId};

    /// What a commit of the ledger would give.
    fn receipt() -> ledger::Receipt {
        let fields = ledger::Fields::new(ledger::Kind::Unseal, UnixMillis(1));
        ledger::Entry::prepare(fields.commit(&[7; 32]), Vec::new()).settled(0)
    }

    fn context() -> WrapContext {
        WrapContext {
            parent: KeyId::from(CloudId::from_bytes([1; 16])),
            parent_version: 1,
            child: KeyId::site(SiteId::A),
            child_version: 1,
        }
    }

    fn kek() -> Kek {
        Kek {
            id: BucketId::from_bytes([2; 16]).into(),
            version: 3,
        }
    }

    const VERSION: VersionId = VersionId::from_bytes([3; 16]);

    #[test]
    fn the_whole_hierarchy_unwraps() {
        let (c, salt) = (context(), [1; 24]);
        let root = RootKey::from_bytes([1; 32]);
        let wrapped = wrap(&root, &SiteKey::from_bytes([2; 32]), &c, salt);
        let site: SiteKey = unwrap(&root, &wrapped, &c).unwrap();
        let wrapped = wrap(&site, &TenantKey::from_bytes([3; 32]), &c, salt);
        let tenant: TenantKey = unwrap(&site, &wrapped, &c).unwrap();
        let wrapped = wrap(&tenant, &BucketKey::from_bytes([4; 32]), &c, salt);
        let bucket: BucketKey = unwrap(&tenant, &wrapped, &c).unwrap();
        let wrapped = wrap(&root, &EraseKey::from_bytes([9; 32]), &c, salt);
        let erase: EraseKey = unwrap(&root, &wrapped, &c).unwrap();
        let wrapped = wrap(&erase, &GroupKey::from_bytes([5; 32]), &c, salt);
        let group: GroupKey = unwrap(&erase, &wrapped, &c).unwrap();
        let shred = group.within(&bucket);
        let fresh = ObjectKey::fresh([6; 32]);
        for object in [
            ObjectKey::open(&wrap(&bucket, &fresh, &c, salt), &bucket, &c, &receipt()).unwrap(),
            ObjectKey::open(&wrap(&shred, &fresh, &c, salt), &shred, &c, &receipt()).unwrap(),
        ] {
            assert_eq!(object.kcv(), fresh.kcv());
        }
        let wrapped = wrap(&bucket, &IndexKey::from_bytes([7; 32]), &c, salt);
        let index: IndexKey = unwrap(&bucket, &wrapped, &c).unwrap();
        assert_eq!(index.kcv(), IndexKey::from_bytes([7; 32]).kcv());
    }

    #[test]
    fn a_wrap_does_not_open_at_another_place_or_level() {
        let bucket = BucketKey::from_bytes([4; 32]);
        let object = ObjectKey::fresh([6; 32]);
        let right = kek().wrap_context(VERSION);
        let wrapped = wrap(&bucket, &object, &right, [1; 24]);
        let other = VersionId::from_bytes([9; 16]);
        for wrong in [
            WrapContext {
                parent: KeyId::from(TenantId::from_bytes([9; 16])),
                ..right
            },
            WrapContext {
                parent_version: right.parent_version + 1,
                ..right
            },
            WrapContext {
                child: other.into(),
                ..right
            },
            WrapContext {
                child_version: 2,
                ..right
            },
            WrapContext {
                parent: right.child,
                child: right.parent,
                ..right
            },
        ] {
            let error = ObjectKey::open(&wrapped, &bucket, &wrong, &receipt()).unwrap_err();
            assert_eq!(error, UnwrapError::Elsewhere);
        }
        // The same bytes of key at another level: a group's key with the bucket's bytes does not open it.
        let group = ShredKey::from_bytes([4; 32]);
        assert_eq!(
            ObjectKey::open(&wrapped, &group, &right, &receipt()).unwrap_err(),
            UnwrapError::Elsewhere
        );
        assert!(unwrap::<BucketKey, NameKey>(&bucket, &wrapped, &right).is_err());
        let stranger = BucketKey::from_bytes([5; 32]);
        assert!(ObjectKey::open(&wrapped, &stranger, &right, &receipt()).is_err());
    }

    #[test]
    fn a_group_opens_only_with_its_key_and_the_bucket_s() {
        let keys = |bytes| (BucketKey::from_bytes(bytes), GroupKey::from_bytes(bytes));
        let ((bucket, _), (other, _)) = (keys([4; 32]), keys([5; 32]));
        let ((_, group), (_, stranger)) = (keys([6; 32]), keys([7; 32]));
        let right = kek().wrap_context(VERSION);
        let object = ObjectKey::fresh([8; 32]);
        let wrapped = wrap(&group.within(&bucket), &object, &right, [1; 24]);
        let open = |shred: &ShredKey| ObjectKey::open(&wrapped, shred, &right, &receipt());
        assert_eq!(open(&group.within(&bucket)).unwrap().kcv(), object.kcv());
        for wrong in [
            group.within(&other),
            stranger.within(&bucket),
            ShredKey::from_bytes([4; 32]),
            ShredKey::from_bytes([6; 32]),
        ] {
            assert_eq!(open(&wrong).unwrap_err(), UnwrapError::Elsewhere);
        }
        assert!(ObjectKey::open(&wrapped, &bucket, &right, &receipt()).is_err());
    }

    #[test]
    fn a_record_opens_from_the_bucket_key_alone() {
        let bucket = BucketKey::from_bytes([4; 32]);
        let key = ObjectKey::fresh([6; 32]);
        let place = ObjectPlace {
            tenant: TenantId::from_bytes([1; 16]),
            bucket: BucketId::from_bytes([2; 16]),
            version: VERSION,
            name: [5; 32],
        };
        let segment = Segment {
            salt: [1; 24],
            plain_bytes: 1,
            sealed_bytes: 73,
            blake3: [2; 32],
        };
        let record = ObjectRecord::new(&NewRecord {
            place,
            kek: kek(),
            wrapped: wrap(&bucket, &key, &kek().wrap_context(VERSION), [1; 24]),
            guest_encrypted: false,
            shred_group: false,
            segments: &[segment],
        })
        .unwrap();
        let claimed = ClaimedRecord::read(&record.to_bytes(&key)).unwrap();
        let opened = ObjectKey::open(
            claimed.wrapped(),
            &bucket,
            &claimed.wrap_context(),
            &receipt(),
        )
        .unwrap();
        assert_eq!(claimed.prove(&opened, &place).unwrap(), record);
    }
}
