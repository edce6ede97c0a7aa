//! Multipart uploads.

use crate::client::{Ask, ask, checksum};
use crate::node::World;
use store::api::ChecksumKind;

fn complete(upload: &str, parts: &[(u32, &str)]) -> Ask {
    let list: String = parts
        .iter()
        .map(|(n, etag)| {
            format!(
                "<Part><PartNumber>{n}</PartNumber><ETag>{}</ETag></Part>",
                etag.replace('"', "&quot;")
            )
        })
        .collect();
    ask("POST", &format!("/own/k?uploadId={upload}")).body(format!(
        "<CompleteMultipartUpload>{list}</CompleteMultipartUpload>"
    ))
}

#[tokio::test]
async fn an_upload_from_begin_to_end() {
    let world = World::start().await;
    world.bucket("own");
    world.put("own", "source", b"0123456789");
    let begun = ask("POST", "/own/k?uploads")
        .header("x-amz-checksum-algorithm", "CRC32")
        .header("content-type", "a/b")
        .send(&world)
        .await;
    assert_eq!(begun.header("x-amz-checksum-algorithm"), Some("CRC32"));
    assert_eq!(begun.header("x-amz-checksum-type"), Some("COMPOSITE"));
    let upload = begun.element("UploadId").unwrap();
    let put = |n: u32, body: &str| {
        ask("PUT", &format!("/own/k?partNumber={n}&uploadId={upload}")).body(body)
    };
    let one = put(1, "hello ")
        .header(
            "x-amz-checksum-crc32",
            checksum(ChecksumKind::Crc32, b"hello "),
        )
        .send(&world)
        .await;
    assert_eq!(one.status, 200, "{}", one.text());
    assert_eq!(one.header("x-amz-checksum-type"), None);
    let two = put(2, "world")
        .header(
            "x-amz-checksum-crc32",
            checksum(ChecksumKind::Crc32, b"world"),
        )
        .send(&world)
        .await;
    let listed = ask("GET", &format!("/own/k?uploadId={upload}&max-parts=1"))
        .send(&world)
        .await;
    assert_eq!(
        listed.element("NextPartNumberMarker").as_deref(),
        Some("1"),
        "{}",
        listed.text()
    );
    assert_eq!(listed.element("IsTruncated").as_deref(), Some("true"));
    assert_eq!(
        listed.element("ChecksumAlgorithm").as_deref(),
        Some("CRC32")
    );
    let listed = ask(
        "GET",
        &format!("/own/k?uploadId={upload}&part-number-marker=1"),
    )
    .send(&world)
    .await;
    assert!(
        listed.text().contains("<PartNumber>2</PartNumber>")
            && !listed.text().contains("<PartNumber>1</PartNumber>")
    );
    let uploads = ask("GET", "/own?uploads&prefix=k").send(&world).await;
    assert_eq!(
        uploads.element("UploadId").as_deref(),
        Some(upload.as_str())
    );
    let (one, two) = (
        one.header("etag").unwrap().to_owned(),
        two.header("etag").unwrap().to_owned(),
    );
    let done = complete(&upload, &[(1, &one), (2, &two)])
        .header("if-none-match", "*")
        .send(&world)
        .await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(done.element("ETag").unwrap().ends_with("-2\""));
    assert!(done.element("ChecksumCRC32").unwrap().ends_with("-2"));
    assert_eq!(done.element("ChecksumType").as_deref(), Some("COMPOSITE"));
    assert_eq!(done.element("Location").as_deref(), Some("/own/k"));
    let got = ask("GET", "/own/k")
        .header("x-amz-checksum-mode", "ENABLED")
        .send(&world)
        .await;
    assert_eq!(
        (got.text().as_str(), got.header("content-type")),
        ("hello world", Some("a/b"))
    );
    assert_eq!(got.header("x-amz-checksum-type"), Some("COMPOSITE"));
    assert!(got.header("x-amz-checksum-crc32").unwrap().ends_with("-2"));
    assert_eq!(
        complete(&upload, &[(1, &one)]).send(&world).await.code(),
        "NoSuchUpload"
    );
}

#[tokio::test]
async fn full_object_checksums_and_copied_parts() {
    let world = World::start().await;
    world.bucket("own");
    world.put("own", "source", b"0123456789");
    let begun = ask("POST", "/own/k?uploads")
        .header("x-amz-checksum-algorithm", "CRC64NVME")
        .send(&world)
        .await;
    assert_eq!(begun.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    let upload = begun.element("UploadId").unwrap();
    let etag = |bytes: &'static str| {
        let put = ask("PUT", &format!("/own/k?partNumber=1&uploadId={upload}")).body(bytes);
        let world = &world;
        async move { put.send(world).await.header("etag").unwrap().to_owned() }
    };
    let one = etag("hello").await;
    let whole = |text: &[u8]| {
        complete(&upload, &[(1, &one)])
            .header(
                "x-amz-checksum-crc64nvme",
                checksum(ChecksumKind::Crc64Nvme, text),
            )
            .header("x-amz-mp-object-size", "5")
    };
    assert_eq!(whole(b"hello").send(&world).await.status, 200);

    let upload = ask("POST", "/own/k?uploads")
        .send(&world)
        .await
        .element("UploadId")
        .unwrap();
    let copy = |range: &str| {
        ask("PUT", &format!("/own/k?partNumber=1&uploadId={upload}"))
            .header("x-amz-copy-source", "own/source")
            .header("x-amz-copy-source-range", range)
    };
    let copied = copy("bytes=2-4").send(&world).await;
    let etag = copied.element("ETag").unwrap();
    assert_eq!(
        complete(&upload, &[(1, &etag)]).send(&world).await.status,
        200
    );
    assert_eq!(world.object("own", "k").unwrap().0, "234");
    let upload = ask("POST", "/own/k?uploads")
        .send(&world)
        .await
        .element("UploadId")
        .unwrap();
    for (range, status) in [
        ("bytes=2-", 400),
        ("bytes=-2", 400),
        ("2-4", 400),
        ("bytes=5-50", 416),
    ] {
        let path = format!("/own/k?partNumber=1&uploadId={upload}");
        let copy = ask("PUT", &path)
            .header("x-amz-copy-source", "own/source")
            .header("x-amz-copy-source-range", range);
        assert_eq!(copy.send(&world).await.status, status, "{range}");
    }
}

#[tokio::test]
async fn what_does_not_fit_together() {
    let world = World::start().await;
    world.bucket("own");
    let upload = ask("POST", "/own/k?uploads")
        .send(&world)
        .await
        .element("UploadId")
        .unwrap();
    let e = "\"5d41402abc4b2a76b9719d911017c592\"";
    let many: Vec<(u32, &str)> = (1..=10_001).map(|n| (n, e)).collect();
    let part = |n: &str| ask("PUT", &format!("/own/k?partNumber={n}&uploadId={upload}")).body("x");
    let begin = |algorithm: &str, kind: &str| {
        ask("POST", "/own/k?uploads")
            .header("x-amz-checksum-algorithm", algorithm)
            .header("x-amz-checksum-type", kind)
    };
    for (what, ask, status, code) in [
        ("part 0", part("0"), 400, "InvalidArgument"),
        ("part 10,001", part("10001"), 400, "InvalidArgument"),
        ("part x", part("x"), 400, "InvalidArgument"),
        (
            "10,001 parts",
            complete(&upload, &many),
            400,
            "InvalidArgument",
        ),
        ("no parts", complete(&upload, &[]), 400, "MalformedXML"),
        (
            "order",
            complete(&upload, &[(2, e), (1, e)]),
            400,
            "InvalidPartOrder",
        ),
        (
            "twice",
            complete(&upload, &[(1, e), (1, e)]),
            400,
            "InvalidPartOrder",
        ),
        (
            "another upload",
            complete("00", &[(1, e)]),
            404,
            "NoSuchUpload",
        ),
        (
            "whole SHA",
            begin("SHA256", "FULL_OBJECT"),
            400,
            "InvalidRequest",
        ),
        (
            "composite CRC64",
            begin("CRC64NVME", "COMPOSITE"),
            400,
            "InvalidRequest",
        ),
        (
            "unknown algorithm",
            begin("MD5", "FULL_OBJECT"),
            501,
            "NotImplemented",
        ),
        (
            "never uploaded",
            complete(&upload, &[(7, e)]),
            400,
            "InvalidPart",
        ),
    ] {
        let answer = ask.send(&world).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{what}: {}",
            answer.text()
        );
    }
    let upload = ask("POST", "/own/k?uploads")
        .send(&world)
        .await
        .element("UploadId")
        .unwrap();
    let abort = || ask("DELETE", &format!("/own/k?uploadId={upload}"));
    assert_eq!(abort().send(&world).await.status, 204);
    assert_eq!(abort().send(&world).await.code(), "NoSuchUpload");
}
