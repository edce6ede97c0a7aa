//! Certificates that sign in: what is believed, and every way not to be.

use crate::maker::{Authority, Holder, Sort, Wish, pem};
use authn::x509::{
    Anchor, Bearer, CertificateError, certificates, is_certificate, list, present_certificate,
    tag_names, tags_of,
};
use authn::{AuthnError, RequestHead, Via};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rcgen::ExtendedKeyUsagePurpose;
use words::UnixMillis;

/// 2026-11-23 12:00:00 UTC.
const NOON: u64 = 1_795_435_200;
const STAMP: &str = "20261123T120000Z";
const NOW: UnixMillis = UnixMillis(NOON * 1000);
const BODY: &str = r#"{"durationSeconds":900}"#;

/// Made with OpenSSL: an authority on P-384, an RSA certificate with two units and several other names, and a list
/// that revokes it.
const OPENSSL: [&[u8]; 3] = [
    include_bytes!("../fixtures/root.pem"),
    include_bytes!("../fixtures/anna.pem"),
    include_bytes!("../fixtures/list.pem"),
];

type Headers = Vec<(String, String)>;

fn head<'a>(headers: &'a Headers) -> RequestHead<'a> {
    RequestHead {
        method: "POST",
        raw_path: "/sessions",
        raw_query: "",
        headers,
        via: Via::default(),
    }
}

#[derive(Debug)]
enum Not {
    Read(AuthnError),
    Believed(CertificateError),
}

fn check(anchor: &Anchor, headers: &Headers, body: &str, now: UnixMillis) -> Result<Bearer, Not> {
    let read = present_certificate(&head(headers), body.as_bytes()).map_err(Not::Read)?;
    read.admit(now, "lu-1").map_err(Not::Read)?;
    anchor.check(&read, now).map_err(Not::Believed)
}

fn anchor(authorities: &[&Authority], lists: &[Vec<u8>]) -> Anchor {
    let ders: Vec<Vec<u8>> = authorities.iter().map(|one| one.der.clone()).collect();
    Anchor::read(&ders, lists).unwrap()
}

fn sign_in(anchor: &Anchor, holder: &Holder, chain: &[&[u8]]) -> Result<Bearer, Not> {
    check(
        anchor,
        &holder.headers(chain, BODY, STAMP, "lu-1"),
        BODY,
        NOW,
    )
}

#[track_caller]
fn not(done: Result<Bearer, Not>, why: CertificateError) {
    match done {
        Err(Not::Believed(error)) => assert_eq!(error, why),
        other => panic!("{other:?} instead of {why:?}"),
    }
}

#[test]
fn a_good_certificate_is_believed_with_each_sort_of_key() {
    let root = Authority::root("Root", NOON);
    let anchor = anchor(&[&root], &[]);
    for (serial, sort) in [(1, Sort::P256), (200, Sort::Rsa), (u64::MAX, Sort::P256)] {
        let wish = Wish {
            sort,
            unit: Some("Tax".into()),
            uri: Some("spiffe://lu/anna".into()),
            ..Wish::new("Anna", serial, NOON)
        };
        let bearer = sign_in(&anchor, &root.issue(&wish), &[]).unwrap();
        let tag = |name: &str| {
            let found = bearer.tags().iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(tag("x509Subject/CN"), Some("Anna"));
        assert_eq!(tag("x509Subject/OU"), Some("Tax"));
        assert_eq!(tag("x509Issuer/CN"), Some("Root"));
        assert_eq!(tag("x509SAN/URI"), Some("spiffe://lu/anna"));
        assert_eq!(tag("x509SAN/DNS"), None);
        let named = bearer.named();
        assert!(
            named.contains("CN=Anna") && named.contains("SHA-256"),
            "{named}"
        );
        assert_eq!(bearer.ends(), UnixMillis((NOON + 3600) * 1000));
        let known: Vec<String> = tag_names().collect();
        assert!(bearer.tags().iter().all(|(name, _)| known.contains(name)));
    }
}

#[test]
fn what_it_is_for_and_when_it_is_good() {
    let root = Authority::root("Root", NOON);
    let anchor = anchor(&[&root], &[]);
    let good = Wish::new("Anna", 7, NOON);
    let with = |change: &dyn Fn(&mut Wish)| {
        let mut wish = good.clone();
        change(&mut wish);
        sign_in(&anchor, &root.issue(&wish), &[])
    };
    not(with(&|w| w.until = NOON - 1), CertificateError::Expired);
    not(with(&|w| w.from = NOON + 1), CertificateError::NotYet);
    not(with(&|w| w.signs = false), CertificateError::KeyUsage);
    not(with(&|w| w.purpose = None), CertificateError::Purpose);
    let server = |w: &mut Wish| w.purpose = Some(ExtendedKeyUsagePurpose::ServerAuth);
    not(with(&server), CertificateError::Purpose);
    let any = |w: &mut Wish| w.purpose = Some(ExtendedKeyUsagePurpose::Any);
    not(with(&any), CertificateError::Purpose);
    not(with(&|w| w.authority = true), CertificateError::Authority);
    assert!(with(&|_| {}).is_ok());
    let long = with(&|w| w.name = "x".repeat(300));
    not(
        long,
        CertificateError::Malformed("a name in it is too long"),
    );
}

#[test]
fn the_path_leads_to_the_anchor_and_through_authorities_only() {
    let (root, other) = (Authority::root("Root", NOON), Authority::root("Root", NOON));
    let between = root.under("Between", NOON, true);
    let idle = root.under("Idle", NOON, false);
    let wish = Wish::new("Anna", 9, NOON);
    let trusted = anchor(&[&root], &[]);
    let deep = between.issue(&wish);
    assert!(sign_in(&trusted, &deep, &[&between.der]).is_ok());
    assert!(sign_in(&trusted, &deep, &[&other.der, &between.der]).is_ok());
    not(sign_in(&trusted, &deep, &[]), CertificateError::Issuer);
    // Authorities of the same name with another key.
    assert!(sign_in(&anchor(&[&other], &[]), &root.issue(&wish), &[]).is_err());
    assert!(sign_in(&anchor(&[&other, &root], &[]), &root.issue(&wish), &[]).is_ok());
    let by_idle = idle.issue(&wish);
    not(
        sign_in(&trusted, &by_idle, &[&idle.der]),
        CertificateError::Path("one between may not certify others".into()),
    );
    // A client certifies nobody, though its own path is good.
    let client = root.issue(&wish);
    assert!(sign_in(&trusted, &by_idle, &[&client.der]).is_err());
    let many = vec![between.der.as_slice(); 6];
    assert!(matches!(
        sign_in(&trusted, &deep, &many),
        Err(Not::Read(AuthnError::Malformed { .. }))
    ));
    // An authority whose own time is over is believed no longer.
    let later = UnixMillis((NOON + 864_001) * 1000);
    let wish = Wish {
        until: NOON + 2_000_000,
        ..wish
    };
    let stamp = "20261203T120001Z";
    let headers = root.issue(&wish).headers(&[], BODY, stamp, "lu-1");
    not(
        check(&trusted, &headers, BODY, later),
        CertificateError::NoAuthority,
    );
}

#[test]
fn revocation_is_closed() {
    let root = Authority::root("Root", NOON);
    let between = root.under("Between", NOON, true);
    let (anna, luc) = (
        root.issue(&Wish::new("Anna", 11, NOON)),
        root.issue(&Wish::new("Luc", 12, NOON)),
    );
    let now = anchor(&[&root], &[root.list(5, &[12], NOON + 60)]);
    assert!(sign_in(&now, &anna, &[]).is_ok());
    not(sign_in(&now, &luc, &[]), CertificateError::Revoked);
    let issuer = sign_in(&now, &anna, &[]).unwrap();
    assert!(!now.revokes(issuer.issuer(), issuer.serial()));
    let list_of_anna = anchor(&[&root], &[root.list(6, &[11], NOON + 60)]);
    assert!(list_of_anna.revokes(issuer.issuer(), issuer.serial()));
    // Past its next update a list says nothing, so nobody signs in.
    let old = anchor(&[&root], &[root.list(5, &[], NOON - 1)]);
    not(sign_in(&old, &anna, &[]), CertificateError::ListExpired);
    // With a list, a certificate of which none speaks is refused, on whatever rung it stands.
    let deep = between.issue(&Wish::new("Deep", 13, NOON));
    not(
        sign_in(&now, &deep, &[&between.der]),
        CertificateError::Unlisted,
    );
    let both = anchor(
        &[&root, &between],
        &[
            root.list(5, &[], NOON + 60),
            between.list(1, &[], NOON + 60),
        ],
    );
    assert!(sign_in(&both, &deep, &[]).is_ok());
    // A list counts only when an authority of the anchor signed it.
    let stranger = Authority::root("Root", NOON);
    let ders = [root.der.clone()];
    for bad in [
        vec![stranger.list(9, &[], NOON + 60)],
        vec![between.list(9, &[], NOON + 60)],
        vec![root.list(1, &[], NOON + 60), root.list(2, &[], NOON + 60)],
    ] {
        assert!(Anchor::read(&ders, &bad).is_err());
    }
    let mut bent = root.list(5, &[12], NOON + 60);
    let last = bent.len() - 1;
    bent[last] ^= 1;
    assert!(Anchor::read(&ders, &[bent]).is_err());
}

#[test]
fn files_are_read_strictly() {
    let root = Authority::root("Root", NOON);
    let text = root.pem();
    let found = certificates(text.as_bytes()).unwrap();
    assert_eq!(found, std::slice::from_ref(&root.der));
    assert_eq!(certificates(text.repeat(16).as_bytes()).unwrap().len(), 16);
    for bad in [
        "",
        "x",
        &text.repeat(17),
        &pem("CERTIFICATE REQUEST", &root.der),
    ] {
        assert!(certificates(bad.as_bytes()).is_err(), "{}", bad.len());
    }
    let der = root.list(5, &[12], NOON + 60);
    let read = list(&der).unwrap();
    assert_eq!((read.number.as_slice(), read.revoked), ([5].as_slice(), 1));
    assert_eq!(read.next_update, UnixMillis((NOON + 60) * 1000));
    assert_eq!(list(pem("X509 CRL", &der).as_bytes()).unwrap(), read);
    for end in 0..der.len() {
        assert!(list(&der[..end]).is_err());
    }
    assert!(list(&[der.as_slice(), b"x"].concat()).is_err());
    let client = root.issue(&Wish::new("Anna", 7, NOON));
    assert!(Anchor::read(&[client.der], &[]).is_err());
}

#[test]
fn the_request_is_the_one_that_was_signed() {
    let root = Authority::root("Root", NOON);
    let anchor = anchor(&[&root], &[]);
    let holder = root.issue(&Wish::new("Anna", 7, NOON));
    let other = root.issue(&Wish::new("Luc", 8, NOON));
    let good = holder.headers(&[], BODY, STAMP, "lu-1");
    assert!(is_certificate(&head(&good)));
    let with = |name: &str, value: &str| {
        let mut changed = good.clone();
        changed.retain(|(known, _)| known != name);
        changed.push((name.to_owned(), value.to_owned()));
        changed
    };
    let authorization = good.last().unwrap().1.clone();
    not(
        check(&anchor, &good, "{}", NOW),
        CertificateError::Signature,
    );
    let moved = with("host", "elsewhere.test");
    not(
        check(&anchor, &moved, BODY, NOW),
        CertificateError::Signature,
    );
    let leaf = other.headers(&[], BODY, STAMP, "lu-1")[3].1.clone();
    not(
        check(&anchor, &with("x-amz-x509", &leaf), BODY, NOW),
        CertificateError::Serial,
    );
    let claimed = authorization.replace("Credential=7/", "Credential=8/");
    let claimed = with("authorization", &claimed);
    not(
        check(&anchor, &claimed, BODY, NOW),
        CertificateError::Serial,
    );
    let rsa = authorization.replace("ECDSA", "RSA");
    let rsa = with("authorization", &rsa);
    not(check(&anchor, &rsa, BODY, NOW), CertificateError::Signature);
    for bad in [
        with("authorization", &authorization.replace("SHA256", "SHA384")),
        with(
            "authorization",
            &authorization.replace("rolesanywhere", "s3"),
        ),
        with(
            "authorization",
            &authorization.replace("Credential=7", "Credential=CLRX"),
        ),
        with("authorization", &authorization.replace(";x-amz-x509", "")),
        with("authorization", &authorization.replace("host;", "")),
        with("authorization", &format!("{authorization}zz")),
        with(
            "authorization",
            &authorization.replace("Signature=", "Signature=00,Signature="),
        ),
        with("x-amz-x509", "%%%"),
        with("x-amz-date", "20261123T120000"),
        with("x-amz-x509-chain", "AAAA"),
        with("x-amz-content-sha256", &"0".repeat(64)),
    ] {
        assert!(matches!(check(&anchor, &bad, BODY, NOW), Err(Not::Read(_))));
    }
    let there = holder.headers(&[], BODY, STAMP, "de-1");
    assert!(matches!(
        check(&anchor, &there, BODY, NOW),
        Err(Not::Read(AuthnError::Region { .. }))
    ));
    for away in [NOW.0 - 900_001, NOW.0 + 900_001] {
        let skewed = check(&anchor, &good, BODY, UnixMillis(away));
        assert!(matches!(skewed, Err(Not::Read(AuthnError::Skewed { .. }))));
    }
}

#[test]
fn what_openssl_makes_is_read() {
    let [root, anna, revoked] = OPENSSL;
    let root = certificates(root).unwrap();
    let anna = certificates(anna).unwrap().remove(0);
    let revoked = list(revoked).unwrap();
    assert_eq!(
        (revoked.number.as_slice(), revoked.revoked),
        ([0x10].as_slice(), 1)
    );
    let with_list = Anchor::read(&root, &[revoked.der]).unwrap();
    let shown: Vec<_> = with_list.authorities().cloned().collect();
    assert_eq!(shown[0].subject, "C=LU, O=Government, CN=Cards");
    // Its key is not here, so the certificate comes with another one's signature, and no further.
    let holder = Authority::root("Other", NOON).issue(&Wish::new("Other", 200, NOON));
    let headers = holder.headers_with(&anna, &[], BODY, STAMP, "lu-1");
    not(
        check(&with_list, &headers, BODY, NOW),
        CertificateError::Signature,
    );
    let tags = tags_of(&anna).unwrap();
    let value = |name: &str| {
        let found = tags.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    for (name, expected) in [
        ("x509Subject/CN", Some("Anna Müller")),
        ("x509Subject/SN", Some("Müller")),
        ("x509Subject/GN", Some("Anna")),
        ("x509Subject/serialNumber", Some("1990010112345")),
        ("x509Subject/O", Some("Government")),
        ("x509Subject/OU", None),
        ("x509Issuer/CN", Some("Cards")),
        ("x509SAN/DNS", Some("desk.example.lu")),
        ("x509SAN/URI", Some("urn:anna")),
        ("x509SAN/Name/CN", Some("Anna Schmit")),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
}

/// One signed text is one sign-in, in whatever spelling its signature comes.
#[test]
fn a_signature_that_was_bent_is_still_the_same_one() {
    let root = Authority::root("Root", NOON);
    let anchor = anchor(&[&root], &[]);
    let holder = root.issue(&Wish::new("Anna", 7, NOON));
    let (one, two) = (
        sign_in(&anchor, &holder, &[]),
        sign_in(&anchor, &holder, &[]),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.signed(), two.signed());
    let other = holder.headers(&[], "{}", STAMP, "lu-1");
    let other = check(&anchor, &other, "{}", NOW).unwrap();
    assert_ne!(one.signed(), other.signed());
}

/// One bit of the certificate or of the list changed: nobody is let in, nothing panics.
#[test]
fn no_bit_can_be_changed() {
    let root = Authority::root("Root", NOON);
    let holder = root.issue(&Wish::new("Anna", 7, NOON));
    let list = root.list(1, &[], NOON + 60);
    let changes = (any::<prop::sample::Index>(), 0u8..8, any::<bool>());
    let done =
        TestRunner::new(ProptestConfig::with_cases(512)).run(&changes, |(at, bit, of_list)| {
            let (mut der, mut lists) = (holder.der.clone(), vec![list.clone()]);
            let target = if of_list { &mut lists[0] } else { &mut der };
            let place = at.index(target.len());
            target[place] ^= 1 << bit;
            // The key signs the request with the changed certificate in it: only the authority's signature is wrong.
            let headers = holder.headers_with(&der, &[], BODY, STAMP, "lu-1");
            match Anchor::read(std::slice::from_ref(&root.der), &lists) {
                Ok(anchor) => prop_assert!(check(&anchor, &headers, BODY, NOW).is_err()),
                Err(_) => prop_assert!(of_list),
            }
            Ok(())
        });
    done.unwrap();
}

proptest! {
    /// Random bytes where files and certificates are wanted.
    #[test]
    fn random_bytes_are_no_certificates(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(list(&bytes).is_err());
        prop_assert!(certificates(&bytes).is_err());
        prop_assert!(Anchor::read(&[bytes], &[]).is_err());
    }
}
