//! Policy documents as S3 and IAM write them, translated to Cedar. What cannot be translated exactly is
//! refused with the place and the word; nothing is ever left out.
//!
//! A document only takes away: whoever it is about may do what the outer policies of this build permit
//! *and* every document allows. So a document that is lost or refused never opens anything.

pub(crate) mod actions;
mod cedar;
pub(crate) mod conditions;
mod json;
mod principals;
mod statement;
mod time;

pub use actions::name_of;

use crate::action::Action;
use json::Json;
use words::TenantId;

/// Longest document, in bytes, as S3 has it.
pub const DOCUMENT_BYTES_MAX: usize = 20 * 1024;
/// Most statements of one document.
const STATEMENTS_MAX: usize = 100;
/// Most values of one list.
const VALUES_MAX: usize = 200;

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct DocumentError {
    /// Where in the document.
    pub place: String,
    /// What is wrong there, in one sentence.
    pub why: String,
}

impl DocumentError {
    pub(crate) fn new(place: &str, why: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            why: why.into(),
        }
    }
}

/// What a document is for, which decides what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind<'a> {
    /// What an identity, a key or a session may do.
    Identity,
    /// Who may do what in one bucket: its name.
    Bucket(&'a str),
    /// Who may become a role.
    Trust,
}

impl Kind<'_> {
    pub(crate) const fn has_principals(&self) -> bool {
        matches!(self, Self::Bucket(_) | Self::Trust)
    }
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Identity => "identity".to_owned(),
            Self::Bucket(name) => format!("bucket {name}"),
            Self::Trust => "trust".to_owned(),
        }
    }
}

/// A document in Cedar's words, and what each statement reaches, for whoever describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Translated {
    pub cedar: String,
    pub reaches: Vec<Reach>,
}

/// What one statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    pub allow: bool,
    pub actions: Vec<Action>,
    /// Patterns of what it is about; `None` for everything.
    pub resources: Option<Vec<String>>,
    /// Whether it holds under conditions or for some principals only.
    pub conditional: bool,
}

impl Reach {
    /// Whether it could be about something in a bucket.
    pub fn touches(&self, action: Action, bucket: &str) -> bool {
        let arn = format!("{}{bucket}", statement::S3_ARN);
        self.actions.contains(&action)
            && (!action.of_bucket()
                || self.resources.as_ref().is_none_or(|all| {
                    all.iter().any(|pattern| {
                        let head = pattern.split('*').next().unwrap_or_default();
                        pattern == &arn
                            || pattern.starts_with(&format!("{arn}/"))
                            || (pattern.contains('*') && arn.starts_with(head))
                    })
                }))
    }
    /// Whether it is about everything in a bucket, always.
    pub fn covers(&self, action: Action, bucket: &str) -> bool {
        let arn = format!("{}{bucket}", statement::S3_ARN);
        let all = format!("{arn}/*");
        !self.conditional
            && self.actions.contains(&action)
            && self.resources.as_ref().is_none_or(|patterns| {
                patterns
                    .iter()
                    .any(|p| *p == arn || *p == all || p == "arn:aws:s3:::*")
            })
    }
}

/// Translates a document of a tenant.
pub(crate) fn translate(
    text: &str,
    kind: Kind<'_>,
    tenant: TenantId,
) -> Result<Translated, DocumentError> {
    let whole = |why: String| DocumentError::new("document", why);
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(whole(format!(
            "it has {} bytes; at most {DOCUMENT_BYTES_MAX} are taken",
            text.len()
        )));
    }
    let Json::Members(members) = Json::read(text).map_err(whole)? else {
        return Err(whole("it is not a JSON object".to_owned()));
    };
    let mut statements = None;
    for (name, value) in members {
        match (name.as_str(), value) {
            ("Version", Json::Text(version))
                if version == "2012-10-17" || version == "2008-10-17" => {}
            ("Version", _) => {
                return Err(DocumentError::new(
                    "Version",
                    "it must be \"2012-10-17\" or \"2008-10-17\"",
                ));
            }
            ("Id", Json::Text(_)) => {}
            ("Statement", Json::List(list)) => statements = Some(list),
            ("Statement", one @ Json::Members(_)) => statements = Some(vec![one]),
            (other, _) => {
                return Err(DocumentError::new(
                    &shortened(other),
                    "this member is not known, or is not of the right sort",
                ));
            }
        }
    }
    let statements = statements.unwrap_or_default();
    if statements.is_empty() || statements.len() > STATEMENTS_MAX {
        return Err(DocumentError::new(
            "Statement",
            format!("there must be 1 to {STATEMENTS_MAX} statements"),
        ));
    }
    let mut translated = Translated::default();
    for (index, statement) in statements.into_iter().enumerate() {
        let place = format!("Statement[{index}]");
        let one = statement::translate(&place, index, statement, kind, tenant)?;
        translated.cedar.push_str(&one.cedar);
        translated.reaches.extend(one.reaches);
    }
    Ok(translated)
}

/// The texts of a member that may be one text or a list of them.
pub(crate) fn texts(place: &str, value: Json) -> Result<Vec<String>, DocumentError> {
    let list = match value {
        Json::List(list) => list,
        one => vec![one],
    };
    if list.is_empty() || list.len() > VALUES_MAX {
        return Err(DocumentError::new(
            place,
            format!("there must be 1 to {VALUES_MAX} values"),
        ));
    }
    list.into_iter()
        .map(|value| match value {
            Json::Text(text) => Ok(text),
            // Conditions are written with true and numbers too.
            Json::Bool(flag) => Ok(flag.to_string()),
            Json::Number(number) => Ok(number),
            other => Err(DocumentError::new(
                place,
                format!("{} stands where a text is wanted", other.sort()),
            )),
        })
        .collect()
}

/// A foreign word made fit for a message.
pub(crate) fn shortened(word: &str) -> String {
    word.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(80)
        .collect()
}
