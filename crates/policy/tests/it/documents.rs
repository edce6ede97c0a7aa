//! Documents: what each part means, as truth tables, and what is refused, with its place and its word.

use crate::caller::{BUCKET, NOW, OTHER, TENANT, of};
use authn::Via;
use policy::document::Kind;
use policy::{Action, Asked, Claims, Compiled, Policies, Principal, Resource, Standing};
use std::sync::Arc;

fn identity(text: &str) -> Arc<Compiled> {
    Arc::new(Compiled::check(text, Kind::Identity, TENANT).unwrap())
}

/// A document with one statement.
fn statement(effect: &str, action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"{resource}","Condition":{condition}}}]}}"#
    )
}

fn may(document: &str, claims: Claims, via: Via, asked: &Asked<'_>) -> bool {
    let who = Principal::User("anna".into());
    let standing = Standing::of(TENANT, who, claims, vec![identity(document)]);
    let policies = Policies::embedded().unwrap();
    policies
        .judge(of(&standing, via), asked, &standing, None, NOW)
        .is_ok()
}

fn object(key: &str) -> Asked<'_> {
    Asked::bucket(
        Action::GetObject,
        Resource::bucket(TENANT, BUCKET),
        "records",
    )
    .key(key)
}

fn reads(resource: &str, key: &str) -> bool {
    let document = statement("Allow", "s3:GetObject", resource, "{}");
    may(&document, Claims::default(), Via::default(), &object(key))
}

#[test]
fn b4_cve_2026_54917_keys_are_opaque_bytes_never_paths() {
    let public = "arn:aws:s3:::records/public/*";
    assert!(reads(public, "public/a"));
    assert!(reads(public, "public/../private")); // the object of that very name, not another one
    assert!(!reads(public, "private"));
    for key in [
        "public",
        "Public/a",
        "./public/a",
        "/public/a",
        "//public/a",
        "public\\a",
        "publi\u{0441}/a",
        "x/../public/a",
    ] {
        assert!(!reads(public, key), "{key}");
    }
    // What stands in a document for itself stands for itself: quotes, stars in braces, control characters.
    for odd in [
        "a\"b",
        "a\\u002a",
        "a'b",
        "é",
        "日本",
        "a\u{1}b",
        "a}b;permit",
    ] {
        let escaped = serde_json_text(&format!("arn:aws:s3:::records/{odd}"));
        let document = format!(
            r#"{{"Statement":{{"Effect":"Allow","Action":"s3:GetObject","Resource":{escaped}}}}}"#
        );
        let ask = |key: &str| may(&document, Claims::default(), Via::default(), &object(key));
        assert!(ask(odd), "{odd}");
        assert!(!ask("a") && !ask("ab") && !ask(&format!("{odd}x")), "{odd}");
    }
}

/// A text as JSON has it.
fn serde_json_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 32 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

#[test]
fn b9_cve_2026_72921_a_prefix_ends_where_it_ends() {
    let one = "arn:aws:s3:::records/tenant1/*";
    assert!(reads(one, "tenant1/a"));
    assert!(!reads(one, "tenant1234/a") && !reads(one, "tenant1") && !reads(one, "tenant"));
    assert!(!reads("arn:aws:s3:::record/*", "a") && !reads("arn:aws:s3:::records2/*", "a"));
    assert!(!reads("arn:aws:s3:::records", "a") && reads("arn:aws:s3:::records*", "a"));
    let bucket = Asked::bucket(
        Action::ListObjects,
        Resource::bucket(TENANT, BUCKET),
        "records",
    );
    let lists = |resource: &str, prefix: &str| {
        let document = statement(
            "Allow",
            "s3:ListBucket",
            resource,
            r#"{"StringLike":{"s3:prefix":["tenant1/*","tenant1/"]}}"#,
        );
        may(
            &document,
            Claims::default(),
            Via::default(),
            &bucket.prefix(prefix),
        )
    };
    assert!(
        lists("arn:aws:s3:::records", "tenant1/") && lists("arn:aws:s3:::records", "tenant1/a")
    );
    assert!(!lists("arn:aws:s3:::records", "tenant1") && !lists("arn:aws:s3:::records", ""));
    assert!(
        !lists("arn:aws:s3:::records", "tenant1234/")
            && !lists("arn:aws:s3:::records/*", "tenant1/")
    );
}

/// Every operator over every set of up to two groups, against what IAM's documentation says of it.
#[test]
fn b8_ghsa_v9cp_set_operators_by_their_truth_table() {
    let policy = ["red", "blue"];
    let sets: [&[&str]; 7] = [
        &[],
        &["red"],
        &["blue"],
        &["green"],
        &["red", "blue"],
        &["red", "green"],
        &["green", "grey"],
    ];
    for given in sets {
        let listed = |v: &&str| policy.contains(v);
        for (operator, expected) in [
            ("ForAllValues:StringEquals", given.iter().all(listed)),
            ("ForAnyValue:StringEquals", given.iter().any(listed)),
            (
                "ForAllValues:StringNotEquals",
                given.iter().all(|v| !listed(v)),
            ),
            (
                "ForAnyValue:StringNotEquals",
                given.iter().any(|v| !listed(v)),
            ),
        ] {
            let condition = format!(r#"{{"{operator}":{{"clarence:Groups":["red","blue"]}}}}"#);
            let claims = Claims {
                groups: given.iter().map(ToString::to_string).collect(),
                ..Claims::default()
            };
            for effect in ["Allow", "Deny"] {
                let narrow = statement(effect, "s3:GetObject", "*", &condition);
                let document = if effect == "Deny" {
                    narrow.replace(
                        "\"Statement\":[",
                        "\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"},",
                    )
                } else {
                    narrow
                };
                let got = may(&document, claims.clone(), Via::default(), &object("a"));
                assert_eq!(
                    got,
                    (effect == "Allow") == expected,
                    "{effect} {operator} {given:?}"
                );
            }
        }
    }
}

#[test]
fn missing_facts_make_positive_operators_false_and_negated_ones_true() {
    let cases = [
        (
            r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#,
            [true, false, false],
        ),
        (
            r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#,
            [false, true, true],
        ),
        (
            r#"{"IpAddressIfExists":{"aws:SourceIp":["10.0.0.0/8","::1"]}}"#,
            [true, false, true],
        ),
        (r#"{"Null":{"aws:SourceIp":"true"}}"#, [false, false, true]),
        (r#"{"Null":{"aws:SourceIp":"false"}}"#, [true, true, false]),
        (
            r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
            [true, false, false],
        ),
        (
            r#"{"Bool":{"aws:SecureTransport":false}}"#,
            [false, true, true],
        ),
        (
            r#"{"StringEquals":{"aws:username":["anna","luc"]}}"#,
            [true, true, true],
        ),
        (
            r#"{"StringNotEquals":{"aws:username":["anna","luc"]}}"#,
            [false, false, false],
        ),
        (
            r#"{"StringLike":{"aws:username":"a*a"}}"#,
            [true, true, true],
        ),
        (
            r#"{"StringNotLike":{"aws:username":"b*"}}"#,
            [true, true, true],
        ),
        (
            r#"{"StringEquals":{"jwt:sub":"anna"}}"#,
            [false, false, false],
        ),
        (
            r#"{"StringNotEquals":{"jwt:sub":"anna"}}"#,
            [true, true, true],
        ),
        (
            r#"{"StringEqualsIfExists":{"jwt:sub":"anna"}}"#,
            [true, true, true],
        ),
        (
            r#"{"DateLessThan":{"aws:CurrentTime":"2013-05-24T00:00:01Z"}}"#,
            [true, true, true],
        ),
        (
            r#"{"DateGreaterThan":{"aws:CurrentTime":"2013-05-24T00:00:01Z"}}"#,
            [false, false, false],
        ),
        (
            r#"{"NumericGreaterThanEquals":{"aws:EpochTime":"1369353600"}}"#,
            [true, true, true],
        ),
        // All conditions have to hold, and each has to hold for one of its values.
        (
            r#"{"StringEquals":{"aws:username":"anna"},"Bool":{"aws:SecureTransport":"true"}}"#,
            [true, false, false],
        ),
    ];
    let ways = [
        Via {
            source: Some("10.1.2.3".parse().unwrap()),
            secure: true,
        },
        Via {
            source: Some("192.0.2.1".parse().unwrap()),
            secure: false,
        },
        Via::default(),
    ];
    for (condition, expected) in cases {
        let document = statement("Allow", "s3:GetObject", "*", condition);
        for (via, expected) in ways.into_iter().zip(expected) {
            let got = may(&document, Claims::default(), via, &object("a"));
            assert_eq!(got, expected, "{condition} {via:?}");
        }
    }
}

#[test]
fn what_cannot_be_translated_is_refused_with_place_and_word() {
    let with = |member: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:GetObject","Resource":"*",{member}}}]}}"#
        )
    };
    let cases = [
        (
            with(r#""NotAction":"s3:*""#),
            "Statement[0].NotAction",
            "leaving out",
        ),
        (
            with(r#""NotResource":"x""#),
            "Statement[0].NotResource",
            "leaving out",
        ),
        (
            with(r#""Principal":"*""#),
            "Statement[0].Principal",
            "names no principal",
        ),
        (
            with(r#""Colour":"red""#),
            "Statement[0].Colour",
            "not known",
        ),
        (with(r#""Effect":"Deny""#), "document", "repeated"),
        (
            with(r#""Condition":{"StringEqualsIgnoreCase":{"aws:username":"x"}}"#),
            "Statement[0].Condition.StringEqualsIgnoreCase.aws:username",
            "StringEqualsIgnoreCase",
        ),
        (
            with(r#""Condition":{"StringEquals":{"aws:MultiFactorAuthPresent":"true"}}"#),
            "Statement[0].Condition.StringEquals.aws:MultiFactorAuthPresent",
            "aws:MultiFactorAuthPresent",
        ),
        (
            with(r#""Condition":{"StringLike":{"aws:username":"a?b"}}"#),
            "Statement[0].Condition.StringLike.aws:username",
            "a?b",
        ),
        (
            with(r#""Condition":{"StringEquals":{"aws:username":"${aws:x}"}}"#),
            "Statement[0].Condition.StringEquals.aws:username",
            "${aws:x}",
        ),
        (
            with(r#""Condition":{"ForAllValues:StringLike":{"clarence:Groups":"a*"}}"#),
            "Statement[0].Condition.ForAllValues:StringLike.clarence:Groups",
            "StringLike",
        ),
        (
            with(r#""Condition":{"StringEquals":{"clarence:Groups":"a"}}"#),
            "Statement[0].Condition.StringEquals.clarence:Groups",
            "ForAllValues",
        ),
        (
            with(r#""Condition":{"ForAnyValue:StringEquals":{"aws:username":"a"}}"#),
            "Statement[0].Condition.ForAnyValue:StringEquals.aws:username",
            "has one",
        ),
        (
            with(r#""Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}"#),
            "Statement[0].Condition.IpAddress.aws:SourceIp",
            "10.0.0.0/33",
        ),
        (
            with(r#""Condition":{"Bool":{"aws:SecureTransport":"yes"}}"#),
            "Statement[0].Condition.Bool.aws:SecureTransport",
            "true or false",
        ),
        (
            with(r#""Condition":{"StringEquals":{"aws:SourceIp":"10.0.0.1"}}"#),
            "Statement[0].Condition.StringEquals.aws:SourceIp",
            "StringEquals",
        ),
    ];
    refused_with(cases.to_vec());
}

#[test]
fn what_is_not_as_documents_are_is_refused_with_place_and_word() {
    let cases = [
        (
            statement("Allow", "s3:Fly", "*", "{}"),
            "Statement[0].Action",
            "s3:Fly",
        ),
        (
            statement("Allow", "s3:GetObjectTagging", "*", "{}"),
            "Statement[0].Action",
            "s3:GetObjectTagging",
        ),
        (
            statement("allow", "s3:GetObject", "*", "{}"),
            "Statement[0].Effect",
            "Allow or Deny",
        ),
        (
            statement("Allow", "s3:GetObject", "arn:aws:s3:::b/?", "{}"),
            "Statement[0].Resource",
            "b/?",
        ),
        (
            statement("Allow", "s3:GetObject", "records/*", "{}"),
            "Statement[0].Resource",
            "records/*",
        ),
        (
            statement(
                "Allow",
                "sts:AssumeRole",
                "arn:aws:iam::123456789012:role/x",
                "{}",
            ),
            "Statement[0].Resource",
            "123456789012",
        ),
        (
            r#"{"Version":"2030-01-01","Statement":[]}"#.into(),
            "Version",
            "2012-10-17",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":[]}"#.into(),
            "Statement",
            "1 to",
        ),
        (
            r#"{"Statement":[{"Effect":"Allow","Action":"s3:*"}]}"#.into(),
            "Statement[0]",
            "Resource is missing",
        ),
        (
            r#"{"Statement":[{"Action":"s3:*","Resource":"*"}]}"#.into(),
            "Statement[0]",
            "Effect is missing",
        ),
        (
            r#"{"Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}"#.into(),
            "Statement[0].Action",
            "1 to",
        ),
        ("[]".into(), "document", "not a JSON object"),
        ("{".into(), "document", "EOF"),
        (
            " ".repeat(policy::document::DOCUMENT_BYTES_MAX + 1),
            "document",
            "at most",
        ),
    ];
    refused_with(cases.to_vec());
}

fn refused_with(cases: Vec<(String, &str, &str)>) {
    for (document, place, word) in cases {
        let error = Compiled::check(&document, Kind::Identity, TENANT).unwrap_err();
        assert_eq!(error.place, place, "{document}: {error}");
        assert!(error.why.contains(word), "{document}: {error}");
    }
}

fn bucket(principal: &str, effect: &str) -> Result<Compiled, policy::DocumentError> {
    let document = format!(
        r#"{{"Statement":[{{"Effect":"{effect}","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::records/*"}}]}}"#
    );
    Compiled::check(&document, Kind::Bucket("records"), TENANT)
}

#[test]
fn principals_beyond_the_tenants_wall_are_refused_in_the_same_words() {
    let arn = |tenant: words::TenantId, rest: &str| format!("\"arn:aws:iam::{tenant}:{rest}\"");
    let aws = |name: &str| format!("{{\"AWS\":{name}}}");
    assert!(bucket(&aws(&arn(TENANT, "role/reader")), "Allow").is_ok());
    assert!(bucket(&aws(&arn(TENANT, "root")), "Allow").is_ok());
    assert!(bucket("\"*\"", "Deny").is_ok());
    for (principal, word) in [
        ("\"*\"".to_owned(), "wall"),
        (aws("\"*\""), "wall"),
        (aws(&arn(TENANT, "role/*")), "wildcard"),
        (
            aws("\"arn:aws:iam::*:root\""),
            "not an identity of this tenant",
        ),
        (aws("\"123456789012\""), "not an identity of this tenant"),
        (
            r#"{"Service":"ec2.amazonaws.com"}"#.to_owned(),
            "AWS and Federated",
        ),
        (r#"{"CanonicalUser":"x"}"#.to_owned(), "AWS and Federated"),
    ] {
        let error = bucket(&principal, "Allow").unwrap_err();
        assert!(error.why.contains(word), "{principal}: {error}");
    }
    // A tenant that exists and one that does not are told apart by nothing but what was written.
    let nobody = words::TenantId::from_bytes([9; 16]);
    let told = |tenant: words::TenantId| {
        let error = bucket(&aws(&arn(tenant, "root")), "Allow").unwrap_err();
        error.to_string().replace(&tenant.to_string(), "T")
    };
    assert_eq!(told(OTHER), told(nobody));
    // Another bucket's objects are no business of this one's policy.
    let other = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::records2/*"}]}"#;
    let error = Compiled::check(other, Kind::Bucket("records"), TENANT).unwrap_err();
    assert!(error.why.contains("not this bucket"), "{error}");
}
