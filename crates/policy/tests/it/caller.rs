//! Callers for tests come the only way callers come: from a signature that is good. It is the presigned
//! URL that AWS publishes as an example, of 24 May 2013.

use authn::{Caller, Credential, RequestHead, SecretKey, Via, present, verify};
use policy::Standing;
use words::{BucketId, TenantId, UnixMillis};

pub const NOW: UnixMillis = UnixMillis(1_369_353_600_000);
pub const TENANT: TenantId = TenantId::from_bytes([1; 16]);
pub const OTHER: TenantId = TenantId::from_bytes([2; 16]);
pub const BUCKET: BucketId = BucketId::from_bytes([3; 16]);

/// A caller of `TENANT` with a key in this state, which speaks for the whole tenant.
pub fn caller(suspended: bool, not_after: Option<UnixMillis>) -> Caller {
    signed(
        Credential {
            tenant: TENANT,
            suspended,
            not_after,
            standing: [0; 32],
        },
        Via::default(),
    )
}

/// A caller of `TENANT` who has this standing and came this way.
pub fn of(standing: &Standing, via: Via) -> Caller {
    signed(
        Credential {
            standing: *standing.digest(),
            ..Credential::active(TENANT)
        },
        via,
    )
}

fn signed(credential: Credential, via: Via) -> Caller {
    let headers = [(
        "host".to_owned(),
        "examplebucket.s3.amazonaws.com".to_owned(),
    )];
    let head = RequestHead {
        method: "GET",
        raw_path: "/test.txt",
        raw_query: "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F\
                    us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&\
                    X-Amz-SignedHeaders=host&\
                    X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        headers: &headers,
        via,
    };
    let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned());
    verify(
        present(&head).unwrap(),
        &secret,
        credential,
        NOW,
        "us-east-1",
    )
    .unwrap()
    .caller
}
