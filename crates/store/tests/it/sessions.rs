//! The attacks on identity and sessions (C), over the real road: signed forms to STS and IAM, then requests
//! with what they gave.

use crate::authorisation::{allow, denied, narrowed, tenant};
use crate::rig::{Rig, bucket, key};
use authn::jwt;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use aws_lc_rs::{hmac, rand, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::Kind;
use sim::Client;
use sim::client::unsigned_form;
use store::StoreError;
use vault::{Element, NewIdentity, QueryDone, Refusal};

const ISSUER: &str = "https://idp.example.lu";

fn element(done: &QueryDone, name: &str) -> String {
    fn find(all: &[Element], name: &str) -> Option<String> {
        all.iter().find_map(|one| match one {
            Element::Text(known, text) if known == name => Some(text.clone()),
            Element::Text(..) => None,
            Element::Group(_, inside) => find(inside, name),
        })
    }
    find(&done.elements, name).unwrap()
}

fn session(done: &QueryDone, of: &Client) -> Client {
    Client {
        access_key: element(done, "AccessKeyId"),
        secret: element(done, "SecretAccessKey"),
        tenant: of.tenant,
        token: Some(element(done, "SessionToken")),
    }
}

fn key_of(done: &QueryDone, of: &Client) -> Client {
    Client {
        access_key: element(done, "AccessKeyId"),
        secret: element(done, "SecretAccessKey"),
        tenant: of.tenant,
        token: None,
    }
}

fn role_arn(client: &Client, role: &str) -> String {
    format!("arn:aws:iam::{}:role/{role}", client.tenant)
}

fn trust(client: &Client, principal: &str) -> String {
    format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{}:{principal}"}},"Action":"sts:AssumeRole"}}}}"#,
        client.tenant
    )
}

async fn role(rig: &Rig, name: &str, policy: &str, trust: &str) {
    let new = NewIdentity {
        name: name.into(),
        workload: false,
        policy: Some(policy.into()),
        trust: Some(trust.into()),
        session_seconds_max: 7200,
    };
    rig.node
        .vault
        .identity_add(&tenant("tax-office"), true, new)
        .await
        .unwrap();
}

async fn assume(
    rig: &Rig,
    client: &Client,
    role: &str,
    policy: Option<&str>,
) -> Result<QueryDone, Refusal> {
    let arn = role_arn(client, role);
    let mut parameters = vec![
        ("Action", "AssumeRole"),
        ("RoleArn", arn.as_str()),
        ("RoleSessionName", "test"),
    ];
    parameters.extend(policy.map(|policy| ("Policy", policy)));
    client.form(&rig.node, "sts", &parameters).await
}

async fn reads(rig: &Rig, client: &Client, name: &str) -> bool {
    match client.get(&rig.node, &rig.bucket, &key(name), None).await {
        Ok(got) => got.body.unwrap() == b"text",
        Err(StoreError::Denied) => false,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn c7_a_session_never_exceeds_role_session_policy_and_bucket() {
    let rig = Rig::quick().await;
    for name in ["a/doc", "b/doc", "c/doc"] {
        rig.put(name, b"text").await;
    }
    let read = |prefixes: &[&str]| {
        let arns: Vec<String> = prefixes
            .iter()
            .map(|p| format!("arn:aws:s3:::records/{p}/*"))
            .collect();
        allow(
            &["s3:GetObject"],
            &arns.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    };
    role(
        &rig,
        "reader",
        &read(&["a", "b"]),
        &trust(&rig.client, "root"),
    )
    .await;
    // Not narrowed: what the role may. Narrowed: what both may, however much the session asks for.
    let done = assume(&rig, &rig.client, "reader", None).await.unwrap();
    let plain = session(&done, &rig.client);
    assert!(plain.access_key.starts_with("CLS"));
    for (name, may) in [("a/doc", true), ("b/doc", true), ("c/doc", false)] {
        assert_eq!(reads(&rig, &plain, name).await, may, "{name}");
    }
    denied(plain.put(&rig.node, &rig.bucket, &key("a/x"), b"x").await);
    let done = assume(&rig, &rig.client, "reader", Some(&read(&["b", "c"])))
        .await
        .unwrap();
    let narrow = session(&done, &rig.client);
    for (name, may) in [("a/doc", false), ("b/doc", true), ("c/doc", false)] {
        assert_eq!(reads(&rig, &narrow, name).await, may, "{name}");
    }
    let everything = allow(&["*"], &["*"]);
    let done = assume(&rig, &rig.client, "reader", Some(&everything))
        .await
        .unwrap();
    let wide = session(&done, &rig.client);
    assert!(!reads(&rig, &wide, "c/doc").await);
    denied(wide.create_bucket(&rig.node, &bucket("mine")).await);
    // The role is narrowed: its sessions are, at once. It is stopped: so are they.
    let vault = &rig.node.vault;
    let office = tenant("tax-office");
    vault
        .identity_policy(&office, true, "reader", read(&["a"]))
        .await
        .unwrap();
    assert!(!reads(&rig, &plain, "b/doc").await && reads(&rig, &plain, "a/doc").await);
    vault
        .identity_suspend(&office, true, "reader")
        .await
        .unwrap();
    let refused = plain.caller(&rig.node, "GET", "/records/a/doc").await;
    assert_eq!(refused.unwrap_err().status, 403);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_and_their_tokens_cannot_be_changed_or_left_out() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    role(
        &rig,
        "reader",
        &allow(&["s3:*"], &["*"]),
        &trust(&rig.client, "root"),
    )
    .await;
    let done = assume(&rig, &rig.client, "reader", None).await.unwrap();
    let good = session(&done, &rig.client);
    assert!(reads(&rig, &good, "doc").await);
    let refused = async |client: &Client| {
        client
            .caller(&rig.node, "GET", "/records/doc")
            .await
            .unwrap_err()
            .code
    };
    let without = Client {
        token: None,
        ..good.clone()
    };
    assert_eq!(refused(&without).await, "SignatureDoesNotMatch");
    let token = good.token.clone().unwrap();
    for at in [0, 3, 20, 60, token.len() / 2, token.len() - 2] {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let forged = Client {
            token: Some(String::from_utf8(changed).unwrap()),
            ..good.clone()
        };
        assert_eq!(refused(&forged).await, "InvalidToken", "{at}");
    }
    // Another session's token, and a lasting key with a token, are no better.
    let done = assume(&rig, &rig.client, "reader", None).await.unwrap();
    let other = session(&done, &rig.client);
    let mixed = Client {
        token: other.token.clone(),
        ..good.clone()
    };
    assert_eq!(refused(&mixed).await, "InvalidToken");
    let lasting = Client {
        token: other.token,
        ..rig.client.clone()
    };
    assert_eq!(refused(&lasting).await, "InvalidToken");
    // It outlives a restart, and ends when it ends; it makes no keys and no identities.
    rig.node.vault.seal();
    rig.world.unseal(&rig.node, [0, 1]).await.unwrap();
    assert!(reads(&rig, &good, "doc").await);
    for form in [
        &[("Action", "CreateAccessKey")][..],
        &[("Action", "CreateUser"), ("UserName", "x")],
    ] {
        assert_eq!(
            good.form(&rig.node, "iam", form).await.unwrap_err().status,
            403
        );
    }
    rig.skip(3601 * 1000);
    assert_eq!(refused(&good).await, "ExpiredToken");
    // The key it came of is stopped: so is the session.
    let parent = rig.node.client("tax-office").await.unwrap();
    let done = assume(&rig, &parent, "reader", None).await.unwrap();
    let child = session(&done, &parent);
    assert!(reads(&rig, &child, "doc").await);
    rig.node.suspend(&parent).await.unwrap();
    assert_eq!(refused(&child).await, "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn only_who_is_trusted_and_permitted_becomes_a_role() {
    let rig = Rig::quick().await;
    let office = tenant("tax-office");
    let everything = allow(&["s3:*"], &["*"]);
    role(&rig, "annas", &everything, &trust(&rig.client, "user/anna")).await;
    let may = allow(&["sts:AssumeRole"], &[&role_arn(&rig.client, "annas")]);
    for name in ["anna", "luc"] {
        let new = NewIdentity {
            name: name.into(),
            workload: false,
            policy: Some(may.clone()),
            trust: None,
            session_seconds_max: 3600,
        };
        rig.node
            .vault
            .identity_add(&office, false, new)
            .await
            .unwrap();
    }
    let as_user = async |name: &str| {
        let form = [("Action", "CreateAccessKey"), ("UserName", name)];
        let done = rig.client.form(&rig.node, "iam", &form).await.unwrap();
        key_of(&done, &rig.client)
    };
    let (anna, luc) = (as_user("anna").await, as_user("luc").await);
    let done = assume(&rig, &anna, "annas", None).await.unwrap();
    let held = session(&done, &anna);
    assert!(held.caller(&rig.node, "GET", "/records").await.is_ok());
    let foreign = rig.node.client("weather-office").await.unwrap();
    let arn = role_arn(&rig.client, "annas");
    let mut answers = vec![
        assume(&rig, &luc, "annas", None).await.unwrap_err(),
        assume(&rig, &rig.client, "annas", None).await.unwrap_err(), // the whole tenant's key is not anna
        assume(&rig, &rig.client, "nobody", None).await.unwrap_err(),
        assume(&rig, &anna, "nobody", None).await.unwrap_err(),
    ];
    for whose in [&arn, &arn.replace("annas", "nobody")] {
        let form = [
            ("Action", "AssumeRole"),
            ("RoleArn", whose.as_str()),
            ("RoleSessionName", "test"),
        ];
        answers.push(foreign.form(&rig.node, "sts", &form).await.unwrap_err());
    }
    for refused in answers {
        assert_eq!((refused.status, refused.code), (403, "AccessDenied"));
        let told = refused.message.replace("nobody", "annas");
        assert_eq!(told, "not authorized to perform AssumeRole on role/annas");
    }
    // Longer than the role allows, longer than the caller lives, unknown words.
    for (name, value, code) in [
        ("DurationSeconds", "7201", "ValidationError"),
        ("DurationSeconds", "899", "ValidationError"),
        ("DurationSeconds", "soon", "ValidationError"),
        ("Tags.member.1.Key", "x", "ValidationError"),
        ("Policy", "{}", "MalformedPolicyDocument"),
    ] {
        let form = [
            ("Action", "AssumeRole"),
            ("RoleArn", arn.as_str()),
            ("RoleSessionName", "test"),
            (name, value),
        ];
        let refused = anna.form(&rig.node, "sts", &form).await.unwrap_err();
        assert_eq!((refused.status, refused.code), (400, code), "{name}");
    }
    let who = [("Action", "GetCallerIdentity")];
    let done = anna.form(&rig.node, "sts", &who).await.unwrap();
    assert_eq!(element(&done, "Account"), rig.client.tenant.to_string());
    assert!(element(&done, "Arn").ends_with(":user/anna"));
    // The person is stopped, and with the person what came of the person's key.
    let vault = &rig.node.vault;
    vault
        .identity_suspend(&office, false, "anna")
        .await
        .unwrap();
    let refused = held.caller(&rig.node, "GET", "/records").await.unwrap_err();
    assert_eq!((refused.status, refused.code), (403, "AccessDenied"));
}

#[tokio::test(start_paused = true)]
async fn c1_cve_2025_62506_a_restricted_administrator_mints_no_unrestricted_child() {
    let rig = Rig::quick().await;
    rig.put("a/doc", b"text").await;
    rig.put("b/doc", b"text").await;
    let admin = narrowed(
        &rig,
        &format!(
            r#"{{"Statement":[{{"Effect":"Allow","Action":["iam:CreateUser","iam:CreateRole","iam:PutUserPolicy","iam:PutRolePolicy","iam:CreateAccessKey","sts:AssumeRole"],"Resource":["arn:aws:iam::{0}:user/*","arn:aws:iam::{0}:role/*","arn:aws:iam::{0}:root"]}},
                {{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::records/a/*"}}]}}"#,
            rig.client.tenant
        ),
    )
    .await;
    let iam =
        async |client: &Client, form: &[(&str, &str)]| client.form(&rig.node, "iam", form).await;
    let everything = allow(&["*"], &["*"]);
    // A person with every right, a role with every right, a key for the tenant itself.
    iam(&admin, &[("Action", "CreateUser"), ("UserName", "child")])
        .await
        .unwrap();
    let put = [
        ("Action", "PutUserPolicy"),
        ("UserName", "child"),
        ("PolicyName", "policy"),
        ("PolicyDocument", everything.as_str()),
    ];
    iam(&admin, &put).await.unwrap();
    let done = iam(
        &admin,
        &[("Action", "CreateAccessKey"), ("UserName", "child")],
    )
    .await
    .unwrap();
    let child = key_of(&done, &admin);
    let trust = trust(&rig.client, "root");
    let make = [
        ("Action", "CreateRole"),
        ("RoleName", "wide"),
        ("AssumeRolePolicyDocument", trust.as_str()),
    ];
    iam(&admin, &make).await.unwrap();
    let put = [
        ("Action", "PutRolePolicy"),
        ("RoleName", "wide"),
        ("PolicyName", "policy"),
        ("PolicyDocument", everything.as_str()),
    ];
    iam(&admin, &put).await.unwrap();
    let wide = session(&assume(&rig, &admin, "wide", None).await.unwrap(), &admin);
    let done = iam(&admin, &[("Action", "CreateAccessKey")]).await.unwrap();
    let own = key_of(&done, &admin);
    // And the child's child.
    let done = iam(&child, &[("Action", "CreateAccessKey")]).await.unwrap();
    let grandchild = key_of(&done, &child);
    for client in [&child, &wide, &own, &grandchild] {
        assert!(reads(&rig, client, "a/doc").await);
        assert!(!reads(&rig, client, "b/doc").await);
        denied(client.put(&rig.node, &rig.bucket, &key("a/x"), b"x").await);
        denied(client.create_bucket(&rig.node, &bucket("mine")).await);
    }
    // A restricted administrator who gets hold of a mightier person's name gets a key that is no mightier.
    let office = tenant("tax-office");
    let new = NewIdentity {
        name: "chief".into(),
        workload: false,
        policy: Some(everything.clone()),
        trust: None,
        session_seconds_max: 3600,
    };
    rig.node
        .vault
        .identity_add(&office, false, new)
        .await
        .unwrap();
    let done = iam(
        &admin,
        &[("Action", "CreateAccessKey"), ("UserName", "chief")],
    )
    .await
    .unwrap();
    assert!(!reads(&rig, &key_of(&done, &admin), "b/doc").await);
}

#[tokio::test(start_paused = true)]
async fn c2_cve_2022_24842_no_keys_for_others_than_one_may() {
    let rig = Rig::quick().await;
    let office = tenant("tax-office");
    let own = format!("arn:aws:iam::{}:user/anna", rig.client.tenant);
    for (name, policy) in [
        ("anna", allow(&["iam:CreateAccessKey"], &[&own])),
        ("chief", allow(&["*"], &["*"])),
    ] {
        let new = NewIdentity {
            name: name.into(),
            workload: false,
            policy: Some(policy),
            trust: None,
            session_seconds_max: 3600,
        };
        rig.node
            .vault
            .identity_add(&office, false, new)
            .await
            .unwrap();
    }
    let form = [("Action", "CreateAccessKey"), ("UserName", "anna")];
    let done = rig.client.form(&rig.node, "iam", &form).await.unwrap();
    let anna = key_of(&done, &rig.client);
    let from = rig.next_index().await;
    assert!(anna.form(&rig.node, "iam", &form).await.is_ok());
    for name in ["chief", "nobody", "root", "../chief", "anna/../chief", "*"] {
        let form = [("Action", "CreateAccessKey"), ("UserName", name)];
        let refused = anna.form(&rig.node, "iam", &form).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.code),
            (403, "AccessDenied"),
            "{name}"
        );
    }
    assert_eq!(rig.count(from, Kind::Deny).await, 6);
    // Another tenant's administrator reaches nobody here, and is not told who is here.
    let foreign = rig.node.client("weather-office").await.unwrap();
    let told = async |form: &[(&str, &str)]| {
        let refused = foreign.form(&rig.node, "iam", form).await.unwrap_err();
        (refused.status, refused.code)
    };
    let stop = |id: &'static str| {
        [
            ("Action", "UpdateAccessKey"),
            ("AccessKeyId", id),
            ("Status", "Inactive"),
        ]
    };
    let id: &'static str = Box::leak(anna.access_key.clone().into_boxed_str());
    assert_eq!(told(&stop(id)).await, (404, "NoSuchEntity"));
    assert_eq!(told(&stop("CLRNOBODY")).await, (404, "NoSuchEntity"));
    assert_eq!(told(&form).await, (404, "NoSuchEntity"));
    let done = rig.client.form(&rig.node, "iam", &stop(id)).await;
    assert!(done.is_ok());
    assert_eq!(
        anna.form(&rig.node, "iam", &form).await.unwrap_err().status,
        403
    );
}

#[tokio::test(start_paused = true)]
async fn c4_cve_2021_43858_unknown_parameters_are_refused() {
    let rig = Rig::quick().await;
    for form in [
        &[
            ("Action", "CreateUser"),
            ("UserName", "x"),
            ("PolicyDocument", "{}"),
        ][..],
        &[("Action", "CreateAccessKey"), ("Policy", "{}")],
        &[("Action", "GetUser")],
        &[
            ("Action", "PutUserPolicy"),
            ("UserName", "x"),
            ("PolicyName", "other"),
            ("PolicyDocument", "{}"),
        ],
    ] {
        let refused = rig.client.form(&rig.node, "iam", form).await.unwrap_err();
        assert_eq!(refused.status, 400, "{form:?}");
    }
    assert!(
        rig.node
            .vault
            .identity_list(&tenant("tax-office"))
            .await
            .unwrap()
            .is_empty()
    );
}

struct Provider {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

impl Provider {
    fn new() -> Self {
        let random = rand::SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self {
            ed: Ed25519KeyPair::generate().unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap(),
            rsa: RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap(),
        }
    }
    fn jwks(&self) -> String {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = self.ec.public_key().as_ref();
        let parts =
            aws_lc_rs::signature::RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"{}"}},{{"kty":"EC","crv":"P-256","kid":"ec","alg":"ES256","x":"{}","y":"{}"}},{{"kty":"RSA","kid":"rsa","use":"sig","n":"{}","e":"{}"}}]}}"#,
            b64(self.ed.public_key().as_ref()),
            b64(&point[1..33]),
            b64(&point[33..]),
            b64(&parts.n),
            b64(&parts.e)
        )
    }
    fn sign(&self, header: &str, claims: &str) -> String {
        let random = rand::SystemRandom::new();
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = if header.contains("EdDSA") || header.contains("Ed25519") {
            self.ed.sign(text.as_bytes()).as_ref().to_vec()
        } else if header.contains("ES256") {
            self.ec
                .sign(&random, text.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec()
        } else if header.contains("HS256") {
            // The classic: the public key as the secret.
            let key = hmac::Key::new(hmac::HMAC_SHA256, self.ed.public_key().as_ref());
            hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
        } else if header.contains("none") {
            Vec::new()
        } else {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa
                .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                .unwrap();
            signature
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims(now: u64) -> String {
    format!(
        r#"{{"iss":"{ISSUER}","sub":"anna","aud":"clarence","iat":{now},"exp":{},"groups":["auditors"]}}"#,
        now + 300
    )
}

const ED: &str = r#"{"alg":"EdDSA","kid":"ed"}"#;

/// Tokens that must not be believed, and why.
fn bad_tokens(provider: &Provider, now: u64) -> Vec<(&'static str, String)> {
    let ed = ED;
    let good = provider.sign(ed, &claims(now));
    let stranger = Provider::new();
    let parts: Vec<&str> = good.split('.').collect();
    let mut bad = vec![
        ("none", provider.sign(r#"{"alg":"none"}"#, &claims(now))),
        (
            "None",
            provider.sign(r#"{"alg":"nOnE","x":"none"}"#, &claims(now)),
        ),
        (
            "HS256",
            provider.sign(r#"{"alg":"HS256","kid":"ed"}"#, &claims(now)),
        ),
        ("self-signed", stranger.sign(ed, &claims(now))),
        (
            "self-signed with its own key",
            stranger.sign(
                r#"{"alg":"EdDSA","jwk":{"kty":"OKP"},"jku":"https://evil"}"#,
                &claims(now),
            ),
        ),
        (
            "crit",
            provider.sign(r#"{"alg":"EdDSA","crit":["b64"]}"#, &claims(now)),
        ),
        (
            "another key's algorithm",
            provider.sign(r#"{"alg":"EdDSA","kid":"ec"}"#, &claims(now)),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        ("padded", format!("{good}=")),
        ("empty", "x".into()),
    ];
    let other = |from: &str, to: &str| provider.sign(ed, &claims(now).replace(from, to));
    bad.extend([
        ("no exp", other(&format!(",\"exp\":{}", now + 300), "")),
        (
            "expired",
            other(&(now + 300).to_string(), &(now - 61).to_string()),
        ),
        (
            "exp as a text",
            other(&format!("{}", now + 300), &format!("\"{}\"", now + 300)),
        ),
        (
            "not yet",
            other(&format!("\"iat\":{now}"), &format!("\"nbf\":{}", now + 90)),
        ),
        (
            "wrong aud",
            other("\"aud\":\"clarence\"", "\"aud\":\"another\""),
        ),
        ("no aud", other("\"aud\":\"clarence\",", "")),
        (
            "another party",
            other(
                "\"aud\":\"clarence\"",
                "\"aud\":[\"clarence\",\"x\"],\"azp\":\"x\"",
            ),
        ),
        ("wrong iss", other(ISSUER, "https://idp.example.com")),
        ("iss with a tail", other(ISSUER, &format!("{ISSUER}/"))),
        ("no sub", other("\"sub\":\"anna\",", "")),
        ("no group", other("[\"auditors\"]", "[\"guests\"]")),
        ("claims not an object", provider.sign(ed, "[]")),
    ]);
    bad
}

#[tokio::test(start_paused = true)]
async fn c5_cve_2026_33322_tokens_of_web_identities_are_checked_whole() {
    let rig = Rig::quick().await;
    rig.put("doc", b"text").await;
    let provider = Provider::new();
    let office = tenant("tax-office");
    let vault = &rig.node.vault;
    vault
        .provider_set(
            &office,
            ISSUER.into(),
            vec!["clarence".into()],
            provider.jwks(),
        )
        .await
        .unwrap();
    let trust = format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"Federated":"{ISSUER}"}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringEquals":{{"jwt:aud":"clarence"}},"ForAnyValue:StringEquals":{{"clarence:Groups":["auditors"]}}}}}}}}"#
    );
    role(&rig, "auditor", &allow(&["s3:GetObject"], &["*"]), &trust).await;
    let arn = role_arn(&rig.client, "auditor");
    let with = async |arn: &str, token: &str| {
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleArn", arn),
            ("RoleSessionName", "anna"),
            ("WebIdentityToken", token),
        ];
        unsigned_form(&rig.node, &form).await
    };
    let now = rig.node.host.now().seconds();
    for header in [
        r#"{"alg":"EdDSA","kid":"ed"}"#,
        r#"{"alg":"Ed25519","kid":"ed"}"#,
        r#"{"alg":"ES256","kid":"ec"}"#,
        r#"{"alg":"RS256","kid":"rsa"}"#,
        r#"{"alg":"RS256"}"#,
    ] {
        let done = with(&arn, &provider.sign(header, &claims(now)))
            .await
            .unwrap();
        assert_eq!(element(&done, "SubjectFromWebIdentityToken"), "anna");
        assert!(reads(&rig, &session(&done, &rig.client), "doc").await);
    }
    let good = provider.sign(ED, &claims(now));
    let bad = bad_tokens(&provider, now);
    let from = rig.next_index().await;
    let mut told = std::collections::BTreeSet::new();
    let count = bad.len();
    for (why, token) in bad {
        let refused = with(&arn, &token).await.unwrap_err();
        assert_eq!(refused.status, 403, "{why}: {refused:?}");
        told.insert(refused.message);
    }
    // Nobody is told which tenants, providers and roles there are.
    let nowhere = arn.replace(&rig.client.tenant.to_string(), &"9".repeat(32));
    for arn in [&nowhere, &arn.replace("auditor", "nobody"), &"x".to_owned()] {
        told.insert(with(arn, &good).await.unwrap_err().message);
    }
    assert_eq!(told.len(), 1, "{told:?}");
    vault.flush_later(std::time::Duration::from_secs(10)).await;
    assert_eq!(rig.count(from, Kind::Refuse).await, count + 3);
}

#[tokio::test(start_paused = true)]
async fn c6_ghsa_5qfg_nothing_without_a_token_or_a_signature() {
    let rig = Rig::quick().await;
    role(
        &rig,
        "reader",
        &allow(&["s3:*"], &["*"]),
        &trust(&rig.client, "root"),
    )
    .await;
    let arn = role_arn(&rig.client, "reader");
    let web = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", arn.as_str()),
        ("RoleSessionName", "x1"),
    ];
    assert_eq!(
        unsigned_form(&rig.node, &web).await.unwrap_err().code,
        "MissingParameter"
    );
    let plain = [
        ("Action", "AssumeRole"),
        ("RoleArn", arn.as_str()),
        ("RoleSessionName", "x1"),
    ];
    assert_eq!(
        unsigned_form(&rig.node, &plain).await.unwrap_err().status,
        403
    );
    assert_eq!(
        unsigned_form(&rig.node, &[("Action", "GetCallerIdentity")])
            .await
            .unwrap_err()
            .status,
        403
    );
    // A signature for one service is none for another.
    let forger = Client {
        secret: "wrong".into(),
        ..rig.client.clone()
    };
    for service in ["sts", "s3", "iam"] {
        let signer = if service == "sts" {
            &forger
        } else {
            &rig.client
        };
        let refused = signer.form(&rig.node, service, &plain).await.unwrap_err();
        assert!(
            matches!(refused.status, 400 | 403),
            "{service}: {refused:?}"
        );
    }
}

#[test]
fn keys_of_providers_are_read_strictly() {
    let good = Provider::new().jwks();
    assert!(jwt::Keys::parse(&good).is_ok());
    for (from, to) in [
        ("\"use\":\"sig\"", "\"use\":\"enc\""),
        ("\"alg\":\"ES256\"", "\"alg\":\"RS256\""),
        ("P-256", "P-384"),
        ("OKP", "oct"),
        ("\"kid\":\"ed\"", "\"d\":\"AAAA\""),
        ("{\"keys\"", "{\"key\""),
    ] {
        assert!(jwt::Keys::parse(&good.replace(from, to)).is_err(), "{to}");
    }
    assert!(jwt::Keys::parse("{\"keys\":[]}").is_err());
}
