//! What is not offered is refused with 501, whatever else the request says: nothing is ignored.

use crate::client::{Ask, ask};
use crate::node::{TENANT, World};
use std::sync::atomic::Ordering;

async fn refused(world: &World, asked: Ask, what: &str, status: u16, code: &str) {
    let before = world.node.verbs.load(Ordering::SeqCst);
    let answer = asked.send(world).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (status, code),
        "{what}: {}",
        answer.text()
    );
    assert_eq!(
        world.node.verbs.load(Ordering::SeqCst),
        before,
        "{what}: no verb may be asked"
    );
}

#[tokio::test]
async fn headers_that_nothing_honours() {
    let world = World::start().await;
    world.bucket("own");
    world.put("own", "key", b"old");
    let headers = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "AAAA"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "key"),
        ("x-amz-server-side-encryption-context", "e30="),
        ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-acl", "public-read"),
        ("x-amz-acl", "authenticated-read"),
        ("x-amz-grant-read", "id=1"),
        ("x-amz-grant-full-control", "id=1"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-legal-hold", "ON"),
        (
            "x-amz-object-lock-retain-until-date",
            "2030-01-01T00:00:00Z",
        ),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-website-redirect-location", "/x"),
        ("x-amz-mfa", "1 2"),
        ("x-amz-bypass-governance-retention", "true"),
        ("x-amz-write-offset-bytes", "3"),
        ("x-amz-if-match-size", "3"),
        ("content-range", "bytes 0-4/10"),
        ("x-amz-header-of-the-future", "1"),
        ("if-modified-since", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("if-unmodified-since", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("x-amz-copy-source-if-match", "\"a\""),
    ];
    for (name, value) in headers {
        let put = ask("PUT", "/own/key").body("new").header(name, value);
        refused(&world, put, name, 501, "NotImplemented").await;
    }
    for (name, value) in [
        ("x-amz-bucket-object-lock-enabled", "true"),
        ("x-amz-object-ownership", "ObjectWriter"),
    ] {
        refused(
            &world,
            ask("PUT", "/new").header(name, value),
            name,
            501,
            "NotImplemented",
        )
        .await;
    }
    let delete = ask("DELETE", "/own/key").header("if-none-match", "*");
    refused(
        &world,
        delete,
        "a condition that DELETE has not",
        501,
        "NotImplemented",
    )
    .await;
    let part = ask("PUT", "/own/key?partNumber=1&uploadId=x").header("if-none-match", "*");
    refused(
        &world,
        part,
        "a condition that parts have not",
        501,
        "NotImplemented",
    )
    .await;
    for name in [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ] {
        let get = ask("GET", "/own/key").header(name, "123456789012");
        refused(&world, get, name, 403, "AccessDenied").await;
    }
    let get = ask("GET", "/own/key").header("x-amz-server-side-encryption-customer-key", "AAAA");
    refused(&world, get, "SSE-C on GET", 501, "NotImplemented").await;
    assert_eq!(world.object("own", "key").unwrap().0, "old");

    // The harmless values of the same headers.
    let put = ask("PUT", "/own/key")
        .body("new")
        .header("x-amz-acl", "private")
        .header("x-amz-storage-class", "STANDARD")
        .header("x-amz-server-side-encryption", "AES256")
        .header("x-amz-expected-bucket-owner", TENANT.to_string())
        .header("x-amz-user-agent", "x");
    assert_eq!(
        put.send(&world)
            .await
            .header("x-amz-server-side-encryption"),
        Some("AES256")
    );
    let create = ask("PUT", "/new")
        .header("x-amz-bucket-object-lock-enabled", "false")
        .header("x-amz-object-ownership", "BucketOwnerEnforced")
        .header("x-amz-acl", "bucket-owner-full-control");
    assert_eq!(create.send(&world).await.status, 200);
}

#[tokio::test]
async fn parameters_that_the_operation_does_not_know() {
    let world = World::start().await;
    world.bucket("own");
    world.bucket("empty");
    world.put("own", "key", b"old");
    for (method, path) in [
        ("DELETE", "/empty?versioning"),
        ("DELETE", "/empty?acl"),
        ("DELETE", "/empty?object-lock"),
        ("DELETE", "/empty?anything"),
        ("DELETE", "/own/key?acl"),
        ("DELETE", "/own/key?legal-hold"),
        ("DELETE", "/own/key?versionId=7"),
        ("GET", "/own/key?versionId=7"),
        ("HEAD", "/own/key?uploads"),
        ("PUT", "/own/key?restore"),
        ("PUT", "/own/key?versionId=null7"),
        ("PUT", "/own/key?append&position=3"),
        ("PUT", "/own/key?renameObject"),
        ("PUT", "/new?uploads"),
        ("PUT", "/new?abac"),
        ("PUT", "/new?session"),
        ("POST", "/own?uploads"),
        ("POST", "/own/key?delete"),
        ("GET", "/own?delete"),
        ("GET", "/own?metadataInventoryTable"),
    ] {
        let answer = ask(method, path).send(&world).await;
        assert_eq!(answer.status, 501, "{method} {path}");
    }
    for (path, code) in [
        ("/own/key?partNumber=1", "InvalidArgument"),
        ("/own/key?uploadId=00", "InvalidArgument"),
    ] {
        refused(&world, ask("PUT", path).body("new"), path, 400, code).await;
    }
    refused(
        &world,
        ask("GET", "/own?acl&policy"),
        "two sub-resources",
        400,
        "InvalidRequest",
    )
    .await;
    refused(
        &world,
        ask("GET", "/own?list-type=3"),
        "list-type",
        400,
        "InvalidArgument",
    )
    .await;
    assert_eq!(world.keys("own"), ["key"]);
    assert_eq!(world.object("own", "key").unwrap().0, "old");
    assert!(world.keys("empty").is_empty());
    for path in [
        "/own/key?versionId=null",
        "/own/key?x-id=GetObject",
        "/own/key?x-logged=1",
    ] {
        assert_eq!(ask("GET", path).send(&world).await.status, 200, "{path}");
    }
    assert_eq!(
        ask("PUT", "/own/key?x-id=PutObject")
            .body("new")
            .send(&world)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn headers_in_a_presigned_query_count_as_headers() {
    let world = World::start().await;
    world.bucket("own");
    let host = world.address.to_string();
    for (query, status) in [
        ("x-amz-acl=public-read", 501),
        ("x-amz-tagging=a%3Db", 501),
        ("X-Amz-Meta-Colour=blue", 200),
        ("x-amz-checksum-crc32=AAAAAA%3D%3D", 400),
    ] {
        let link = ask("PUT", &format!("/own/key?{query}")).presigned(&host, 60);
        let answer = ask("PUT", &link)
            .unsigned()
            .body("hello")
            .send(&world)
            .await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
    let info = world.object("own", "key").unwrap().1;
    assert_eq!(
        info.metadata.user,
        [("colour".to_owned(), "blue".to_owned())]
    );
}

#[tokio::test]
async fn form_uploads() {
    let world = World::start().await;
    world.bucket("own");
    let form = ask("POST", "/own")
        .unsigned()
        .header("content-type", "multipart/form-data; boundary=x");
    refused(
        &world,
        form.body("--x--\r\n"),
        "a form",
        501,
        "NotImplemented",
    )
    .await;
}
