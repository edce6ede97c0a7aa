//! What `CreateSession` asks for: members of a JSON object, or parameters of the query, each once.

use crate::encoding::decode;
use serde::Deserialize;

/// Where the request goes.
pub const CREATE_SESSION_PATH: &str = "/sessions";
/// Longest name of a resource, in bytes.
const ARN_BYTES_MAX: usize = 1024;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionAsked {
    /// How long, in seconds.
    pub duration_seconds: Option<u32>,
    /// The profile.
    pub profile_arn: Option<String>,
    /// The role.
    pub role_arn: Option<String>,
    /// The trust anchor.
    pub trust_anchor_arn: Option<String>,
    /// The session's name.
    pub role_session_name: Option<String>,
}

impl SessionAsked {
    /// Reads both places; what is not known, or stands twice, is refused with its name.
    pub fn read(raw_query: &str, body: &[u8]) -> Result<Self, String> {
        let mut asked: Self = match body {
            [] => Self::default(),
            _ => serde_json::from_slice(body).map_err(|error| format!("the body: {error}"))?,
        };
        for piece in raw_query.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let value = decode(value, true)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or("the query cannot be decoded")?;
            let slot = match name {
                "profileArn" => &mut asked.profile_arn,
                "roleArn" => &mut asked.role_arn,
                "trustAnchorArn" => &mut asked.trust_anchor_arn,
                _ => {
                    let name: String = name.chars().take(64).collect();
                    return Err(format!("the parameter {name:?} is not known"));
                }
            };
            if slot.replace(value).is_some() {
                return Err(format!("{name} is given twice"));
            }
        }
        let long = |text: &Option<String>| text.as_ref().is_some_and(|t| t.len() > ARN_BYTES_MAX);
        if [&asked.profile_arn, &asked.role_arn, &asked.trust_anchor_arn]
            .into_iter()
            .any(long)
        {
            return Err(format!("a name has more than {ARN_BYTES_MAX} bytes"));
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::SessionAsked;

    #[test]
    fn members_and_parameters_are_each_known_and_given_once() {
        let body = br#"{"durationSeconds":900,"roleArn":"r","roleSessionName":"s"}"#;
        let asked = SessionAsked::read("trustAnchorArn=a%3Ab&profileArn=p", body).unwrap();
        assert_eq!(asked.trust_anchor_arn.as_deref(), Some("a:b"));
        assert_eq!(
            (asked.duration_seconds, asked.role_arn.as_deref()),
            (Some(900), Some("r"))
        );
        for (query, body) in [
            ("roleArn=x", body.as_slice()),
            ("roleArn=x&roleArn=x", b""),
            ("sessionName=x", b""),
            ("roleArn=%ff", b""),
            ("", br#"{"roleArn":"a","roleArn":"b"}"#),
            ("", br#"{"instanceProperties":{}}"#),
            ("", br#"{"durationSeconds":-1}"#),
            ("", b"[]"),
        ] {
            assert!(SessionAsked::read(query, body).is_err(), "{query}");
        }
    }
}
