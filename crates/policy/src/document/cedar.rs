//! Texts and patterns in Cedar's spelling. Everything but the plainest characters is escaped by number, so
//! that nothing a document holds can end a text or begin a wildcard.

use std::fmt::Write as _;

/// A text in quotes.
pub(crate) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    escape(&mut out, value);
    out.push('"');
    out
}

/// A pattern for `like`, in which only the `*` of the document are wildcards.
pub(crate) fn pattern(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for (index, piece) in value.split('*').enumerate() {
        if index > 0 {
            out.push('*');
        }
        escape(&mut out, piece);
    }
    out.push('"');
    out
}

/// A list of texts in brackets.
pub(crate) fn texts(values: &[String]) -> String {
    let texts: Vec<String> = values.iter().map(|value| text(value)).collect();
    format!("[{}]", texts.join(", "))
}

fn escape(out: &mut String, value: &str) {
    for c in value.chars() {
        if c.is_ascii_alphanumeric() || " -_./:=@+,".contains(c) {
            out.push(c);
        } else if c == '*' {
            out.push('*');
        } else {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
}
