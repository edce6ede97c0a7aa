//! What a certificate says about itself: key algorithm, validity, names. Reads just enough of X.509 (RFC
//! 5280) to warn before a certificate ends and to list it; whether it is to be trusted is never decided here.

use crate::algorithm::Algorithm;
use std::net::IpAddr;
use time::{Date, Month, PrimitiveDateTime, Time};
use words::UnixMillis;

/// The file holds no certificate that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be read")]
pub struct Unreadable;

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The algorithm of its key; `None` for one that the local authority does not make.
    pub algorithm: Option<Algorithm>,
    /// From when it is good.
    pub not_before: UnixMillis,
    /// Until when it is good.
    pub not_after: UnixMillis,
    /// The names and addresses it is for.
    pub names: Vec<String>,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const ISSUER_ID: u8 = 0x81;
const SUBJECT_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

impl CertificateFacts {
    /// Reads a certificate in DER.
    pub fn read(der: &[u8]) -> Result<Self, Unreadable> {
        let mut certificate = Der(Der(der).take(SEQUENCE)?);
        let mut body = Der(certificate.take(SEQUENCE)?);
        body.take_if(VERSION)?;
        body.take(INTEGER)?;
        body.take(SEQUENCE)?;
        body.take(SEQUENCE)?;
        let mut validity = Der(body.take(SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        body.take(SEQUENCE)?;
        let mut key = Der(body.take(SEQUENCE)?);
        let oid = Der(key.take(SEQUENCE)?).take(OID)?;
        key.take(BIT_STRING)?;
        body.take_if(ISSUER_ID)?;
        body.take_if(SUBJECT_ID)?;
        let names = match body.take_if(EXTENSIONS)? {
            Some(extensions) => names(Der(extensions))?,
            None => Vec::new(),
        };
        Ok(Self {
            algorithm: Algorithm::ALL.into_iter().find(|a| a.key_oid() == oid),
            not_before,
            not_after,
            names,
        })
    }

    /// Days until it ends; negative when it has ended.
    #[must_use]
    pub fn days_left(&self, now: UnixMillis) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        let as_i64 = |t: UnixMillis| i64::try_from(t.0).unwrap_or(i64::MAX);
        as_i64(self.not_after)
            .saturating_sub(as_i64(now))
            .div_euclid(DAY_MS)
    }
}

/// The names in the extension for alternative names.
fn names(mut extensions: Der<'_>) -> Result<Vec<String>, Unreadable> {
    let mut list = Der(extensions.take(SEQUENCE)?);
    let mut found = Vec::new();
    while !list.0.is_empty() {
        let mut extension = Der(list.take(SEQUENCE)?);
        let oid = extension.take(OID)?;
        extension.take_if(BOOLEAN)?;
        let value = extension.take(OCTET_STRING)?;
        if oid != SUBJECT_ALT_NAME {
            continue;
        }
        let mut general = Der(Der(value).take(SEQUENCE)?);
        while !general.0.is_empty() {
            match general.next()? {
                (DNS_NAME, name) => {
                    found.push(
                        std::str::from_utf8(name)
                            .map_err(|_| Unreadable)?
                            .to_owned(),
                    );
                }
                (IP_ADDRESS, bytes) => found.push(address(bytes)?.to_string()),
                _ => {}
            }
        }
    }
    Ok(found)
}

fn address(bytes: &[u8]) -> Result<IpAddr, Unreadable> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Ok(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(bytes)
        .map(IpAddr::from)
        .map_err(|_| Unreadable)
}

/// What is left of a sequence of elements. Every read is bounded by it, so that no input makes it loop or
/// reach beyond its end.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag and content of the next element. Lengths of up to four bytes are known.
    fn next(&mut self) -> Result<(u8, &'a [u8]), Unreadable> {
        let (&tag, rest) = self.0.split_first().ok_or(Unreadable)?;
        let (&first, mut rest) = rest.split_first().ok_or(Unreadable)?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return Err(Unreadable);
            }
            let (bytes, more) = rest.split_at_checked(count).ok_or(Unreadable)?;
            length = bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = more;
        }
        let (content, rest) = rest.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok((tag, content))
    }
    /// The next element, which has to be of this kind.
    fn take(&mut self, tag: u8) -> Result<&'a [u8], Unreadable> {
        match self.next()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(Unreadable),
        }
    }
    /// The next element if it is of this kind.
    fn take_if(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Unreadable> {
        match self.0.first() {
            Some(found) if *found == tag => self.take(tag).map(Some),
            _ => Ok(None),
        }
    }
    /// A time, to the second, always in UTC: `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` after it.
    fn time(&mut self) -> Result<UnixMillis, Unreadable> {
        let (tag, text) = self.next()?;
        let digits = text.strip_suffix(b"Z").ok_or(Unreadable)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Unreadable);
        }
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0_u16, |n, b| n * 10 + u16::from(b - b'0'))
        };
        let (year, rest) = match (tag, digits.len()) {
            (UTC_TIME, 12) => {
                let (year, rest) = digits.split_at(2);
                let year = number(year);
                (year + if year < 50 { 2000 } else { 1900 }, rest)
            }
            (GENERALIZED_TIME, 14) => {
                let (year, rest) = digits.split_at(4);
                (number(year), rest)
            }
            _ => return Err(Unreadable),
        };
        let two: Vec<u8> = rest
            .chunks_exact(2)
            .map(|pair| u8::try_from(number(pair)).unwrap_or(u8::MAX))
            .collect();
        let [month, day, hour, minute, second] = two.as_slice() else {
            return Err(Unreadable);
        };
        let month = Month::try_from(*month).map_err(|_| Unreadable)?;
        let date =
            Date::from_calendar_date(i32::from(year), month, *day).map_err(|_| Unreadable)?;
        let time = Time::from_hms(*hour, *minute, *second).map_err(|_| Unreadable)?;
        let seconds = PrimitiveDateTime::new(date, time)
            .assume_utc()
            .unix_timestamp();
        Ok(UnixMillis(
            u64::try_from(seconds)
                .map_err(|_| Unreadable)?
                .saturating_mul(1000),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Authority;
    use host::Host;
    use proptest::prelude::*;

    #[test]
    fn it_reads_what_the_authority_wrote() {
        let host = Host::real();
        let names = ["localhost", "*.example.internal", "127.0.0.1", "::1"].map(str::to_owned);
        for algorithm in Algorithm::ALL {
            let authority = Authority::generate(algorithm, &host).unwrap();
            let leaf = authority.issue(&names, &host).unwrap();
            let facts = CertificateFacts::read(leaf.certificate()).unwrap();
            assert_eq!(facts.algorithm, Some(algorithm));
            assert_eq!(facts.names, names);
            assert!(facts.not_before < host.now() && host.now() < facts.not_after);
            assert_eq!(facts.days_left(host.now()), 397);
            let own = CertificateFacts::read(authority.certificate()).unwrap();
            assert_eq!(own.days_left(host.now()), 3649);
            assert_eq!(own.names, [""; 0]);
        }
    }

    #[test]
    fn no_cut_and_no_changed_length_is_read_beyond_its_end() {
        let host = Host::real();
        let authority = Authority::generate(Algorithm::EcdsaP256, &host).unwrap();
        let der = authority.certificate();
        for length in 0..der.len() {
            assert!(CertificateFacts::read(&der[..length]).is_err(), "{length}");
        }
        for at in 0..der.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut other = der.to_vec();
                other[at] = value;
                let _ = CertificateFacts::read(&other);
            }
        }
    }

    #[test]
    fn both_forms_of_a_time_are_read() {
        let time = |tag: u8, text: &str| {
            let mut der = vec![tag, u8::try_from(text.len()).unwrap()];
            der.extend_from_slice(text.as_bytes());
            Der(&der).time()
        };
        assert_eq!(time(UTC_TIME, "700101000000Z"), Ok(UnixMillis(0)));
        assert_eq!(
            time(UTC_TIME, "491231235959Z"),
            Ok(UnixMillis(2_524_607_999_000))
        );
        assert_eq!(
            time(GENERALIZED_TIME, "20500101000000Z"),
            Ok(UnixMillis(2_524_608_000_000))
        );
        for wrong in [
            "",
            "Z",
            "7001010000Z",
            "701301000000Z",
            "700101000000",
            "70010100000aZ",
        ] {
            assert_eq!(time(UTC_TIME, wrong), Err(Unreadable), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = CertificateFacts::read(&bytes);
        }
    }
}
