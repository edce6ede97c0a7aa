//! The query of a request, decoded once, and percent encoding as S3 uses it.

use crate::refuse::No;

/// Query parameters of a presigned URL, which end at the door.
const AUTHENTICATION: [&str; 8] = [
    "x-amz-security-token",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-content-sha256",
];

/// Names and values, decoded, in the order they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes the text after `?` and leaves out what authenticates.
    pub(crate) fn parse(raw: &str) -> Result<Self, No> {
        let mut pairs = Vec::new();
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name, true)?;
            if AUTHENTICATION
                .iter()
                .any(|word| name.eq_ignore_ascii_case(word))
            {
                continue;
            }
            pairs.push((name, decode(value, true)?));
        }
        Ok(Self(pairs))
    }
    /// Whether a parameter stands there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
    /// Takes out the parameters for which `hoisted` is true: headers that a presigned URL carries.
    pub(crate) fn take_headers(&mut self, hoisted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        self.0.extract_if(.., |(name, _)| hoisted(name)).collect()
    }
    /// The text to put after `?` for s3s, without the overrides of a response's headers, which are ours.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self
            .iter()
            .filter(|(name, _)| !name.starts_with("response-"))
        {
            if !text.is_empty() {
                text.push('&');
            }
            encode_into(&mut text, name, false);
            text.push('=');
            encode_into(&mut text, value, false);
        }
        text
    }
}

/// Undoes percent encoding; `+` is a space in queries only.
pub(crate) fn decode(raw: &str, plus_is_space: bool) -> Result<String, No> {
    let invalid = || No::new(400, "InvalidURI", "Couldn't parse the specified URI.");
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' if plus_is_space => bytes.push(b' '),
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2).ok_or_else(invalid)?;
                let digits = std::str::from_utf8(digits).map_err(|_| invalid())?;
                bytes.push(words::hex::decode_array::<1>(digits).ok_or_else(invalid)?[0]);
                rest = tail;
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

/// Percent-encodes all but letters, digits and `-_.~`, and `/` where it may stand.
pub(crate) fn encode_into(text: &mut String, word: &str, keep_slash: bool) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (keep_slash && byte == b'/') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

/// Percent-encodes a name for `encoding-type=url`.
pub(crate) fn encode(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    encode_into(&mut text, word, true);
    text
}
