//! The attacks on authorisation (B) that end at the door: each is tried over the socket, and the node behind
//! is asked what reached it. Each test's name carries the advisory that it answers. Those that need a decision
//! stand with the store (`authorisation`, `sessions`) and with the policies (`documents`, `narrowing`).

use crate::client::{Answer, Ask, ask};
use crate::node::World;
use std::sync::atomic::Ordering;

async fn world() -> World {
    let world = World::start().await;
    world.bucket("own");
    world.bucket("other");
    world.put("own", "key", b"hello");
    world.put("other", "secret", b"for few eyes");
    world
}

/// The answer, and whether a verb was reached.
async fn tried(world: &World, asked: Ask) -> (Answer, bool) {
    let before = world.node.verbs.load(Ordering::SeqCst);
    let answer = asked.send(world).await;
    (answer, world.node.verbs.load(Ordering::SeqCst) > before)
}

async fn lacking(world: &World, asked: Ask, what: &str) {
    let (answer, reached) = tried(world, asked).await;
    assert_eq!(
        (answer.status, reached),
        (501, false),
        "{what}: {}",
        answer.text()
    );
    assert_eq!(answer.code(), "NotImplemented", "{what}");
}

#[tokio::test]
async fn b1_ghsa_3ppv_a_named_version_is_not_read_as_the_newest() {
    let world = world().await;
    let version = "0123456789abcdef0123456789abcdef";
    for method in ["GET", "HEAD", "DELETE"] {
        let asked = ask(method, &format!("/own/key?versionId={version}"));
        let (answer, reached) = tried(&world, asked).await;
        assert_eq!((answer.status, reached), (501, false), "{method}");
    }
    for source in [
        format!("own/key?versionId={version}"),
        "own/key?versionId=".to_owned(),
    ] {
        let asked = ask("PUT", "/own/copy").header("x-amz-copy-source", source.as_str());
        let (answer, _) = tried(&world, asked).await;
        assert!(matches!(answer.status, 400 | 501), "{source}");
    }
    assert_eq!(world.keys("own"), ["key"]);
}

#[tokio::test]
async fn b3_cve_2026_55874_a_copy_source_names_one_object_in_one_bucket() {
    let world = world().await;
    for source in [
        "own/../other/secret",
        "/own/../other/secret",
        "own/%2e%2e/other/secret",
        "own/..%2fother%2fsecret",
        "own%2F..%2Fother%2Fsecret",
        "own/secret%3FversionId=null",
        "own/key%3FversionId=1",
        "../other/secret",
        "//other/secret",
        "own",
        "own/",
        "",
    ] {
        let asked = ask("PUT", "/own/copy").header("x-amz-copy-source", source);
        let (answer, _) = tried(&world, asked).await;
        assert!(
            matches!(answer.status, 400 | 404 | 501),
            "{source}: {} {}",
            answer.status,
            answer.text()
        );
        assert_eq!(world.keys("own"), ["key"], "{source}");
    }
}

#[tokio::test]
async fn b5_cve_2023_43040_forms_of_browsers_are_not_taken() {
    let world = world().await;
    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = [
        part("key", "mine"),
        part("key", "victim"),
        part("bucket", "other"),
        part("policy", "e30="),
        part("file", "bytes"),
        "--x--\r\n".to_owned(),
    ]
    .concat();
    for asked in [
        ask("POST", "/own"),
        ask("POST", "/own").unsigned(),
        ask("POST", "/"),
    ] {
        let asked = asked
            .header("content-type", "multipart/form-data; boundary=x")
            .body(body.clone());
        lacking(&world, asked, "a form").await;
    }
    assert_eq!((world.keys("own").len(), world.keys("other").len()), (1, 1));
}

#[tokio::test]
async fn b6_ghsa_x298_unsigned_questions_are_refused_alike() {
    let world = world().await;
    let mut told = std::collections::BTreeSet::new();
    for path in [
        "/own?versions",
        "/other?versions",
        "/nowhere?versions",
        "/own/key",
        "/own/nothing",
    ] {
        for condition in ["", "if-none-match", "if-match"] {
            let mut asked = ask("GET", path).unsigned();
            if !condition.is_empty() {
                asked = asked.header(condition, "*");
            }
            let (answer, reached) = tried(&world, asked).await;
            assert_eq!((answer.status, reached), (403, false), "{path} {condition}");
            told.insert((answer.code(), answer.element("Message")));
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test]
async fn b7_ghsa_fc6g_who_and_from_where_is_taken_from_no_header() {
    let world = world().await;
    let form = ask("POST", "/")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", "10.9.9.9")
        .header("forwarded", "for=10.9.9.9;proto=https")
        .header("x-real-ip", "10.9.9.9")
        .body("Action=GetCallerIdentity");
    let answer = form.send(&world).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.element("Source").as_deref(), Some("127.0.0.1"));
    // And words about the asker in headers or in the query make nobody of nobody.
    for (name, value) in [
        ("userid", "root"),
        ("groups", "admin"),
        ("jwt", "e30"),
        ("x-forwarded-user", "root"),
    ] {
        let asked = ask("GET", &format!("/other/secret?{name}={value}"))
            .unsigned()
            .header(name, value);
        let (answer, reached) = tried(&world, asked).await;
        assert_eq!((answer.status, reached), (403, false), "{name}");
    }
}

#[tokio::test]
async fn b10_cve_2026_34204_internal_headers_from_a_client_do_nothing() {
    let world = world().await;
    for (name, value) in [
        ("x-amz-replication-status", "REPLICA"),
        ("x-amz-server-side-encryption-context", "e30="),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        (
            "x-amz-copy-source-server-side-encryption-customer-algorithm",
            "AES256",
        ),
    ] {
        lacking(
            &world,
            ask("PUT", "/own/key").body("new").header(name, value),
            name,
        )
        .await;
    }
    for name in [
        "x-minio-source-mtime",
        "x-minio-internal-actual-size",
        "x-rustfs-replication",
    ] {
        let answer = ask("PUT", "/own/new")
            .body("new")
            .header(name, "1")
            .send(&world)
            .await;
        assert_eq!(answer.status, 200, "{name}");
        let got = ask("GET", "/own/new").send(&world).await;
        assert_eq!((got.status, got.text().as_str()), (200, "new"), "{name}");
        assert!(got.header(name).is_none(), "{name}");
    }
    assert_eq!(world.object("own", "key").unwrap().0, "hello");
}

#[tokio::test]
async fn b11_no_key_of_a_key_service_can_be_named() {
    let world = world().await;
    for (name, value) in [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption", "aws:kms:dsse"),
        (
            "x-amz-server-side-encryption-aws-kms-key-id",
            "arn:aws:kms:lu-1:other:key/1",
        ),
        ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
    ] {
        lacking(
            &world,
            ask("PUT", "/own/new").body("new").header(name, value),
            name,
        )
        .await;
    }
    assert_eq!(world.keys("own"), ["key"]);
}

#[tokio::test]
async fn b12_ghsa_j548_locks_lifecycles_and_forced_deletes_fail_closed() {
    let world = world().await;
    for (name, value) in [
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-object-lock-mode", "garbled"),
        (
            "x-amz-object-lock-retain-until-date",
            "2099-01-01T00:00:00Z",
        ),
        ("x-amz-object-lock-legal-hold", "ON"),
    ] {
        lacking(
            &world,
            ask("PUT", "/own/new").body("new").header(name, value),
            name,
        )
        .await;
    }
    let bypass = ask("DELETE", "/own/key").header("x-amz-bypass-governance-retention", "true");
    lacking(&world, bypass, "bypass").await;
    for path in [
        "/own?lifecycle",
        "/own?object-lock",
        "/own/key?retention",
        "/own/key?legal-hold",
    ] {
        lacking(&world, ask("PUT", path).body("<x/>"), path).await;
    }
    lacking(&world, ask("DELETE", "/own?lifecycle"), "lifecycle").await;
    let forced = ask("DELETE", "/own").header("x-minio-force-delete", "true");
    let answer = forced.send(&world).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (409, "BucketNotEmpty")
    );
    assert_eq!(world.keys("own"), ["key"]);
}

#[tokio::test]
async fn b13_ghsa_f4vq_archives_are_not_unpacked() {
    let world = world().await;
    let mut archive = vec![0; 1024];
    archive[..14].copy_from_slice(b"../other/taken");
    for name in ["x-amz-meta-snowball-auto-extract", "x-minio-extract"] {
        let asked = ask("PUT", "/own/archive.tar")
            .header(name, "true")
            .body(archive.clone());
        assert_eq!(asked.send(&world).await.status, 200, "{name}");
        assert_eq!(world.object("own", "archive.tar").unwrap().0, archive);
        assert_eq!(world.keys("other"), ["secret"], "{name}");
    }
}

/// The list may grow, never shrink: this counts the attack tests here, at the store and at the policies.
#[test]
#[allow(clippy::disallowed_methods)] // the tests' own sources
fn no_attack_is_forgotten() {
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let sources = [
        "gate/tests/it/attacks.rs",
        "store/tests/it/authorisation.rs",
        "store/tests/it/sessions.rs",
        "policy/tests/it/documents.rs",
        "policy/tests/it/narrowing.rs",
    ]
    .map(|path| std::fs::read(format!("{crates}/{path}")).unwrap())
    .map(|bytes| String::from_utf8(bytes).unwrap())
    .concat();
    for (letter, last, without) in [("b", 13, 0), ("c", 7, 1)] {
        let missing: Vec<String> = (1..=last)
            .map(|number| format!("{letter}{number}_"))
            .filter(|id| !sources.contains(&format!("fn {id}")))
            .collect();
        // C3: there is no export of identities to attack.
        assert_eq!(missing.len(), without, "{missing:?}");
    }
    let names = sources
        .lines()
        .filter_map(|line| line.split_once("fn ").map(|(_, name)| name))
        .filter(|name| {
            let mut chars = name.chars();
            matches!(chars.next(), Some('b' | 'c'))
                && chars.next().is_some_and(|c| c.is_ascii_digit())
        });
    assert!(names.count() >= 22);
}

#[tokio::test]
async fn forms_are_answered_in_the_words_of_sts() {
    let world = world().await;
    let form = |body: &str| {
        ask("POST", "/")
            .header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .body(body)
    };
    let answer = form("Action=GetCallerIdentity").send(&world).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Outer><Source>"
    ));
    let answer = form("Action=No").send(&world).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "AccessDenied")
    );
    assert_eq!(
        answer.element("Message").as_deref(),
        Some("no &lt;&amp;&gt;")
    );
    let (answer, reached) = tried(&world, form(&"x".repeat(70_000))).await;
    assert_eq!((answer.status, reached), (400, false));
}
