//! Objects and listings as clients read and write them.

use crate::client::{ask, checksum};
use crate::node::World;
use store::api::ChecksumKind;

const ETAG: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

#[tokio::test]
async fn put_get_head_delete() {
    let world = World::start().await;
    world.bucket("own");
    let put = ask("PUT", "/own/a%20key")
        .body("hello")
        .header("content-type", "text/plain")
        .header("content-disposition", "attachment")
        .header("cache-control", "no-cache")
        .header("expires", "when it rains")
        .header("x-amz-meta-colour", "blå")
        .header(
            "x-amz-checksum-crc32",
            checksum(ChecksumKind::Crc32, b"hello"),
        )
        .send(&world)
        .await;
    assert_eq!(
        (put.status, put.header("etag")),
        (200, Some(ETAG)),
        "{}",
        put.text()
    );
    assert_eq!(put.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    assert_eq!(put.header("content-length"), Some("0"));
    for method in ["GET", "HEAD"] {
        let got = ask(method, "/own/a%20key")
            .header("x-amz-checksum-mode", "ENABLED")
            .send(&world)
            .await;
        assert_eq!(got.status, 200);
        for (name, value) in [
            ("content-length", "5"),
            ("content-type", "text/plain"),
            ("content-disposition", "attachment"),
            ("cache-control", "no-cache"),
            ("expires", "when it rains"),
            ("x-amz-meta-colour", "blå"),
            ("etag", ETAG),
            ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ("accept-ranges", "bytes"),
            ("x-amz-checksum-crc32", "NhCmhg=="),
            ("x-amz-server-side-encryption", "AES256"),
        ] {
            assert_eq!(got.header(name), Some(value), "{method} {name}");
        }
        assert_eq!(
            got.body,
            if method == "GET" {
                b"hello".to_vec()
            } else {
                Vec::new()
            }
        );
    }
    let plain = ask("GET", "/own/a%20key").send(&world).await;
    assert_eq!(plain.header("x-amz-checksum-crc32"), None);
    let overridden = ask(
        "GET",
        "/own/a%20key?response-content-type=a%2Fb&response-expires=never",
    )
    .send(&world)
    .await;
    assert_eq!(overridden.header("content-type"), Some("a/b"));
    assert_eq!(overridden.header("expires"), Some("never"));
    let split = ask("GET", "/own/a%20key?response-content-type=a%0D%0Ax")
        .send(&world)
        .await;
    assert_eq!(split.code(), "InvalidArgument");
    for _ in 0..2 {
        assert_eq!(ask("DELETE", "/own/a%20key").send(&world).await.status, 204);
    }
    let gone = ask("GET", "/own/a%20key").send(&world).await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "NoSuchKey"));
    let gone = ask("HEAD", "/own/a%20key").send(&world).await;
    assert_eq!(
        (gone.status, gone.body.len(), gone.header("content-type")),
        (404, 0, None)
    );
    assert!(gone.header("x-amz-request-id").is_some());
}

#[tokio::test]
async fn ranges_and_conditions() {
    let world = World::start().await;
    world.bucket("own");
    world.put("own", "k", b"hello");
    for (range, status, body, content_range) in [
        ("bytes=1-3", 206, "ell", Some("bytes 1-3/5")),
        ("bytes=3-", 206, "lo", Some("bytes 3-4/5")),
        ("bytes=-2", 206, "lo", Some("bytes 3-4/5")),
        ("bytes=0-99", 206, "hello", Some("bytes 0-4/5")),
        ("bytes=9-", 416, "", Some("bytes */5")),
        ("bytes=0-1,3-4", 200, "hello", None),
        ("cows=1-2", 200, "hello", None),
    ] {
        let got = ask("GET", "/own/k")
            .header("range", range)
            .header("x-amz-checksum-mode", "ENABLED")
            .send(&world)
            .await;
        assert_eq!(
            (got.status, got.header("content-range")),
            (status, content_range),
            "{range}"
        );
        if status == 416 {
            assert_eq!(got.code(), "InvalidRange");
            continue;
        }
        assert_eq!(got.text(), body, "{range}");
        assert_eq!(
            got.header("x-amz-checksum-crc32").is_some(),
            status == 200,
            "{range}"
        );
        let head = ask("HEAD", "/own/k")
            .header("range", range)
            .send(&world)
            .await;
        assert_eq!(
            head.header("content-length").unwrap(),
            body.len().to_string(),
            "{range}"
        );
    }
    let both = ask("GET", "/own/k?partNumber=1")
        .header("range", "bytes=0-1")
        .send(&world)
        .await;
    assert_eq!(both.code(), "InvalidRequest");
    assert_eq!(
        ask("GET", "/own/k?partNumber=0").send(&world).await.code(),
        "InvalidArgument"
    );
    let (early, late) = (
        "Tue, 20 Oct 2015 07:28:00 GMT",
        "Thu, 22 Oct 2015 07:28:00 GMT",
    );
    for (name, value, status) in [
        ("if-match", ETAG, 200),
        ("if-match", "\"other\"", 412),
        (
            "if-match",
            "\"other\", \"5d41402abc4b2a76b9719d911017c592\"",
            200,
        ),
        ("if-none-match", ETAG, 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", early, 200),
        ("if-modified-since", late, 304),
        ("if-modified-since", "once upon a time", 200),
        ("if-unmodified-since", early, 412),
        ("if-unmodified-since", late, 200),
    ] {
        for method in ["GET", "HEAD"] {
            let got = ask(method, "/own/k").header(name, value).send(&world).await;
            assert_eq!(got.status, status, "{method} {name}: {value}");
            if status == 304 {
                assert!(got.body.is_empty());
                assert_eq!(got.header("etag").is_some(), value == ETAG);
            }
        }
    }
    let create = |name: &str, value: &str| ask("PUT", "/own/k").body("new").header(name, value);
    let taken = create("if-none-match", "*").send(&world).await;
    assert_eq!(
        (taken.status, taken.code().as_str()),
        (412, "PreconditionFailed")
    );
    assert_eq!(
        create("if-match", "\"other\"").send(&world).await.status,
        412
    );
    let delete = ask("DELETE", "/own/k")
        .header("if-match", "\"other\"")
        .send(&world)
        .await;
    assert_eq!(delete.status, 412);
    assert_eq!(create("if-match", ETAG).send(&world).await.status, 200);
    assert_eq!(world.object("own", "k").unwrap().0, "new");
}

#[tokio::test]
async fn keys_are_opaque() {
    let world = World::start().await;
    world.bucket("own");
    let longest = "k".repeat(1024);
    for (raw, key) in [
        ("/own//a", "/a"),
        ("/own/a//b/", "a//b/"),
        ("/own/./a/../b", "./a/../b"),
        ("/own/..", ".."),
        ("/own/a%2Fb", "a/b"),
        ("/own/%2e%2e%2Fx", "../x"),
        ("/own/a%2Bb%20c", "a+b c"),
        ("/own/%25", "%"),
        ("/own/%C3%A9%F0%9F%98%80", "é😀"),
        ("/own/%3Fq%23f", "?q#f"),
        ("/own/%01%7F", "\u{1}\u{7f}"),
        (&format!("/own/{longest}"), &longest),
    ] {
        let put = ask("PUT", raw)
            .body(key.as_bytes().to_vec())
            .send(&world)
            .await;
        assert_eq!(put.status, 200, "{raw}: {}", put.text());
        assert_eq!(world.object("own", key).unwrap().0, key.as_bytes(), "{raw}");
        assert_eq!(ask("GET", raw).send(&world).await.text(), key, "{raw}");
    }
    let listed = ask("GET", "/own?list-type=2&encoding-type=url")
        .send(&world)
        .await;
    for key in [
        "<Key>/a</Key>",
        "<Key>a%2Bb%20c</Key>",
        "<Key>%25</Key>",
        "<Key>%01%7F</Key>",
        "<Key>../x</Key>",
    ] {
        assert!(listed.text().contains(key), "{key}: {}", listed.text());
    }
    let long = ask("PUT", &format!("/own/{longest}k")).send(&world).await;
    assert_eq!(
        (long.status, long.code().as_str()),
        (400, "KeyTooLongError")
    );
    for name in [
        "UPPER",
        "a",
        "under_score",
        "1.2.3.4",
        "a..b",
        "-a-",
        "xn--a",
    ] {
        let answer = ask("PUT", &format!("/{name}")).send(&world).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "InvalidBucketName"),
            "{name}"
        );
    }
    // The same by host.
    for host in ["own.localhost:9000", "OWN.s3.lu-1.clarence.internal"] {
        let got = ask("GET", "//a").header("host", host).send(&world).await;
        assert_eq!(got.text(), "/a", "{host}");
        let listed = ask("GET", "/").header("host", host).send(&world).await;
        assert_eq!(listed.element("Name").as_deref(), Some("own"), "{host}");
    }
}

#[tokio::test]
async fn listings() {
    let world = World::start().await;
    world.bucket("own");
    for key in ["a", "b/1", "b/2", "c+d", "e"] {
        world.put("own", key, b"x");
    }
    let first = ask("GET", "/own?list-type=2&max-keys=2&delimiter=%2F")
        .send(&world)
        .await;
    assert_eq!(first.element("KeyCount").as_deref(), Some("2"));
    assert_eq!(first.element("IsTruncated").as_deref(), Some("true"));
    assert!(
        first
            .text()
            .contains("<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"),
        "{}",
        first.text()
    );
    assert!(!first.text().contains("<Owner>"));
    assert!(
        first
            .text()
            .contains("<ETag>\"9dd4e461268c8034f5c8564e155c67a6\"</ETag>"),
        "{}",
        first.text()
    );
    let token = first.element("NextContinuationToken").unwrap();
    let path =
        format!("/own?list-type=2&delimiter=%2F&fetch-owner=true&continuation-token={token}");
    let second = ask("GET", &path).send(&world).await;
    assert!(second.text().contains("<Key>c+d</Key>") && second.text().contains("<Key>e</Key>"));
    assert!(second.text().contains("<Owner>") && !second.text().contains("NextContinuationToken"));
    assert!(!second.text().contains("<Key>a</Key>"));
    let v1 = ask("GET", "/own?max-keys=1&prefix=b%2F").send(&world).await;
    assert_eq!(v1.element("NextMarker").as_deref(), Some("b/1"));
    assert!(v1.text().contains("<Owner>"));
    let v1 = ask("GET", "/own?marker=b%2F1&prefix=b%2F&encoding-type=url")
        .send(&world)
        .await;
    assert!(v1.text().contains("<Key>b/2</Key>") && !v1.text().contains("<Key>b/1</Key>"));
    let after = ask("GET", "/own?list-type=2&start-after=b%2F2")
        .send(&world)
        .await;
    assert_eq!(after.element("KeyCount").as_deref(), Some("2"));
    let none = ask("GET", "/own?list-type=2&max-keys=0").send(&world).await;
    assert_eq!(none.element("IsTruncated").as_deref(), Some("false"));
    let versions = ask("GET", "/own?versions").send(&world).await;
    assert!(
        versions.text().contains("<VersionId>null</VersionId>"),
        "{}",
        versions.text()
    );
    for bad in [
        "max-keys=-1",
        "max-keys=x",
        "encoding-type=xml",
        "continuation-token=x",
    ] {
        let answer = ask("GET", &format!("/own?list-type=2&{bad}"))
            .send(&world)
            .await;
        assert_eq!(answer.code(), "InvalidArgument", "{bad}: {}", answer.text());
    }
}

#[tokio::test]
async fn buckets() {
    let world = World::start().await;
    let place = |place: &str| {
        format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{place}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    let made = ask("PUT", "/own").send(&world).await;
    assert_eq!((made.status, made.header("location")), (200, Some("/own")));
    assert_eq!(
        ask("PUT", "/own").send(&world).await.code(),
        "BucketAlreadyOwnedByYou"
    );
    assert_eq!(
        ask("PUT", "/two/")
            .body(place("lu-1"))
            .send(&world)
            .await
            .status,
        200
    );
    assert_eq!(
        ask("PUT", "/three")
            .body(place(""))
            .send(&world)
            .await
            .status,
        200
    );
    let abroad = ask("PUT", "/four").body(place("mars-1")).send(&world).await;
    assert_eq!(abroad.code(), "InvalidLocationConstraint");
    let listed = ask("GET", "/").send(&world).await;
    for name in ["own", "two", "three"] {
        assert!(
            listed.text().contains(&format!("<Name>{name}</Name>")),
            "{}",
            listed.text()
        );
    }
    let first = ask("GET", "/?max-buckets=2").send(&world).await;
    let token = first.element("ContinuationToken").unwrap();
    let rest = ask("GET", &format!("/?continuation-token={token}&prefix=t"))
        .send(&world)
        .await;
    assert!(
        rest.text().contains("<Name>two</Name>") && !rest.text().contains("<Name>three</Name>")
    );
    let head = ask("HEAD", "/own").send(&world).await;
    assert_eq!(
        (head.status, head.header("x-amz-bucket-region")),
        (200, Some("lu-1"))
    );
    assert_eq!(ask("HEAD", "/other").send(&world).await.status, 404);
    world.put("own", "k", b"x");
    assert_eq!(
        ask("DELETE", "/own").send(&world).await.code(),
        "BucketNotEmpty"
    );
    assert_eq!(ask("DELETE", "/two").send(&world).await.status, 204);
}

#[tokio::test]
async fn delete_many() {
    let world = World::start().await;
    world.bucket("own");
    for key in [" a ", "b&c", "denied"] {
        world.put("own", key, b"x");
    }
    let long = "k".repeat(1025);
    let xml = format!(
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key> a </Key></Object><Object><Key>b&amp;c</Key><VersionId>null</VersionId></Object><Object><Key>denied</Key></Object><Object><Key>{long}</Key></Object></Delete>"
    );
    let crc = checksum(ChecksumKind::Crc64Nvme, xml.as_bytes());
    let answer = ask("POST", "/own?delete")
        .body(xml.clone())
        .header("x-amz-checksum-crc64nvme", crc)
        .send(&world)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for part in [
        "<Key> a </Key>",
        "<Key>b&amp;c</Key>",
        "<Code>AccessDenied</Code>",
        "<Code>KeyTooLongError</Code>",
    ] {
        assert!(answer.text().contains(part), "{part}: {}", answer.text());
    }
    assert!(world.keys("own").is_empty());
    let quiet = xml.replace("<Object><Key> a ", "<Quiet>true</Quiet><Object><Key> a ");
    let answer = ask("POST", "/own?delete").body(quiet).send(&world).await;
    assert!(
        !answer.text().contains("<Deleted>") && answer.text().contains("<Error>"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn copies() {
    let world = World::start().await;
    world.bucket("own");
    let put = ask("PUT", "/own/a%2B%20b")
        .body("hello")
        .header("x-amz-meta-n", "1")
        .send(&world)
        .await;
    assert_eq!(put.status, 200);
    let copy =
        |to: &str| ask("PUT", to).header("x-amz-copy-source", "/own/a%2B%20b?versionId=null");
    let done = copy("/own/c")
        .header("x-amz-meta-n", "2")
        .send(&world)
        .await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(
        done.text().contains(&format!("<ETag>{ETAG}</ETag>")),
        "{}",
        done.text()
    );
    assert_eq!(world.object("own", "c").unwrap().1.metadata.user[0].1, "1");
    let replaced = copy("/own/c")
        .header("x-amz-metadata-directive", "REPLACE")
        .header("x-amz-meta-n", "2");
    assert_eq!(replaced.send(&world).await.status, 200);
    assert_eq!(world.object("own", "c").unwrap().1.metadata.user[0].1, "2");
    for (what, ask, status, code) in [
        ("itself", copy("/own/a%2B%20b"), 400, "InvalidRequest"),
        (
            "unknown directive",
            copy("/own/d").header("x-amz-metadata-directive", "KEEP"),
            400,
            "InvalidArgument",
        ),
        (
            "source condition",
            copy("/own/d").header("x-amz-copy-source-if-match", "\"x\""),
            412,
            "PreconditionFailed",
        ),
        (
            "source unchanged",
            copy("/own/d").header("x-amz-copy-source-if-none-match", ETAG),
            412,
            "PreconditionFailed",
        ),
        (
            "target condition",
            copy("/own/c").header("if-none-match", "*"),
            412,
            "PreconditionFailed",
        ),
        (
            "a version",
            ask("PUT", "/own/d").header("x-amz-copy-source", "own/c?versionId=7"),
            501,
            "NotImplemented",
        ),
        (
            "no key",
            ask("PUT", "/own/d").header("x-amz-copy-source", "own"),
            400,
            "InvalidArgument",
        ),
        (
            "not there",
            ask("PUT", "/own/d").header("x-amz-copy-source", "own/none"),
            404,
            "NoSuchKey",
        ),
        (
            "SSE-C source",
            copy("/own/d").header(
                "x-amz-copy-source-server-side-encryption-customer-key",
                "AA==",
            ),
            501,
            "NotImplemented",
        ),
    ] {
        let answer = ask.send(&world).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{what}: {}",
            answer.text()
        );
        assert!(world.object("own", "d").is_none(), "{what}");
    }
}

#[tokio::test]
async fn attributes() {
    let world = World::start().await;
    world.bucket("own");
    world.put("own", "k", b"hello");
    let asked = ask("GET", "/own/k?attributes").header(
        "x-amz-object-attributes",
        "ETag,Checksum,ObjectSize,StorageClass",
    );
    let answer = asked.send(&world).await;
    for part in [
        "5d41402abc4b2a76b9719d911017c592",
        "<ChecksumCRC32>NhCmhg==</ChecksumCRC32>",
        "<ObjectSize>5</ObjectSize>",
        "<StorageClass>STANDARD</StorageClass>",
    ] {
        assert!(answer.text().contains(part), "{part}: {}", answer.text());
    }
}
