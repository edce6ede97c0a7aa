//! Every way to be refused, with the S3 code and the status that go with it.

use crate::sign::{
    ACCESS, NOON, PLAIN_SIGNED, Request, SECRET, check, plain, sign_header, sign_query,
};
use authn::{AuthnError, Credential, SecretKey, SigningKey, present, verify_with};
use words::limits::CLOCK_SKEW_MS_MAX;
use words::{TenantId, UnixMillis};

fn refusal(request: &Request, now: UnixMillis) -> AuthnError {
    check(request, now)
        .map(|_| ())
        .expect_err("the request must be refused")
}

#[track_caller]
fn told(request: &Request, code: &str, status: u16) -> AuthnError {
    let error = refusal(request, NOON);
    let answer = error.answer("lu-1");
    assert_eq!((answer.code, answer.status), (code, status), "{error:?}");
    assert!(!answer.message.is_empty());
    error
}

fn link(expires: &str) -> Request {
    let mut request = plain();
    request.headers.retain(|(name, _)| name == "host");
    sign_query(&mut request, &["host"], "20261123T120000Z", expires);
    request
}

#[test]
fn the_plain_ones_are_believed() {
    assert!(check(&plain(), NOON).is_ok());
    for expires in ["1", "604800", "0060"] {
        assert!(check(&link(expires), NOON).is_ok(), "{expires}");
    }
}

#[test]
fn anonymous() {
    let mut request = plain();
    request.headers.retain(|(name, _)| name != "authorization");
    assert_eq!(told(&request, "AccessDenied", 403), AuthnError::Anonymous);
}

#[test]
fn version_2_says_what_to_set() {
    let mut request = plain();
    request.set(
        "authorization",
        "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
    );
    let in_header = told(&request, "InvalidRequest", 400);
    request.headers.retain(|(name, _)| name != "authorization");
    request.query =
        "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x%3D&Expires=1175139620".to_owned();
    let in_query = told(&request, "InvalidRequest", 400);
    for error in [in_header, in_query] {
        let message = error.answer("lu-1").message;
        assert!(
            message.contains("set region lu-1") && message.contains("Signature Version 4"),
            "{message}"
        );
    }
}

#[test]
fn other_mechanisms() {
    for value in [
        "Bearer abc",
        "Basic YTpi",
        "AWS4-ECDSA-P256-SHA256 Credential=x",
        "AWS4-HMAC-SHA256X a=b",
        "",
    ] {
        let mut request = plain();
        request.set("authorization", value);
        assert_eq!(
            told(&request, "InvalidArgument", 400),
            AuthnError::Mechanism,
            "{value}"
        );
    }
}

#[test]
fn two_authorizations() {
    let mut both = link("60");
    both.headers = plain().headers;
    assert_eq!(told(&both, "InvalidArgument", 400), AuthnError::MoreThanOne);
    let mut twice = plain();
    twice.headers.push((
        "authorization".to_owned(),
        twice.header("authorization").to_owned(),
    ));
    assert_eq!(
        told(&twice, "InvalidArgument", 400),
        AuthnError::MoreThanOne
    );
    let mut old_and_new = link("60");
    old_and_new.query += "&AWSAccessKeyId=x";
    assert_eq!(
        told(&old_and_new, "InvalidArgument", 400),
        AuthnError::MoreThanOne
    );
}

#[test]
fn malformed_header() {
    let good = plain().header("authorization").to_owned();
    let scope = "20261123/lu-1/s3/aws4_request";
    for (from, to) in [
        ("Credential=", "Credentials="),
        ("SignedHeaders=", "Signature="),
        ("Signature=", "SignedHeaders="),
        (scope, "20261123/lu-1/s3"),
        (scope, "20261123/lu-1/s3/aws4_request/more"),
        (scope, "20261123/lu-1/s3/aws5_request"),
        (scope, "20261123/lu-1/s3tables/aws4_request"),
        (scope, "20261124/lu-1/s3/aws4_request"),
        (scope, "2026112/lu-1/s3/aws4_request"),
        (
            "host;x-amz-content-sha256;x-amz-date",
            "x-amz-date;host;x-amz-content-sha256",
        ),
        (
            "host;x-amz-content-sha256;x-amz-date",
            "host;host;x-amz-content-sha256;x-amz-date",
        ),
        (
            "host;x-amz-content-sha256;x-amz-date",
            ";host;x-amz-content-sha256;x-amz-date",
        ),
        (
            "host;x-amz-content-sha256;x-amz-date",
            "Host;x-amz-content-sha256;x-amz-date",
        ),
    ] {
        let mut request = plain();
        let value = good.replacen(from, to, 1);
        assert_ne!(value, good, "{from}");
        request.set("authorization", &value);
        told(&request, "AuthorizationHeaderMalformed", 400);
    }
}

#[test]
fn wrong_region_names_ours() {
    let mut request = plain();
    sign_header(&mut request, PLAIN_SIGNED, "us-east-1");
    let error = told(&request, "AuthorizationHeaderMalformed", 400);
    let answer = error.answer("lu-1");
    assert_eq!(answer.region.as_deref(), Some("lu-1"));
    assert_eq!(
        answer.message,
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'lu-1'"
    );
}

#[test]
fn unsigned_headers() {
    let mut request = plain();
    request.set("x-amz-acl", "public-read");
    assert_eq!(
        told(&request, "AccessDenied", 403),
        AuthnError::HeaderUnsigned("x-amz-acl".to_owned())
    );
    let mut with_link = link("60");
    with_link.set("x-amz-meta-more", "1");
    told(&with_link, "AccessDenied", 403);
    for signed in [&["x-amz-content-sha256", "x-amz-date"][..], &[]] {
        let mut request = plain();
        sign_header(&mut request, signed, "lu-1");
        assert_eq!(
            told(&request, "AccessDenied", 403),
            AuthnError::HostUnsigned
        );
    }
    let mut request = plain();
    sign_header(
        &mut request,
        &["content-type", "host", "x-amz-content-sha256", "x-amz-date"],
        "lu-1",
    );
    assert_eq!(
        told(&request, "SignatureDoesNotMatch", 403),
        AuthnError::HeaderMissing("content-type".to_owned())
    );
    // Headers that are not S3's own may be unsigned: proxies add them.
    let mut request = plain();
    request.set("x-forwarded-for", "10.0.0.1");
    assert!(check(&request, NOON).is_ok());
}

#[test]
fn time() {
    let edge = CLOCK_SKEW_MS_MAX;
    for now in [NOON.0 - edge, NOON.0 + edge] {
        assert!(check(&plain(), UnixMillis(now)).is_ok());
    }
    for now in [NOON.0 - edge - 1, NOON.0 + edge + 1, 0, u64::MAX] {
        let error = refusal(&plain(), UnixMillis(now));
        assert_eq!(
            (error.code(), error.status()),
            ("RequestTimeTooSkewed", 403),
            "{now}"
        );
    }
    for bad in [
        "",
        "yesterday",
        "2026-11-23T12:00:00Z",
        "20261123T126000Z",
        "20261123T120000",
    ] {
        let mut request = plain();
        request.set("x-amz-date", bad);
        assert_eq!(
            told(&request, "AccessDenied", 403),
            AuthnError::NoDate,
            "{bad}"
        );
    }
}

#[test]
fn expiry_of_links() {
    for bad in [
        "0",
        "-1",
        "604801",
        "",
        "1e3",
        "+5",
        "%2B5",
        "99999999999999999999",
    ] {
        let error = told(&link(bad), "AuthorizationQueryParametersError", 400);
        assert!(error.to_string().contains("X-Amz-Expires"), "{error}");
    }
    let error = refusal(&link("60"), NOON.plus(60_000));
    assert_eq!(error.answer("lu-1").message, "Request has expired");
    assert_eq!((error.code(), error.status()), ("AccessDenied", 403));
    let error = refusal(&link("60"), UnixMillis(NOON.0 - CLOCK_SKEW_MS_MAX - 1));
    assert_eq!((error.code(), error.status()), ("AccessDenied", 403));
}

#[test]
fn malformed_links() {
    let good = link("60");
    for (from, to) in [
        (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256",
        ),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
        ("X-Amz-Date=20261123T120000Z&", ""),
        ("X-Amz-Date=20261123T120000Z", "X-Amz-Date=x"),
        ("X-Amz-Expires=60&", ""),
        ("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=60"),
        ("X-Amz-SignedHeaders=host&", ""),
        ("X-Amz-Signature=", "X-Amz-Sig="),
        ("%2Faws4_request", ""),
        ("%2Fs3%2F", "%2Fiam%2F"),
        ("X-Amz-Date=20261123T120000Z", "X-Amz-Date=%FF"),
    ] {
        let mut request = good.clone();
        request.query = good.query.replacen(from, to, 1);
        assert_ne!(request.query, good.query, "{from}");
        told(&request, "AuthorizationQueryParametersError", 400);
    }
}

#[test]
fn payload_words() {
    for (word, code, status) in [
        (
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
            "NotImplemented",
            501,
        ),
        (
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
            "NotImplemented",
            501,
        ),
        ("STREAMING", "InvalidArgument", 400),
        ("unsigned-payload", "InvalidArgument", 400),
        ("e3b0", "InvalidArgument", 400),
        ("", "InvalidArgument", 400),
    ] {
        let mut request = plain();
        request.set("x-amz-content-sha256", word);
        sign_header(&mut request, PLAIN_SIGNED, "lu-1");
        told(&request, code, status);
    }
    let mut request = plain();
    request
        .headers
        .retain(|(name, _)| name != "x-amz-content-sha256");
    sign_header(&mut request, &["host", "x-amz-date"], "lu-1");
    assert_eq!(
        told(&request, "InvalidRequest", 400),
        AuthnError::PayloadMissing
    );
}

/// A framed body under a link, the road of CVE-2025-31489 and CVE-2026-41145, is not offered at all.
#[test]
fn links_take_no_framing() {
    for word in [
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    ] {
        let mut request = plain();
        request.headers.retain(|(name, _)| name == "host");
        request.set("x-amz-content-sha256", word);
        sign_query(
            &mut request,
            &["host", "x-amz-content-sha256"],
            "20261123T120000Z",
            "60",
        );
        assert_eq!(
            told(&request, "NotImplemented", 501),
            AuthnError::PayloadUnsupported
        );
        let mut two = link("60");
        two.query += "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD";
        two.set("x-amz-content-sha256", word);
        assert!(check(&two, NOON).is_err());
    }
}

#[test]
fn session_tokens() {
    let mut request = plain();
    request.set("x-amz-security-token", "abc");
    assert_eq!(
        told(&request, "AccessDenied", 403),
        AuthnError::HeaderUnsigned("x-amz-security-token".to_owned()),
        "a token that is not signed could be anybody's"
    );
    let mut request = link("60");
    request.query += "&X-Amz-Security-Token=abc";
    assert_eq!(
        told(&request, "InvalidToken", 400),
        AuthnError::SessionToken,
        "a long-lived key has no token, and a session's needs the road that opens it"
    );
}

#[test]
fn signatures_that_are_none() {
    let good = plain().header("authorization").to_owned();
    let (head, _) = good.split_once("Signature=").unwrap();
    for bad in [
        "",
        "00",
        &"0".repeat(64),
        &"g".repeat(64),
        &"0".repeat(63),
        &"0".repeat(66),
    ] {
        let mut request = plain();
        request.set("authorization", &format!("{head}Signature={bad}"));
        assert_eq!(
            told(&request, "SignatureDoesNotMatch", 403),
            AuthnError::Mismatch,
            "{bad}"
        );
    }
}

#[test]
fn escapes_that_are_none() {
    for path in ["/%", "/%g0", "/a%2"] {
        let mut request = plain();
        request.path = path.to_owned();
        assert_eq!(told(&request, "InvalidURI", 400), AuthnError::Uri);
    }
    let mut request = plain();
    request.query = "prefix=%zz".to_owned();
    assert_eq!(told(&request, "InvalidURI", 400), AuthnError::Uri);
}

#[test]
fn signing_keys_open_nothing_on_another_day() {
    let credential = Credential::active(TenantId::from_bytes([1; 16]));
    let secret = SecretKey::new(SECRET.to_owned());
    let request = plain();
    let presented = || present(&request.head()).unwrap();
    let day = presented().date();
    assert!(
        verify_with(
            presented(),
            &SigningKey::derive(&secret, day, "lu-1"),
            credential,
            NOON
        )
        .is_ok()
    );
    let other = authn::DateStamp::parse("20261124").unwrap();
    let wrong = verify_with(
        presented(),
        &SigningKey::derive(&secret, other, "lu-1"),
        credential,
        NOON,
    );
    assert_eq!(wrong.map(|_| ()), Err(AuthnError::WrongSigningKey));
    let elsewhere = verify_with(
        presented(),
        &SigningKey::derive(&secret, day, "eu-1"),
        credential,
        NOON,
    );
    assert!(matches!(
        elsewhere.map(|_| ()),
        Err(AuthnError::Region { .. })
    ));
    let stranger = SecretKey::new("not the secret".to_owned());
    let wrong = verify_with(
        presented(),
        &SigningKey::derive(&stranger, day, "lu-1"),
        credential,
        NOON,
    );
    assert_eq!(wrong.map(|_| ()), Err(AuthnError::Mismatch));
}

#[test]
fn paths_signed_as_sent_or_encoded_afresh() {
    // A client may send `(` bare and sign it bare, or send it bare and sign `%28`.
    let mut bare = plain();
    bare.path = "/bucket/a(b)+c".to_owned();
    sign_header(&mut bare, PLAIN_SIGNED, "lu-1");
    assert!(check(&bare, NOON).is_ok());
    let mut fresh = plain();
    fresh.path = "/bucket/a%28b%29%2Bc".to_owned();
    sign_header(&mut fresh, PLAIN_SIGNED, "lu-1");
    fresh.path = "/bucket/a(b)+c".to_owned();
    assert!(check(&fresh, NOON).is_ok());
    // `+` in a query is a space to every reader.
    let mut query = plain();
    query.query = "prefix=a%20b".to_owned();
    sign_header(&mut query, PLAIN_SIGNED, "lu-1");
    query.query = "prefix=a+b".to_owned();
    assert!(check(&query, NOON).is_ok());
    query.query = "prefix=a%2Bb".to_owned();
    assert!(check(&query, NOON).is_err());
}

#[test]
fn nothing_shown_holds_a_secret() {
    let request = plain();
    let presented = present(&request.head()).unwrap();
    let shown = format!("{presented:?} {:?}", SecretKey::new(SECRET.to_owned()));
    let key = SigningKey::derive(&SecretKey::new(SECRET.to_owned()), presented.date(), "lu-1");
    let verified = check(&request, NOON).unwrap();
    let shown = format!("{shown} {key:?} {verified:?}");
    assert!(shown.contains(ACCESS));
    for hidden in [
        SECRET,
        "/bucket/key",
        request.header("authorization").rsplit('=').next().unwrap(),
    ] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn repeated_parameters_and_headers() {
    let mut request = plain();
    request.query = "a=1&a=2&acl=&b=".to_owned();
    sign_header(&mut request, PLAIN_SIGNED, "lu-1");
    for same in ["a=2&b&a=1&acl", "&acl&&a=2&b=&a=1&"] {
        request.query = same.to_owned();
        assert!(check(&request, NOON).is_ok(), "{same}");
    }
    for other in ["a=1&acl&b", "a=1&a=2&a=2&acl&b", "a=1,2&acl&b"] {
        request.query = other.to_owned();
        assert!(check(&request, NOON).is_err(), "{other}");
    }
    let mut request = plain();
    request.set("x-amz-meta-list", "one  two,three");
    sign_header(
        &mut request,
        &[
            "host",
            "x-amz-content-sha256",
            "x-amz-date",
            "x-amz-meta-list",
        ],
        "lu-1",
    );
    assert!(
        check(&request, NOON).is_err(),
        "the test's signer does not collapse spaces, the room does"
    );
    request.set("x-amz-meta-list", "one two,three");
    sign_header(
        &mut request,
        &[
            "host",
            "x-amz-content-sha256",
            "x-amz-date",
            "x-amz-meta-list",
        ],
        "lu-1",
    );
    request.set("x-amz-meta-list", "  one   two ");
    request
        .headers
        .push(("x-amz-meta-list".to_owned(), " three".to_owned()));
    assert!(check(&request, NOON).is_ok());
}
