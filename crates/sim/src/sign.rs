//! Signature Version 4 in the header, written from the specification for one kind of request: no query, no
//! body hash. The requests of simulated clients are really signed, and really checked by the vault.

use aws_lc_rs::{digest, hmac};
use words::{UnixMillis, hex};

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
        .as_ref()
        .to_vec()
}

fn sha256(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// `YYYYMMDDTHHMMSSZ`.
pub fn stamp(time: UnixMillis) -> String {
    let text = epoch::start::when(time);
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    let (day, clock) = digits.split_at(digits.len().min(8));
    format!(
        "{}T{}Z",
        day.iter().collect::<String>(),
        clock.iter().collect::<String>()
    )
}

/// What is signed, and by whom.
pub struct Signed<'a> {
    /// The method.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// Who signs.
    pub client: &'a crate::Client,
    /// The region.
    pub region: &'a str,
    /// `s3`, `sts` or `iam`.
    pub service: &'a str,
    /// The payload word, or the body's hash.
    pub payload: &'a str,
}

/// The hash of a body, as it is signed.
pub fn hash(body: &str) -> String {
    sha256(body)
}

/// The headers of a signed request without a query.
pub fn headers(asked: &Signed<'_>, now: UnixMillis) -> Vec<(String, String)> {
    let Signed {
        method,
        path,
        client,
        region,
        service,
        payload,
    } = asked;
    let stamp = stamp(now);
    let day = stamp.chars().take(8).collect::<String>();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let mut all = vec![
        ("host", "sim.test"),
        ("x-amz-content-sha256", payload),
        ("x-amz-date", &stamp),
    ];
    all.extend(
        client
            .token
            .as_deref()
            .map(|token| ("x-amz-security-token", token)),
    );
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let signed = names.join(";");
    let lines: String = all
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let canonical = format!("{method}\n{path}\n\n{lines}\n{signed}\n{payload}");
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(&canonical));
    let date_key = mac(format!("AWS4{}", client.secret).as_bytes(), &day);
    let key = mac(&mac(&mac(&date_key, region), service), "aws4_request");
    let signature = hex::encode(&mac(&key, &to_sign));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
        client.access_key
    );
    all.push(("authorization", &authorization));
    all.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
