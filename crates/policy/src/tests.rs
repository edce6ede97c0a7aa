//! Policies that are wrong on purpose: each must end in a denial or refuse to load.

use crate::set::{POLICIES, PolicyError, SCHEMA};
use crate::{Action, Policies, Reason, Resource};
use authn::{Caller, Credential, RequestHead, SecretKey, present, verify};
use words::{TenantId, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_369_353_600_000);
const TENANT: TenantId = TenantId::from_bytes([1; 16]);

/// The presigned URL that AWS publishes as an example.
fn caller() -> Caller {
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
        via: authn::Via::default(),
    };
    let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned());
    verify(
        present(&head).unwrap(),
        &secret,
        Credential::active(TENANT),
        NOW,
        "us-east-1",
    )
    .unwrap()
    .caller
}

fn reason(policies: &Policies) -> Reason {
    let account = Resource::account(TENANT);
    policies
        .decide(caller(), Action::ListBuckets, account, NOW)
        .unwrap_err()
        .reason()
        .clone()
}

/// The policy that fails is a `forbid`: Cedar alone would skip it and allow.
#[test]
fn any_diagnostic_denies() {
    for effect in ["forbid", "permit"] {
        let broken = format!(
            "{POLICIES}\n@id(\"broken\") {effect} (principal, action, resource) \
             when {{ context.now + 9223372036854775807 > 0 }};"
        );
        let policies = Policies::read(SCHEMA, &broken).unwrap();
        assert!(matches!(reason(&policies), Reason::Diagnostic(text) if text.contains("broken")));
    }
}

#[test]
fn without_policies_all_is_denied() {
    let policies = Policies::read(SCHEMA, "").unwrap();
    assert_eq!(reason(&policies), Reason::NoPolicy);
}

#[test]
fn policies_that_do_not_fit_do_not_load() {
    let read =
        |schema: &str, policies: &str| Policies::read(schema, policies).map(|_| ()).unwrap_err();
    let permit = "@id(\"p\") permit (principal, action, resource)";
    assert!(matches!(read("entity", ""), PolicyError::Schema(_)));
    assert!(matches!(read(SCHEMA, "permit"), PolicyError::Parse(_)));
    assert!(matches!(
        read(SCHEMA, "permit (principal, action, resource);"),
        PolicyError::Unnamed(_)
    ));
    let unknown = format!("{permit} when {{ resource.colour == \"red\" }};");
    assert!(matches!(read(SCHEMA, &unknown), PolicyError::Invalid(_)));
    let twice = format!("{permit};\n{permit};");
    assert!(matches!(read(SCHEMA, &twice), PolicyError::Parse(_)));
    let ghost = "@id(\"p\") permit (principal, action == Clarence::Action::\"Fly\", resource);";
    assert!(matches!(read(SCHEMA, ghost), PolicyError::Invalid(_)));
}

#[test]
fn schema_and_actions_name_the_same() {
    let policies = Policies::embedded().unwrap();
    let mut schema: Vec<String> = policies
        .schema
        .actions()
        .map(|uid| uid.id().unescaped().to_owned())
        .collect();
    let mut ours: Vec<String> = Action::ALL.iter().map(|a| a.name().to_owned()).collect();
    schema.sort();
    ours.sort();
    assert_eq!(schema, ours);
}

/// The facts we build fit the schema; at run time they are not checked again, which costs too much.
#[test]
fn facts_fit_the_schema() {
    let policies = Policies::embedded().unwrap();
    for action in Action::ALL {
        let bucket = action
            .of_bucket()
            .then_some(words::BucketId::from_bytes([3; 16]));
        let resource = Resource {
            owner: TENANT,
            bucket,
        };
        let question = crate::facts::question(
            &policies.names,
            &policies.schema,
            &caller(),
            *action,
            &resource,
            NOW,
        )
        .unwrap();
        let entities = question.entities.iter().cloned();
        cedar_policy::Entities::from_entities(entities, Some(&policies.schema)).unwrap();
    }
}
