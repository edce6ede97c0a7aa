//! The examples that AWS publishes in "Authenticating Requests (AWS Signature Version 4)" for S3: all of
//! 24 May 2013 in us-east-1 with the documentation's credential.

use crate::sign::{ACCESS, Request, SECRET};
use authn::{AuthnError, Credential, PayloadHash, SecretKey, Verified, present, verify};
use words::{TenantId, UnixMillis};

const HOST: &str = "examplebucket.s3.amazonaws.com";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const STAMP: &str = "20130524T000000Z";
pub const AT: UnixMillis = UnixMillis(1_369_353_600_000);

fn request(method: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> Request {
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
    }
}

fn authorization(signed: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS}/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},\
         Signature={signature}"
    )
}

pub fn check(request: &Request, now: UnixMillis) -> Result<Verified, AuthnError> {
    let credential = Credential::active(TenantId::from_bytes([1; 16]));
    verify(
        present(&request.head())?,
        &SecretKey::new(SECRET.to_owned()),
        credential,
        now,
        "us-east-1",
    )
}

fn accepted(request: &Request) -> Verified {
    let good = check(request, AT).unwrap();
    assert_eq!(good.caller.access_key().as_str(), ACCESS);
    let mut other = request.clone();
    other.method = "DELETE".to_owned();
    assert_eq!(check(&other, AT).map(|_| ()), Err(AuthnError::Mismatch));
    good
}

#[test]
fn get_object() {
    let auth = authorization(
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    let verified = accepted(&request(
        "GET",
        "/test.txt",
        "",
        &[
            ("host", HOST),
            ("authorization", &auth),
            ("range", "bytes=0-9"),
            ("x-amz-content-sha256", EMPTY),
            ("x-amz-date", STAMP),
        ],
    ));
    assert!(matches!(verified.payload, PayloadHash::Hex(_)));
    assert_eq!(
        words::hex::encode(verified.caller.request_digest()),
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    );
}

#[test]
fn put_object() {
    let auth = authorization(
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    accepted(&request(
        "PUT",
        "/test$file.text",
        "",
        &[
            ("host", HOST),
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("authorization", &auth),
            ("x-amz-date", STAMP),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            (
                "x-amz-content-sha256",
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            ),
        ],
    ));
}

#[test]
fn get_bucket_lifecycle() {
    let auth = authorization(
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    let headers = [
        ("host", HOST),
        ("authorization", auth.as_str()),
        ("x-amz-date", STAMP),
        ("x-amz-content-sha256", EMPTY),
    ];
    accepted(&request("GET", "/", "lifecycle", &headers));
    accepted(&request("GET", "", "lifecycle=", &headers));
}

#[test]
fn list_objects() {
    let auth = authorization(
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
    let headers = [
        ("host", HOST),
        ("authorization", auth.as_str()),
        ("x-amz-date", STAMP),
        ("x-amz-content-sha256", EMPTY),
    ];
    accepted(&request("GET", "/", "max-keys=2&prefix=J", &headers));
    accepted(&request("GET", "/", "prefix=J&max-keys=2", &headers));
}

/// The presigned example: valid for a day.
pub fn presigned() -> Request {
    request(
        "GET",
        "/test.txt",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F\
         aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&\
         X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        &[("host", HOST)],
    )
}

#[test]
fn presigned_url_lives_for_a_day() {
    let link = presigned();
    assert_eq!(accepted(&link).payload, PayloadHash::Unsigned);
    let day = 86_400_000;
    assert!(check(&link, AT.plus(day - 1)).is_ok());
    assert_eq!(
        check(&link, AT.plus(day)).map(|_| ()),
        Err(AuthnError::Expired)
    );
    let early = UnixMillis(AT.0 - words::limits::CLOCK_SKEW_MS_MAX);
    assert!(check(&link, early).is_ok());
    assert_eq!(
        check(&link, UnixMillis(early.0 - 1)).map(|_| ()),
        Err(AuthnError::NotYetValid)
    );
}

/// The head of the chunked upload example, and the signatures of its three chunks.
pub fn chunked_put() -> (Request, [&'static str; 3]) {
    let auth = authorization(
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let head = request(
        "PUT",
        "/examplebucket/chunkObject.txt",
        "",
        &[
            ("host", "s3.amazonaws.com"),
            ("x-amz-date", STAMP),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("authorization", &auth),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("content-length", "66824"),
        ],
    );
    let chunks = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    (head, chunks)
}

#[test]
fn chunked_upload() {
    let (head, signatures) = chunked_put();
    let verified = accepted(&head);
    assert_eq!(verified.payload, PayloadHash::SignedChunks);
    let mut body = Vec::new();
    for (size, signature) in [65536, 1024, 0].into_iter().zip(signatures) {
        body.extend(format!("{size:x};chunk-signature={signature}\r\n").bytes());
        body.extend(vec![b'a'; size]);
        body.extend(b"\r\n");
    }
    assert_eq!(body.len(), 66_824);
    let mut decoder =
        authn::chunked::Decoder::new(&verified.payload, verified.chunks, 66_560, &[]).unwrap();
    let mut input = bytes::Bytes::from(body);
    let mut plain = Vec::new();
    while let Some(piece) = decoder.decode(&mut input).unwrap() {
        plain.extend_from_slice(&piece);
    }
    assert_eq!(plain, vec![b'a'; 66_560]);
    assert!(decoder.finish().is_ok());
}

/// The same upload with a signed trailer: the documentation's CRC-32C of 66,560 times `a`.
#[test]
fn chunked_upload_with_trailer() {
    let auth = authorization(
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    );
    let head = request(
        "PUT",
        "/examplebucket/chunkObject.txt",
        "",
        &[
            ("host", "s3.amazonaws.com"),
            ("x-amz-date", STAMP),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("authorization", &auth),
            (
                "x-amz-content-sha256",
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            ),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ],
    );
    let verified = accepted(&head);
    let mut body = Vec::new();
    for (size, signature) in [65536, 1024, 0].into_iter().zip([
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]) {
        body.extend(format!("{size:x};chunk-signature={signature}\r\n").bytes());
        body.extend(vec![b'a'; size]);
        if size > 0 {
            body.extend(b"\r\n");
        }
    }
    body.extend(b"x-amz-checksum-crc32c:sOO8/Q==\r\n");
    body.extend(b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n");
    let announced = ["x-amz-checksum-crc32c"];
    let mut decoder =
        authn::chunked::Decoder::new(&verified.payload, verified.chunks, 66_560, &announced)
            .unwrap();
    let mut input = bytes::Bytes::from(body);
    while decoder.decode(&mut input).unwrap().is_some() {}
    assert_eq!(
        decoder.finish().unwrap().get("x-amz-checksum-crc32c"),
        Some("sOO8/Q==")
    );
}
