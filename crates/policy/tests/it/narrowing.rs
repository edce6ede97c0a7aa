//! Documents only narrow: whatever a second one says, it opens nothing that was shut, and a session never
//! does what its role may not.

use crate::caller::{BUCKET, NOW, OTHER, TENANT, caller, of};
use authn::Via;
use policy::document::Kind;
use policy::{
    Action, Asked, Claims, Compiled, Denial, Permit, Policies, Principal, Reason, Resource,
    Standing,
};
use proptest::prelude::*;
use std::sync::Arc;

const ALLOW: &str =
    r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::records/*"}"#;
const OTHERS: &str =
    r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::records/other/*"}"#;

fn document(statements: &[&str]) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        statements.join(",")
    )
}

fn identity(text: &str) -> Arc<Compiled> {
    Arc::new(Compiled::check(text, Kind::Identity, TENANT).unwrap())
}

/// A bucket policy that names the role `reader`.
fn of_bucket(text: &str) -> Compiled {
    let principal = format!(r#"{{"AWS":"arn:aws:iam::{TENANT}:role/reader"}}"#);
    let text = text.replace(
        "\"Effect\"",
        &format!("\"Principal\":{principal},\"Effect\""),
    );
    Compiled::check(&text, Kind::Bucket("records"), TENANT).unwrap()
}

fn role(documents: Vec<Arc<Compiled>>) -> Standing {
    let who = Principal::Role("reader".into(), "session".into());
    Standing::of(TENANT, who, Claims::default(), documents)
}

fn ask(
    policies: &Policies,
    standing: &Standing,
    bucket: Option<&Compiled>,
    key: &str,
) -> Result<Permit, Denial> {
    let asked = Asked::bucket(
        Action::GetObject,
        Resource::bucket(TENANT, BUCKET),
        "records",
    )
    .key(key);
    policies.judge(of(standing, Via::default()), &asked, standing, bucket, NOW)
}

#[test]
fn c7_identity_and_session_and_bucket_all_eight() {
    let policies = Policies::embedded().unwrap();
    for case in 0..8 {
        let pick = |bit: usize| document(&[if case & bit == 0 { OTHERS } else { ALLOW }]);
        let standing = role(vec![identity(&pick(1)), identity(&pick(2))]);
        let bucket = of_bucket(&pick(4));
        let outcome = ask(&policies, &standing, Some(&bucket), "a");
        assert_eq!(outcome.is_ok(), case == 7, "case {case:03b}");
        // A denial in any one of the three wins over the rest.
        if case == 7 {
            let denies = document(&[ALLOW, &ALLOW.replace("Allow", "Deny")]);
            for place in 0..3 {
                let text = |at: usize| {
                    if at == place {
                        denies.clone()
                    } else {
                        document(&[ALLOW])
                    }
                };
                let standing = role(vec![identity(&text(0)), identity(&text(1))]);
                let denial =
                    ask(&policies, &standing, Some(&of_bucket(&text(2))), "a").unwrap_err();
                assert_eq!(*denial.reason(), Reason::DocumentDenies);
                assert_eq!(denial.show().status(), 403);
            }
        }
    }
}

#[test]
fn a_bucket_policy_of_denials_takes_away_and_no_more() {
    let policies = Policies::embedded().unwrap();
    let text = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::records/secret/*"}]}"#;
    let bucket = Compiled::check(text, Kind::Bucket("records"), TENANT).unwrap();
    let standing = role(vec![identity(&document(&[ALLOW]))]);
    assert!(ask(&policies, &standing, Some(&bucket), "a").is_ok());
    assert!(ask(&policies, &standing, Some(&bucket), "secret/a").is_err());
    let whole = Standing::whole(TENANT);
    assert!(ask(&policies, &whole, Some(&bucket), "a").is_ok());
    assert!(ask(&policies, &whole, Some(&bucket), "secret/a").is_err());
}

#[test]
fn a_policy_that_shuts_everybody_out_can_be_mended_by_the_tenant() {
    let policies = Policies::embedded().unwrap();
    let text = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::records","arn:aws:s3:::records/*"]}]}"#;
    let bucket = Compiled::check(text, Kind::Bucket("records"), TENANT).unwrap();
    let whole = Standing::whole(TENANT);
    let all = role(vec![identity(
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
    )]);
    for action in Action::ALL.iter().filter(|action| action.of_bucket()) {
        let asked = Asked::bucket(*action, Resource::bucket(TENANT, BUCKET), "records");
        let ask = |standing: &Standing| {
            let caller = of(standing, Via::default());
            policies
                .judge(caller, &asked, standing, Some(&bucket), NOW)
                .is_ok()
        };
        let mends = action.name().ends_with("BucketPolicy");
        assert_eq!(ask(&whole), mends, "{action:?}");
        assert!(!ask(&all), "{action:?}");
    }
}

#[test]
fn nobody_is_judged_by_anothers_standing() {
    let policies = Policies::embedded().unwrap();
    let asked = Asked::bucket(
        Action::GetObject,
        Resource::bucket(TENANT, BUCKET),
        "records",
    )
    .key("a");
    let narrow = role(vec![identity(&document(&[OTHERS]))]);
    let wide = role(vec![identity(&document(&[ALLOW]))]);
    let whole = Standing::whole(TENANT);
    for (own, used) in [(&narrow, &wide), (&narrow, &whole), (&wide, &narrow)] {
        let denial = policies
            .judge(of(own, Via::default()), &asked, used, None, NOW)
            .unwrap_err();
        assert!(matches!(denial.reason(), Reason::Diagnostic(_)));
    }
    let foreign = Standing::whole(OTHER);
    assert!(
        policies
            .judge(caller(false, None), &asked, &foreign, None, NOW)
            .is_err()
    );
    // The plain question is for keys of the whole tenant only.
    let refused = policies.decide(
        of(&wide, Via::default()),
        Action::GetObject,
        Resource::bucket(TENANT, BUCKET),
        NOW,
    );
    assert!(matches!(
        refused.unwrap_err().reason(),
        Reason::Diagnostic(_)
    ));
    // And a holder without any document may nothing.
    let none = role(Vec::new());
    assert_eq!(
        *ask(&policies, &none, None, "a").unwrap_err().reason(),
        Reason::DocumentSilent
    );
}

/// Without the check against the schema, which takes long and is made of every other document here.
fn read(text: &str) -> Arc<Compiled> {
    Arc::new(Compiled::read(text, Kind::Identity, TENANT).unwrap())
}

fn a_statement() -> impl Strategy<Value = String> {
    let effect = prop_oneof![3 => Just("Allow"), 1 => Just("Deny")];
    let actions = prop::sample::subsequence(
        vec![
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:ListBucket",
            "s3:*",
            "*",
        ],
        1..4,
    );
    let resources = prop::sample::subsequence(
        vec![
            "arn:aws:s3:::records",
            "arn:aws:s3:::records/*",
            "arn:aws:s3:::records/a/*",
            "arn:aws:s3:::records/a",
            "arn:aws:s3:::rec*",
            "arn:aws:s3:::other/*",
        ],
        1..4,
    );
    let condition = prop_oneof![
        Just("{}"),
        Just(r#"{"Bool":{"aws:SecureTransport":"true"}}"#),
        Just(r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#),
        Just(r#"{"StringLike":{"s3:prefix":"a*"}}"#),
    ];
    (effect, actions, resources, condition).prop_map(|(effect, actions, resources, condition)| {
        let list = |values: Vec<&str>| {
            values
                .iter()
                .map(|v| format!("\"{v}\""))
                .collect::<Vec<_>>()
                .join(",")
        };
        format!(
            r#"{{"Effect":"{effect}","Action":[{}],"Resource":[{}],"Condition":{condition}}}"#,
            list(actions),
            list(resources)
        )
    })
}

fn a_document() -> impl Strategy<Value = String> {
    prop::collection::vec(a_statement(), 1..4)
        .prop_map(|statements| document(&statements.iter().map(String::as_str).collect::<Vec<_>>()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// For every act: with one more document nothing is allowed that was not allowed without it; and what
    /// the outer wall shuts (another tenant's things) no document opens.
    #[test]
    fn a_session_never_exceeds_what_its_parent_may(
        parent in a_document(), session in a_document(), bucket in a_document(), secure: bool, inside: bool,
    ) {
        let policies = Policies::embedded().unwrap();
        let source = if inside { "10.9.9.9" } else { "192.0.2.9" };
        let via = Via { source: Some(source.parse().unwrap()), secure };
        let alone = role(vec![read(&parent)]);
        let narrowed = role(vec![read(&parent), read(&session)]);
        let principal = format!(r#"{{"AWS":"arn:aws:iam::{TENANT}:root"}}"#);
        let text = bucket
            .replace("\"Effect\"", &format!("\"Principal\":{principal},\"Effect\""))
            .replace("arn:aws:s3:::rec*", "arn:aws:s3:::records")
            .replace("arn:aws:s3:::other/*", "arn:aws:s3:::records/o");
        let of_bucket = Compiled::read(&text, Kind::Bucket("records"), TENANT).unwrap();
        for action in Action::ALL.iter().filter(|action| action.of_bucket()) {
            for key in [None, Some("a"), Some("a/b"), Some("o")] {
                for (owner, home) in [(TENANT, true), (OTHER, false)] {
                    let asked = Asked {
                        key,
                        prefix: Some("ab"),
                        ..Asked::bucket(*action, Resource::bucket(owner, BUCKET), "records")
                    };
                    let may = |standing: &Standing, bucket: Option<&Compiled>| {
                        policies.judge(of(standing, via), &asked, standing, bucket, NOW).is_ok()
                    };
                    let (wide, narrow) = (may(&alone, None), may(&narrowed, None));
                    prop_assert!(!narrow || wide, "{action:?} {key:?}");
                    prop_assert!(!may(&narrowed, Some(&of_bucket)) || narrow, "{action:?} {key:?}");
                    prop_assert!(!may(&alone, Some(&of_bucket)) || wide, "{action:?} {key:?}");
                    prop_assert!(home || !wide, "{action:?} {key:?}");
                }
            }
        }
    }
}
