//! The signing side: what a node that is itself a client of another S3 puts into its requests. The canonical
//! request is written by the same code that checks those of our own clients.

use crate::canonical::{Canonical, Query, string_to_sign};
use crate::error::{AuthnError, Place};
use crate::header::ALGORITHM;
use crate::key::SigningKey;
use crate::request::RequestHead;
use words::{AccessKeyId, UnixMillis, hex};

/// The `Authorization` header of a request that carries `host`, `x-amz-date` and `x-amz-content-sha256`; all
/// headers it was given are signed.
pub fn authorization(
    request: &RequestHead<'_>,
    access_key: &AccessKeyId,
    key: &SigningKey,
) -> Result<String, AuthnError> {
    let stamp = request
        .single("x-amz-date", Place::Header)?
        .ok_or(AuthnError::NoDate)?;
    let payload = request
        .single("x-amz-content-sha256", Place::Header)?
        .ok_or(AuthnError::PayloadMissing)?;
    let mut names: Vec<&str> = request.headers.iter().map(|(n, _)| n.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let query = Query::parse(request.raw_query)?;
    let canonical = Canonical {
        request,
        query: &query,
        signed_headers: &names,
        payload,
        presigned: false,
    };
    let [digest, _] = canonical.digests()?;
    let digest = digest.ok_or(AuthnError::PayloadInvalid)?;
    let service = key.service().word();
    let scope = format!("{}/{}/{service}/aws4_request", key.date(), key.region());
    let text = string_to_sign(ALGORITHM, stamp, &scope, &digest);
    Ok(format!(
        "{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={}, Signature={}",
        names.join(";"),
        hex::encode(&key.sign(text.as_bytes()))
    ))
}

/// A moment as it stands in `x-amz-date`: `20130524T000000Z`. The first eight characters are the day of the
/// signing key.
#[must_use]
pub fn stamp(at: UnixMillis) -> String {
    let seconds = at.0 / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Hinnant's `civil_from_days`, for days since 1970-01-01.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::{authorization, stamp};
    use crate::time::SigningTime;
    use crate::{Credential, DateStamp, RequestHead, SecretKey, SigningKey, present, verify};
    use words::{AccessKeyId, TenantId, UnixMillis};

    #[test]
    fn stamps_are_read_back_as_the_same_moment() {
        for seconds in (0..4_000_000_000_u64).step_by(7_654_321) {
            let at = UnixMillis(seconds * 1000);
            assert_eq!(SigningTime::basic(&stamp(at)).unwrap().at, at);
        }
        assert_eq!(stamp(UnixMillis(1_369_353_600_000)), "20130524T000000Z");
        assert_eq!(stamp(UnixMillis(951_782_400_000)), "20000229T000000Z");
    }

    #[test]
    fn what_is_signed_here_is_accepted_there_and_nothing_else() {
        let now = UnixMillis(1_790_000_000_000);
        let stamp = stamp(now);
        let secret = SecretKey::new("secret".into());
        let key = SigningKey::derive(&secret, DateStamp::parse(&stamp[..8]).unwrap(), "lu-1");
        let id = AccessKeyId::parse("CLRABCDEFGHIJKLMNOPQ").unwrap();
        let mut headers = vec![
            ("host".to_owned(), "127.0.0.1:7480".to_owned()),
            ("x-amz-date".to_owned(), stamp),
            (
                "x-amz-content-sha256".to_owned(),
                "UNSIGNED-PAYLOAD".to_owned(),
            ),
            ("if-none-match".to_owned(), "*".to_owned()),
        ];
        let sign = |headers: &[(String, String)], query| {
            let head = RequestHead {
                via: crate::Via::default(),
                method: "PUT",
                raw_path: "/bucket/c/00ff",
                raw_query: query,
                headers,
            };
            authorization(&head, &id, &key).unwrap()
        };
        let signed = sign(&headers, "list-type=2&prefix=c%2F");
        headers.push(("authorization".to_owned(), signed));
        let credential = || Credential::active(TenantId::from_bytes([1; 16]));
        let check = |method: &str, path: &str| {
            let head = RequestHead {
                via: crate::Via::default(),
                method,
                raw_path: path,
                raw_query: "list-type=2&prefix=c%2F",
                headers: &headers,
            };
            let presented = present(&head).unwrap();
            verify(presented, &secret, credential(), now, "lu-1").is_ok()
        };
        assert!(check("PUT", "/bucket/c/00ff"));
        assert!(!check("PUT", "/bucket/c/00fe"));
        assert!(!check("GET", "/bucket/c/00ff"));
    }
}
