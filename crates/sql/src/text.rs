//! A statement's text: one statement, in PostgreSQL's dialect, with two ways to ask for an earlier state of a table.

use crate::distinct::put_right;
use crate::error::{Fault, SqlError};
use crate::limits::TEXT_BYTES_MAX;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

/// Nested parts of a statement.
const DEPTH_MAX: usize = 64;

/// The one statement that a text holds.
pub fn parse(text: &str) -> Result<Statement, SqlError> {
    let mut all = parse_all(text)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(SqlError::new(Fault::Syntax, "there is no statement")),
        (Some(_), false) => Err(SqlError::new(
            Fault::Syntax,
            "there is more than one statement; send them one by one",
        )),
    }
}

/// All statements that a text holds.
pub fn parse_all(text: &str) -> Result<Vec<Statement>, SqlError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SqlError::new(
            Fault::Resources,
            format!(
                "a statement has at most {TEXT_BYTES_MAX} bytes; this one has {}",
                text.len()
            ),
        ));
    }
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| SqlError::new(Fault::Syntax, format!("this is not SQL: {error}")))?;
    let parsed = DFParserBuilder::new(with_versions(tokens)?)
        .with_dialect(&dialect)
        .with_recursion_limit(DEPTH_MAX)
        .build()
        .and_then(|mut parser| parser.parse_statements());
    match parsed {
        Ok(all) => {
            let mut all: Vec<Statement> = all.into();
            all.iter_mut().for_each(|one| put_right(text, one));
            Ok(all)
        }
        Err(error) => Err(SqlError::new(
            Fault::Syntax,
            format!("this is not SQL: {}", error.strip_backtrace()),
        )),
    }
}

/// `t FOR VERSION AS OF 3` and `t FOR SYSTEM_TIME AS OF '…'` become `"t@v3"` and `"t@t…"`, which the catalog knows.
fn with_versions(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, SqlError> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        match version_at(&tokens[at..])? {
            Some((skipped, suffix)) => {
                named_before(&mut out, &suffix)?;
                at += skipped;
            }
            None => {
                out.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    Ok(out)
}

/// Whether a version is named here: how many tokens that takes, and what is put behind the table's name.
fn version_at(tokens: &[TokenWithSpan]) -> Result<Option<(usize, String)>, SqlError> {
    let mut said = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)));
    let mut word = || match said.next() {
        Some((
            at,
            TokenWithSpan {
                token: Token::Word(word),
                ..
            },
        )) => Some((at, word.value.to_ascii_uppercase())),
        _ => None,
    };
    if !matches!(word(), Some((0, first)) if first == "FOR") {
        return Ok(None);
    }
    let what = word().map(|(_, what)| what);
    let by_version = match what.as_deref() {
        Some("VERSION") => true,
        Some("SYSTEM_TIME" | "TIMESTAMP") => false,
        _ => return Ok(None),
    };
    if word().is_none_or(|(_, word)| word != "AS") || word().is_none_or(|(_, word)| word != "OF") {
        return Ok(None);
    }
    let value = said.next();
    match (by_version, value.map(|(at, token)| (at, &token.token))) {
        (true, Some((at, Token::Number(number, _)))) if number.parse::<u64>().is_ok() => {
            Ok(Some((at + 1, format!("@v{number}"))))
        }
        (false, Some((at, Token::SingleQuotedString(time)))) => {
            Ok(Some((at + 1, format!("@t{}", millis(time)?))))
        }
        _ => Err(SqlError::new(
            Fault::Syntax,
            "a version is a whole number (FOR VERSION AS OF 3), a time is text in UTC (FOR SYSTEM_TIME AS OF '2026-11-26 10:00:00')",
        )),
    }
}

fn millis(time: &str) -> Result<i64, SqlError> {
    let wanted = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
    let cast = ScalarValue::Utf8(Some(time.to_owned())).cast_to(&wanted);
    match cast {
        Ok(ScalarValue::TimestampMillisecond(Some(millis), _)) if millis >= 0 => Ok(millis),
        _ => Err(SqlError::new(
            Fault::Value,
            format!("{time:?} is not a time since 1970; write it as 2026-11-26 10:00:00"),
        )),
    }
}

fn named_before(out: &mut [TokenWithSpan], suffix: &str) -> Result<(), SqlError> {
    let last = out
        .iter_mut()
        .rev()
        .find(|token| !matches!(token.token, Token::Whitespace(_)));
    match last {
        Some(TokenWithSpan {
            token: Token::Word(word),
            ..
        }) => {
            let name = match word.quote_style {
                Some(_) => word.value.clone(),
                None => word.value.to_ascii_lowercase(),
            };
            *word = Word {
                value: format!("{name}{suffix}"),
                quote_style: Some('"'),
                keyword: Keyword::NoKeyword,
            };
            Ok(())
        }
        _ => Err(SqlError::new(
            Fault::Syntax,
            "a version stands behind a table's name",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_names() {
        for (text, expected) in [
            (
                "select * from t for version as of 3 x",
                "SELECT * FROM \"t@v3\" x",
            ),
            (
                "SELECT 1 FROM T FOR SYSTEM_TIME AS OF '1970-01-01 00:00:01', u",
                "SELECT 1 FROM \"t@t1000\", u",
            ),
            ("SELECT * FROM t FOR UPDATE", "SELECT * FROM t FOR UPDATE"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected);
        }
        assert!(parse("SELECT * FROM t FOR VERSION AS OF x").is_err());
        assert!(parse("SELECT * FROM t FOR SYSTEM_TIME AS OF 'soon'").is_err());
        assert!(parse("SELECT 1; SELECT 2").is_err());
        assert!(parse("").is_err());
        assert!(parse(&"(".repeat(100_000)).is_err());
    }
}
