//! Bodies that are not what they say: each refused with its code, nothing kept.

use crate::client::{Ask, Signature, ask, checksum, read_answer};
use crate::node::World;
use store::api::ChecksumKind;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";

/// Sends a body that is made with the request's signature, and gives status and code.
async fn send(world: &World, put: Ask, body: impl Fn(&mut Signature) -> Vec<u8>) -> (u16, String) {
    let host = world.address.to_string();
    let (_, mut sign) = put.head(&host, Some(0));
    let length = body(&mut sign).len();
    let (head, mut sign) = put.head(&host, Some(length));
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream
        .write_all(&[head.as_bytes(), &body(&mut sign)].concat())
        .await
        .unwrap();
    let answer = read_answer(&mut stream, false).await.expect("an answer");
    (answer.status, answer.code())
}

fn framed(word: &str, length: usize, trailer: Option<&str>) -> Ask {
    let put = ask("PUT", "/bad/object")
        .payload(word)
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", length.to_string());
    match trailer {
        Some(trailer) => put.header("x-amz-trailer", trailer),
        None => put,
    }
}

/// What is wrong, the trailer announced, the body, the status and the code.
type Framed = (
    &'static str,
    Option<&'static str>,
    String,
    u16,
    &'static str,
);

const NAME: Option<&str> = Some("x-amz-checksum-crc32");

fn bad_trailers(good: &str, crc: &str) -> Vec<Framed> {
    vec![
        ("the good one", NAME, good.to_owned(), 200, ""),
        (
            "trailer missing",
            NAME,
            "5\r\nhello\r\n0\r\n\r\n".into(),
            400,
            "MalformedTrailerError",
        ),
        (
            "trailer not announced",
            None,
            good.to_owned(),
            400,
            "MalformedTrailerError",
        ),
        (
            "another trailer than announced",
            Some("x-amz-checksum-crc32c"),
            good.to_owned(),
            400,
            "MalformedTrailerError",
        ),
        (
            "trailer twice",
            NAME,
            good.replace(
                "\r\n\r\n",
                &format!("\r\nx-amz-checksum-crc32:{crc}\r\n\r\n"),
            ),
            400,
            "MalformedTrailerError",
        ),
        (
            "trailer without colon",
            NAME,
            good.replace("crc32:", "crc32 "),
            400,
            "MalformedTrailerError",
        ),
        (
            "trailer not base64",
            NAME,
            good.replace(crc, "!!!!"),
            400,
            "InvalidRequest",
        ),
        (
            "trailer of wrong length",
            NAME,
            good.replace(crc, "AAAA"),
            400,
            "InvalidRequest",
        ),
        (
            "wrong checksum",
            NAME,
            good.replace(crc, "AAAAAA=="),
            400,
            "BadDigest",
        ),
    ]
}

fn bad_chunks(good: &str) -> Vec<Framed> {
    vec![
        (
            "size not hexadecimal",
            NAME,
            good.replacen("5\r\n", "x\r\n", 1),
            400,
            "InvalidRequest",
        ),
        (
            "size negative",
            NAME,
            good.replacen("5\r\n", "-5\r\n", 1),
            400,
            "InvalidRequest",
        ),
        (
            "chunk longer than its size",
            NAME,
            good.replacen("hello", "hello!", 1),
            400,
            "InvalidRequest",
        ),
        (
            "more than announced",
            NAME,
            good.replacen("5\r\nhello", "6\r\nhello!", 1),
            400,
            "InvalidRequest",
        ),
        (
            "less than announced",
            NAME,
            good.replacen("5\r\nhello", "4\r\nhell", 1),
            400,
            "IncompleteBody",
        ),
        (
            "no last chunk",
            NAME,
            "5\r\nhello\r\n".into(),
            400,
            "IncompleteBody",
        ),
        (
            "ends within a chunk",
            NAME,
            "5\r\nhel".into(),
            400,
            "IncompleteBody",
        ),
        (
            "bytes after the end",
            NAME,
            format!("{good}more"),
            400,
            "InvalidRequest",
        ),
        (
            "endless head",
            NAME,
            "0".repeat(4000),
            400,
            "InvalidRequest",
        ),
        (
            "no framing at all",
            NAME,
            "hello".into(),
            400,
            "IncompleteBody",
        ),
        (
            "a signature where none belongs",
            NAME,
            good.replacen("5\r\n", "5;chunk-signature=00\r\n", 1),
            400,
            "InvalidRequest",
        ),
    ]
}

#[tokio::test]
async fn malformed_chunks_and_trailers() {
    let world = World::start().await;
    world.bucket("bad");
    let crc = checksum(ChecksumKind::Crc32, b"hello");
    let good = format!("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n");
    let cases = [bad_trailers(&good, &crc), bad_chunks(&good)].concat();
    for (what, trailer, body, status, code) in cases {
        let before = world.object("bad", "object").is_some();
        let got = send(&world, framed(UNSIGNED, 5, trailer), |_| {
            body.clone().into_bytes()
        })
        .await;
        assert_eq!(got, (status, code.to_owned()), "{what}");
        assert_eq!(
            world.object("bad", "object").is_some(),
            before || status == 200,
            "{what}"
        );
    }
}

#[tokio::test]
async fn broken_signatures_of_chunks() {
    let world = World::start().await;
    world.bucket("bad");
    let chunk = |sign: &mut Signature, data: &[u8]| {
        let head = format!("{:x};chunk-signature={}\r\n", data.len(), sign.chunk(data));
        let end = if data.is_empty() { &b""[..] } else { b"\r\n" };
        [head.as_bytes(), data, end].concat()
    };
    let denied = (403, "SignatureDoesNotMatch".to_owned());
    // A byte flipped in the second chunk.
    let got = send(&world, framed(SIGNED, 10, None), |sign| {
        let mut wire = [
            chunk(sign, b"hello"),
            chunk(sign, b"world"),
            chunk(sign, b""),
            b"\r\n".to_vec(),
        ]
        .concat();
        let at = wire.windows(5).position(|w| w == b"world").unwrap();
        wire[at] = b'W';
        wire
    });
    assert_eq!(got.await, denied);
    // Two chunks in another order.
    let got = send(&world, framed(SIGNED, 10, None), |sign| {
        let (one, two) = (chunk(sign, b"hello"), chunk(sign, b"world"));
        [two, one, chunk(sign, b""), b"\r\n".to_vec()].concat()
    });
    assert_eq!(got.await, denied);
    // The last chunk cut off: what came before it is not taken.
    let got = send(&world, framed(SIGNED, 5, None), |sign| {
        chunk(sign, b"hello")
    });
    assert_eq!(got.await, (400, "IncompleteBody".to_owned()));
    // Unsigned chunks in a signed body.
    let got = send(&world, framed(SIGNED, 5, None), |_| {
        b"5\r\nhello\r\n0\r\n\r\n".to_vec()
    });
    assert_eq!(got.await, denied);
    // A trailer that was changed.
    let crc = checksum(ChecksumKind::Crc32, b"hello");
    let with_trailer = |sign: &mut Signature, told: &str, signed: &str| {
        let mut wire = [chunk(sign, b"hello"), chunk(sign, b"")].concat();
        let signature = sign.trailer(&format!("x-amz-checksum-crc32:{signed}\n"));
        wire.extend(
            format!("x-amz-checksum-crc32:{told}\r\nx-amz-trailer-signature:{signature}\r\n\r\n")
                .bytes(),
        );
        wire
    };
    let announced = || framed(SIGNED_TRAILER, 5, Some("x-amz-checksum-crc32"));
    assert_eq!(
        send(&world, announced(), |s| with_trailer(s, "AAAAAA==", &crc)).await,
        denied
    );
    assert_eq!(
        send(&world, announced(), |s| with_trailer(s, &crc, &crc))
            .await
            .0,
        200
    );
    // A chunk too large to hold.
    let got = send(&world, framed(SIGNED, 64 << 20, None), |sign| {
        format!("{:x};chunk-signature={}\r\n", 64 << 20, sign.chunk(b"")).into_bytes()
    });
    assert_eq!(got.await, (400, "InvalidChunkSizeError".to_owned()));
}

fn put() -> Ask {
    ask("PUT", "/bad/object").body("hello")
}

fn wrong_hashes(crc: &str, zeros: &str) -> Vec<(&'static str, Ask, u16, &'static str)> {
    vec![
        (
            "wrong SHA-256",
            put().payload(zeros),
            400,
            "XAmzContentSHA256Mismatch",
        ),
        (
            "MD5 not base64",
            put().header("content-md5", "hello"),
            400,
            "InvalidDigest",
        ),
        (
            "MD5 too short",
            put().header("content-md5", "AAAA"),
            400,
            "InvalidDigest",
        ),
        (
            "wrong MD5",
            put().header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
            400,
            "BadDigest",
        ),
        (
            "wrong CRC",
            put().header("x-amz-checksum-crc32", "AAAAAA=="),
            400,
            "BadDigest",
        ),
        (
            "CRC too long",
            put().header("x-amz-checksum-crc32", "AAAAAAAA"),
            400,
            "InvalidRequest",
        ),
        (
            "two checksums",
            put()
                .header("x-amz-checksum-crc32", crc)
                .header("x-amz-checksum-sha1", "AAAA"),
            400,
            "InvalidRequest",
        ),
        (
            "another algorithm",
            put()
                .header("x-amz-checksum-crc32", crc)
                .header("x-amz-sdk-checksum-algorithm", "SHA256"),
            400,
            "InvalidRequest",
        ),
        (
            "algorithm without value",
            put().header("x-amz-sdk-checksum-algorithm", "SHA256"),
            400,
            "InvalidRequest",
        ),
    ]
}

fn wrong_words(zeros: &str) -> Vec<(&'static str, Ask, u16, &'static str)> {
    vec![
        (
            "unknown family",
            put().header("x-amz-checksum-xxhash3", "AAAAAAAAAAA="),
            501,
            "NotImplemented",
        ),
        (
            "unknown algorithm",
            put().header("x-amz-sdk-checksum-algorithm", "MD4"),
            501,
            "NotImplemented",
        ),
        (
            "trailer without framing",
            put().header("x-amz-trailer", "x-amz-checksum-crc32"),
            400,
            "InvalidRequest",
        ),
        (
            "framing without length",
            put().payload(UNSIGNED),
            411,
            "MissingContentLength",
        ),
        (
            "length no number",
            put()
                .payload(UNSIGNED)
                .header("x-amz-decoded-content-length", "+5"),
            400,
            "InvalidArgument",
        ),
        (
            "word of the future",
            put().payload("STREAMING-AWS9"),
            400,
            "InvalidArgument",
        ),
        (
            "too much metadata",
            put().header("x-amz-meta-a", "b".repeat(2048)),
            400,
            "MetadataTooLarge",
        ),
        (
            "GET with a hash of something",
            ask("GET", "/bad").payload(zeros),
            400,
            "XAmzContentSHA256Mismatch",
        ),
    ]
}

#[tokio::test]
async fn plain_bodies_and_their_headers() {
    let world = World::start().await;
    world.bucket("bad");
    let crc = checksum(ChecksumKind::Crc32, b"hello");
    let zeros = "0".repeat(64);
    let cases = [wrong_hashes(&crc, &zeros), wrong_words(&zeros)].concat();
    for (what, put, status, code) in cases {
        let answer = put.send(&world).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{what}: {}",
            answer.text()
        );
        assert!(world.object("bad", "object").is_none(), "{what}");
        assert_eq!(
            answer.element("RequestId").as_deref(),
            answer.header("x-amz-request-id"),
            "{what}"
        );
    }
    // HTTP chunks around a plain body leave its length unknown.
    let put = ask("PUT", "/bad/object")
        .payload("UNSIGNED-PAYLOAD")
        .header("transfer-encoding", "chunked");
    let (head, _) = put.head(&world.address.to_string(), None);
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream
        .write_all(format!("{head}5\r\nhello\r\n0\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert_eq!(read_answer(&mut stream, false).await.unwrap().status, 411);
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_not_kept() {
    let world = World::start().await;
    world.bucket("bad");
    let put = ask("PUT", "/bad/object").payload("UNSIGNED-PAYLOAD");
    let (head, _) = put.head(&world.address.to_string(), Some(100));
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream
        .write_all(format!("{head}hello").as_bytes())
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let answer = read_answer(&mut stream, false).await;
    assert!(
        answer
            .as_ref()
            .is_none_or(|answer| answer.code() == "IncompleteBody"),
        "{answer:?}"
    );
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(world.object("bad", "object").is_none());
}

#[tokio::test]
async fn documents() {
    let world = World::start().await;
    world.bucket("bad");
    world.put("bad", "ab", b"x");
    world.put("bad", "a", b"x");
    let delete =
        |xml: &str| ask("POST", "/bad?delete").body(format!("<Delete>{xml}</Delete>").into_bytes());
    let bomb = format!(
        "<!DOCTYPE d [<!ENTITY a \"{}\">]><Delete><Object><Key>&a;</Key></Object></Delete>",
        "a".repeat(1000)
    );
    let many = "<Object><Key>k</Key></Object>".repeat(1001);
    let cases: Vec<(&str, Ask, u16, &str)> = vec![
        (
            "CDATA, which would be skipped",
            delete("<Object><Key>a<![CDATA[b]]></Key></Object>"),
            400,
            "MalformedXML",
        ),
        (
            "a bomb",
            ask("POST", "/bad?delete").body(bomb),
            400,
            "MalformedXML",
        ),
        (
            "an unknown entity",
            delete("<Object><Key>&a;</Key></Object>"),
            400,
            "MalformedXML",
        ),
        (
            "an unknown element",
            delete("<Object><Key>a</Key><When/></Object>"),
            400,
            "MalformedXML",
        ),
        (
            "not closed",
            ask("POST", "/bad?delete").body("<Delete><Object>"),
            400,
            "MalformedXML",
        ),
        ("no keys", delete(""), 400, "MalformedXML"),
        ("1,001 keys", delete(&many), 400, "MalformedXML"),
        (
            "empty",
            ask("POST", "/bad?delete"),
            400,
            "MissingRequestBodyError",
        ),
        (
            "too large",
            delete(&" ".repeat(3 << 20)),
            400,
            "MaxMessageLengthExceeded",
        ),
        (
            "no hash at all",
            delete("<Object><Key>a</Key></Object>").payload("UNSIGNED-PAYLOAD"),
            400,
            "InvalidRequest",
        ),
        (
            "wrong MD5",
            delete("<Object><Key>a</Key></Object>")
                .header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
            400,
            "BadDigest",
        ),
        (
            "wrong CRC",
            delete("<Object><Key>a</Key></Object>").header("x-amz-checksum-crc32", "AAAAAA=="),
            400,
            "BadDigest",
        ),
        (
            "wrong SHA-256",
            delete("<Object><Key>a</Key></Object>").payload(&"0".repeat(64)),
            400,
            "XAmzContentSHA256Mismatch",
        ),
        (
            "a version",
            delete("<Object><Key>a</Key><VersionId>7</VersionId></Object>"),
            501,
            "NotImplemented",
        ),
        (
            "a condition",
            delete("<Object><Key>a</Key><ETag>\"7\"</ETag></Object>"),
            501,
            "NotImplemented",
        ),
        (
            "a bucket configuration that is none",
            ask("PUT", "/other").body("<Delete/>"),
            400,
            "MalformedXML",
        ),
        (
            "no parts",
            ask("POST", "/bad/k?uploadId=00").body("<CompleteMultipartUpload/>"),
            404,
            "NoSuchUpload",
        ),
    ];
    for (what, ask, status, code) in cases {
        let answer = ask.send(&world).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{what}: {}",
            answer.text()
        );
        assert_eq!(world.keys("bad"), ["a", "ab"], "{what}");
    }
}
