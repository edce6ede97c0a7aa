//! Conditions of a statement. Operators and keys that are not here are refused by name: a condition that is
//! not understood must not count as fulfilled.
//!
//! A missing fact makes a positive operator false and a negated one true, as IAM has it; `…IfExists` makes a
//! missing fact true. Set operators: `ForAllValues` is true of no values at all, `ForAnyValue` is not.

use super::cedar::{pattern, text, texts};
use super::time::millis;

/// Which sort of fact a key is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Address,
    Flag,
    Time,
    Set,
    Arn,
}

/// Key in documents (lower case), attribute of the question, sort.
const KEYS: &[(&str, &str, Sort)] = &[
    ("aws:sourceip", "sourceIp", Sort::Address),
    ("aws:securetransport", "secure", Sort::Flag),
    ("aws:currenttime", "now", Sort::Time),
    ("aws:epochtime", "now", Sort::Time),
    ("aws:username", "username", Sort::Text),
    ("aws:principalarn", "principal", Sort::Arn),
    ("aws:principalaccount", "account", Sort::Text),
    ("s3:prefix", "prefix", Sort::Text),
    ("s3:versionid", "version", Sort::Text),
    ("clarence:groups", "groups", Sort::Set),
    ("jwt:sub", "sub", Sort::Text),
    ("jwt:aud", "aud", Sort::Text),
    ("jwt:iss", "issuer", Sort::Text),
    ("aws:sourcearn", "sourceArn", Sort::Arn),
    ("aws:sourceaccount", "sourceAccount", Sort::Text),
    ("sts:sourceidentity", "sourceIdentity", Sort::Text),
    ("aws:sourceidentity", "sourceIdentity", Sort::Text),
];

/// What a key is called in questions, and its sort.
fn known(key: &str) -> Option<(String, Sort)> {
    let tag = || {
        let name = key
            .split_once('/')
            .filter(|(before, _)| before.eq_ignore_ascii_case("aws:principaltag"))?
            .1;
        authn::x509::tag_names()
            .find(|known| known.eq_ignore_ascii_case(name))
            .map(|known| (tag_attribute(&known), Sort::Text))
    };
    KEYS.iter()
        .find(|(name, ..)| key.eq_ignore_ascii_case(name))
        .map(|(_, attribute, sort)| ((*attribute).to_owned(), *sort))
        .or_else(tag)
}

/// What the tag of a certificate's name is called in questions: `x509Subject_CN`.
pub(crate) fn tag_attribute(tag: &str) -> String {
    tag.replace('/', "_")
}

/// One operator on one key, in Cedar's terms.
pub(crate) fn condition(operator: &str, key: &str, values: &[String]) -> Result<String, String> {
    let (attribute, sort) =
        known(key).ok_or_else(|| format!("the condition key {key:?} is not known here"))?;
    let attribute = attribute.as_str();
    if values.is_empty() {
        return Err(format!("the condition on {key:?} has no value"));
    }
    if let Some(value) = values.iter().find(|value| value.contains("${")) {
        return Err(format!(
            "the policy variable in {value:?} is not translated"
        ));
    }
    let fits = || format!("the operator {operator:?} does not fit the key {key:?}");
    for (prefix, all) in [("ForAllValues:", true), ("ForAnyValue:", false)] {
        if let Some(operator) = operator.strip_prefix(prefix) {
            return if sort == Sort::Set {
                of_set(operator, attribute, all, values)
            } else {
                Err(format!(
                    "{prefix} is for keys of many values and {key:?} has one"
                ))
            };
        }
    }
    if operator == "Null" {
        return null(attribute, values);
    }
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let (inside, negated) = match sort {
        Sort::Text => of_text(operator, attribute, values)?,
        Sort::Arn => of_arn(operator, attribute, values)?,
        Sort::Address => of_address(operator, attribute, values)?,
        Sort::Flag if operator == "Bool" => (of_flag(attribute, values)?, false),
        Sort::Time => (of_time(operator, attribute, values)?, false),
        Sort::Set => {
            return Err(format!(
                "{key:?} has many values: say ForAllValues: or ForAnyValue:"
            ));
        }
        Sort::Flag => return Err(fits()),
    };
    Ok(match (negated, if_exists) {
        (false, false) => format!("(context has {attribute} && ({inside}))"),
        (false, true) => format!("(if context has {attribute} then ({inside}) else true)"),
        (true, _) => format!("(!(context has {attribute} && ({inside})))"),
    })
}

fn unknown(operator: &str) -> String {
    format!("the condition operator {operator:?} is not known for this key")
}

fn any(pieces: impl Iterator<Item = String>) -> String {
    pieces.collect::<Vec<_>>().join(" || ")
}

fn of_text(operator: &str, attribute: &str, values: &[String]) -> Result<(String, bool), String> {
    let equal = any(values
        .iter()
        .map(|v| format!("context.{attribute} == {}", text(v))));
    let like = || {
        if let Some(value) = values.iter().find(|value| value.contains('?')) {
            return Err(format!("the wildcard ? in {value:?} is not translated"));
        }
        Ok(any(values.iter().map(|v| {
            format!("context.{attribute} like {}", pattern(v))
        })))
    };
    match operator {
        "StringEquals" => Ok((equal, false)),
        "StringNotEquals" => Ok((equal, true)),
        "StringLike" => Ok((like()?, false)),
        "StringNotLike" => Ok((like()?, true)),
        other => Err(unknown(other)),
    }
}

/// `ArnEquals` and `ArnLike` are one in IAM: wildcards count in both, field by field, which is not translated.
fn of_arn(operator: &str, attribute: &str, values: &[String]) -> Result<(String, bool), String> {
    let operator = match operator {
        "ArnEquals" | "ArnLike" => "StringEquals",
        "ArnNotEquals" | "ArnNotLike" => "StringNotEquals",
        other => return of_text(other, attribute, values),
    };
    if let Some(value) = values.iter().find(|value| value.contains(['*', '?'])) {
        return Err(format!(
            "the wildcard in the ARN {value:?} is not translated"
        ));
    }
    of_text(operator, attribute, values)
}

fn of_address(
    operator: &str,
    attribute: &str,
    values: &[String],
) -> Result<(String, bool), String> {
    let negated = match operator {
        "IpAddress" => false,
        "NotIpAddress" => true,
        other => return Err(unknown(other)),
    };
    let mut ranges = Vec::new();
    for value in values {
        let range = range(value).ok_or_else(|| format!("{value:?} is not a range of addresses"))?;
        ranges.push(format!(
            "context.{attribute}.isInRange(ip({}))",
            text(&range)
        ));
    }
    Ok((ranges.join(" || "), negated))
}

/// A range in one spelling: an address and, after `/`, the length of its prefix.
fn range(value: &str) -> Option<String> {
    let (address, prefix) = match value.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (value, None),
    };
    let address: std::net::IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(digits) => digits
            .parse::<u8>()
            .ok()
            .filter(|bits| *bits <= most && digits == bits.to_string())?,
    };
    Some(format!("{address}/{prefix}"))
}

fn of_flag(attribute: &str, values: &[String]) -> Result<String, String> {
    match values {
        [one] if one == "true" || one == "false" => Ok(format!("context.{attribute} == {one}")),
        _ => Err("Bool wants one value, true or false".to_owned()),
    }
}

fn null(attribute: &str, values: &[String]) -> Result<String, String> {
    match values {
        [one] if one == "true" => Ok(format!("(!(context has {attribute}))")),
        [one] if one == "false" => Ok(format!("(context has {attribute})")),
        _ => Err("Null wants one value, true or false".to_owned()),
    }
}

fn of_time(operator: &str, attribute: &str, values: &[String]) -> Result<String, String> {
    let sign = match operator
        .strip_prefix("Date")
        .or_else(|| operator.strip_prefix("Numeric"))
    {
        Some("Equals") => "==",
        Some("NotEquals") => "!=",
        Some("LessThan") => "<",
        Some("LessThanEquals") => "<=",
        Some("GreaterThan") => ">",
        Some("GreaterThanEquals") => ">=",
        _ => return Err(unknown(operator)),
    };
    let [value] = values else {
        return Err("a condition on the time wants one value".to_owned());
    };
    let at = millis(value).ok_or_else(|| format!("{value:?} is not a time"))?;
    Ok(format!("context.{attribute} {sign} {at}"))
}

/// `values` are the document's, the attribute holds the request's.
fn of_set(operator: &str, attribute: &str, all: bool, values: &[String]) -> Result<String, String> {
    let listed = texts(values);
    let given = format!("context.{attribute}");
    let inside = match (operator, all) {
        ("StringEquals", true) => format!("{listed}.containsAll({given})"),
        ("StringEquals", false) => format!("{given}.containsAny({listed})"),
        ("StringNotEquals", true) => format!("!({given}.containsAny({listed}))"),
        ("StringNotEquals", false) => format!("!({listed}.containsAll({given}))"),
        (other, _) => return Err(unknown(other)),
    };
    Ok(if all {
        format!("(if context has {attribute} then ({inside}) else true)")
    } else {
        format!("(context has {attribute} && ({inside}))")
    })
}
