//! A token as a PKCS #11 URI (RFC 7512): `pkcs11:token=site%20a?module-path=/usr/lib/x.so&pin-source=/etc/pin`.

use crate::client::Access;
use std::path::PathBuf;

const URI_BYTES_MAX: usize = 2048;
const SCHEME: &str = "pkcs11:";

/// Why a text does not name a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; a token is written like pkcs11:token=site-a?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/clarence/pin"
)]
pub struct UriError(String);

impl Access {
    /// Reads a URI with `token` or `serial`, `module-path` and `pin-source`. A PIN in the URI is refused.
    pub fn parse(uri: &str) -> Result<Self, UriError> {
        let wrong = |why: &str| UriError(why.to_owned());
        if uri.len() > URI_BYTES_MAX {
            return Err(wrong("the URI is too long"));
        }
        let rest = uri
            .strip_prefix(SCHEME)
            .ok_or_else(|| wrong("the URI does not begin with pkcs11:"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parts = path.split(';').chain(query.split('&'));
        let (mut label, mut serial, mut module, mut pin) = (None, None, None, None);
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| UriError(format!("{part:?} is no name=value")))?;
            let place = match name {
                "token" => &mut label,
                "serial" => &mut serial,
                "module-path" => &mut module,
                "pin-source" => &mut pin,
                "pin-value" => {
                    return Err(wrong(
                        "a PIN does not belong into a URI, which others can see; write it into a file and give pin-source",
                    ));
                }
                other => return Err(UriError(format!("{other:?} is not used here"))),
            };
            let value = decode(value).ok_or_else(|| UriError(format!("{name} cannot be read")))?;
            if value.is_empty() || place.replace(value).is_some() {
                return Err(UriError(format!("{name} is empty or given twice")));
            }
        }
        let needed = |value: Option<String>, name| {
            value.ok_or_else(|| UriError(format!("{name} is missing")))
        };
        let pin = needed(pin, "pin-source")?;
        Ok(Self {
            token: needed(serial.or(label), "token")?,
            module: PathBuf::from(needed(module, "module-path")?),
            pin_file: PathBuf::from(pin.strip_prefix("file:").unwrap_or(&pin)),
            starter: crate::Starter::default(),
        })
    }
}

/// Takes percent-encoding off.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (pair, tail) = rest.split_at_checked(2)?;
        let pair = std::str::from_utf8(pair).ok()?.to_ascii_lowercase();
        bytes.extend(words::hex::decode_array::<1>(&pair)?);
        rest = tail;
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_uri_names_module_token_and_pin_file() {
        let uri = "pkcs11:token=site%20a?module-path=/usr/lib/x.so&pin-source=file:/etc/pin";
        assert_eq!(
            Access::parse(uri),
            Ok(Access {
                module: "/usr/lib/x.so".into(),
                token: "site a".into(),
                pin_file: "/etc/pin".into(),
                starter: crate::Starter::default(),
            })
        );
        let uri = "pkcs11:token=t;serial=0F?module-path=m&pin-source=/dev/fd/3";
        assert_eq!(Access::parse(uri).unwrap().token, "0F");
        for wrong in [
            "",
            "token=t",
            "pkcs11:token=t?module-path=m",
            "pkcs11:token=t?pin-source=p",
            "pkcs11:?module-path=m&pin-source=p",
            "pkcs11:token=t?module-path=m&pin-source=p&pin-value=1234",
            "pkcs11:token=t;token=u?module-path=m&pin-source=p",
            "pkcs11:token=%zz?module-path=m&pin-source=p",
            "pkcs11:token=%0a?module-path=m&pin-source=p",
            "pkcs11:token=t;colour=red?module-path=m&pin-source=p",
        ] {
            assert!(Access::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_text(text in "\\PC{0,80}") {
            let _ = Access::parse(&format!("pkcs11:{text}"));
            let _ = Access::parse(&text);
        }
    }
}
