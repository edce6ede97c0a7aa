//! What one decision costs.

use authn::{Caller, Credential, RequestHead, SecretKey, present, verify};
use criterion::{BatchSize, Criterion};
use policy::{Action, Policies, Resource};
use words::{BucketId, TenantId, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_369_353_600_000);
const TENANT: TenantId = TenantId::from_bytes([1; 16]);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let Ok(policies) = Policies::embedded() else {
        return;
    };
    let bucket = BucketId::from_bytes([3; 16]);
    let mut second = 0;
    for (name, owner, step) in [
        ("permit, asked anew", TENANT, 1000),
        ("permit, asked within the second", TENANT, 0),
        ("deny, asked anew", TenantId::from_bytes([2; 16]), 1000),
    ] {
        criterion.bench_function(&format!("decide: {name}"), |b| {
            b.iter_batched(
                caller,
                |caller| {
                    second += step;
                    let now = NOW.plus(second);
                    caller.map(|c| {
                        policies.decide(c, Action::GetObject, Resource::bucket(owner, bucket), now)
                    })
                },
                BatchSize::SmallInput,
            );
        });
    }
    criterion.bench_function("read the policies", |b| b.iter(Policies::embedded));
    criterion.final_summary();
}

/// The presigned URL that AWS publishes as an example.
fn caller() -> Option<Caller> {
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
    };
    let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned());
    let presented = present(&head).ok()?;
    verify(
        presented,
        &secret,
        Credential::active(TENANT),
        NOW,
        "us-east-1",
    )
    .ok()
    .map(|v| v.caller)
}
