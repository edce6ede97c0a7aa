//! Percent encoding as Signature Version 4 wants it: only `A-Z a-z 0-9 - . _ ~` stay as they are, and
//! escapes are upper-case.

use crate::error::AuthnError;

/// Decodes percent escapes. With `plus_is_space`, `+` is a space, as query parsers read it; in a path a
/// `+` is a plus. An escape that is cut off or not hexadecimal is refused, because the signer's reader
/// and the router's reader could disagree on what it means.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> Result<Vec<u8>, AuthnError> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = bytes.next().and_then(digit).ok_or(AuthnError::Uri)?;
                let low = bytes.next().and_then(digit).ok_or(AuthnError::Uri)?;
                out.push(high << 4 | low);
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(other),
        }
    }
    Ok(out)
}

/// Encodes bytes; `/` stays in a path and is escaped in a query.
pub(crate) fn encode_into(out: &mut String, bytes: &[u8], keep_slash: bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(bytes: &[u8], keep_slash: bool) -> String {
        let mut out = String::new();
        encode_into(&mut out, bytes, keep_slash);
        out
    }

    #[test]
    fn only_the_unreserved_stay() {
        assert_eq!(
            encoded("a b/ü~-._+%*".as_bytes(), true),
            "a%20b/%C3%BC~-._%2B%25%2A"
        );
        assert_eq!(encoded(b"a/b", false), "a%2Fb");
    }

    #[test]
    fn decoding_is_strict() {
        assert_eq!(decode("a%20+%2b", false), Ok(b"a ++".to_vec()));
        assert_eq!(decode("a%20+%2b", true), Ok(b"a  +".to_vec()));
        for bad in ["%", "%4", "%zz", "a%+1", "%é"] {
            assert_eq!(decode(bad, false), Err(AuthnError::Uri), "{bad}");
        }
    }
}
