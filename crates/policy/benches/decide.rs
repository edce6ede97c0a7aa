//! What one decision costs.

use authn::{Caller, Credential, RequestHead, SecretKey, Via, present, verify};
use criterion::{BatchSize, Criterion};
use policy::document::Kind;
use policy::{Action, Asked, Claims, Compiled, Policies, Principal, Resource, Standing};
use std::sync::Arc;
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
    with_roles(&mut criterion, &policies);
    criterion.bench_function("read the policies", |b| b.iter(Policies::embedded));
    criterion.final_summary();
}

/// Roles that are loaded while one after the other asks.
const ROLES: usize = 100_000;

/// A role's document, a session's that narrows it, and a bucket's policy, with many roles loaded: what the
/// documents of a role cost when they are ready, and what making one ready costs.
fn with_roles(criterion: &mut Criterion, policies: &Policies) {
    let document = |number: usize| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
                {{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::records/{number}/*"}},
                {{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::records","Condition":{{"StringLike":{{"s3:prefix":"{number}/*"}}}}}},
                {{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"NotIpAddress":{{"aws:SourceIp":"10.0.0.0/8"}}}}}}]}}"#
        )
    };
    let read = |text: &str| Compiled::read(text, Kind::Identity, TENANT).map(Arc::new);
    criterion.bench_function("read a document", |b| {
        let text = document(7);
        b.iter(|| read(&text));
    });
    let session = r#"{"Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#;
    let of_bucket = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::records/secret/*"}}"#;
    let (Ok(session), Ok(of_bucket)) = (
        read(session),
        Compiled::read(of_bucket, Kind::Bucket("records"), TENANT),
    ) else {
        return;
    };
    let standings: Vec<Standing> = (0..ROLES)
        .filter_map(|number| {
            let own = read(&document(number)).ok()?;
            let who = Principal::Role(format!("role-{number}"), "session".to_owned());
            let documents = vec![own, Arc::clone(&session)];
            Some(Standing::of(TENANT, who, Claims::default(), documents))
        })
        .collect();
    let via = Via {
        source: Some([10, 1, 2, 3].into()),
        secure: true,
    };
    let resource = Resource::bucket(TENANT, BucketId::from_bytes([3; 16]));
    let mut turn = 0_usize;
    criterion.bench_function(
        "judge: role, session and bucket policy, 100,000 roles",
        |b| {
            b.iter_batched(
                || {
                    turn = (turn + 7919) % ROLES;
                    let standing = standings.get(turn)?;
                    Some((
                        standing,
                        caller_of(*standing.digest(), via)?,
                        format!("{turn}/a"),
                    ))
                },
                |asked| {
                    let (standing, caller, key) = asked?;
                    let asked = Asked::bucket(Action::GetObject, resource, "records").key(&key);
                    policies
                        .judge(caller, &asked, standing, Some(&of_bucket), NOW)
                        .ok()
                },
                BatchSize::SmallInput,
            );
        },
    );
}

fn caller() -> Option<Caller> {
    caller_of([0; 32], Via::default())
}

/// The presigned URL that AWS publishes as an example.
fn caller_of(standing: [u8; 32], via: Via) -> Option<Caller> {
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
    let presented = present(&head).ok()?;
    verify(
        presented,
        &secret,
        Credential {
            standing,
            ..Credential::active(TENANT)
        },
        NOW,
        "us-east-1",
    )
    .ok()
    .map(|v| v.caller)
}
