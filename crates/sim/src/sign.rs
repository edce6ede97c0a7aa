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

/// The headers of a signed request without a query.
pub fn headers(
    method: &str,
    path: &str,
    access_key: &str,
    secret: &str,
    region: &str,
    now: UnixMillis,
) -> Vec<(String, String)> {
    let stamp = stamp(now);
    let day = stamp.chars().take(8).collect::<String>();
    let scope = format!("{day}/{region}/s3/aws4_request");
    let signed = "host;x-amz-content-sha256;x-amz-date";
    let canonical = format!(
        "{method}\n{path}\n\nhost:sim.test\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{stamp}\n\n{signed}\nUNSIGNED-PAYLOAD"
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(&canonical));
    let date_key = mac(format!("AWS4{secret}").as_bytes(), &day);
    let key = mac(&mac(&mac(&date_key, region), "s3"), "aws4_request");
    let signature = hex::encode(&mac(&key, &to_sign));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
    );
    [
        ("host", "sim.test"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-date", &stamp),
        ("authorization", &authorization),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}
