//! Small pieces of a statement, made and taken apart.

use sql::datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart,
    Value,
};

/// A name's last part, written small, and the part before it.
pub fn tail(name: &ObjectName) -> (Option<String>, String) {
    let part = |part: &ObjectNamePart| match part.as_ident() {
        Some(ident) if ident.quote_style.is_none() => ident.value.to_ascii_lowercase(),
        Some(ident) => ident.value.clone(),
        None => part.to_string(),
    };
    let mut parts = name.0.iter().rev().map(part);
    let last = parts.next().unwrap_or_default();
    (parts.next(), last)
}

/// A name of one part.
pub fn name(text: &str) -> ObjectName {
    ObjectName::from(vec![Ident::new(text)])
}

/// The arguments of a call.
pub fn arguments(all: Vec<Expr>) -> FunctionArguments {
    FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: all
            .into_iter()
            .map(|one| FunctionArg::Unnamed(FunctionArgExpr::Expr(one)))
            .collect(),
        clauses: Vec::new(),
    })
}

/// A call.
pub fn call(function: &str, all: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: name(function),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: arguments(all),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// A cast.
pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

/// A literal.
pub fn literal(value: Value) -> Expr {
    Expr::Value(value.into())
}

/// The absent value.
pub fn null() -> Expr {
    literal(Value::Null)
}

/// The text of a literal.
pub fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => text_of(inner),
        _ => None,
    }
}

/// `'{a,"b c"}'` as its parts; none if it holds arrays.
pub fn array_literal(text: &str) -> Option<Vec<Expr>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut parts = Vec::new();
    let (mut part, mut in_quotes, mut was_quoted) = (String::new(), false, false);
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => (in_quotes, was_quoted) = (!in_quotes, true),
            '\\' => part.extend(letters.next()),
            '{' | '}' if !in_quotes => return None,
            ',' if !in_quotes => {
                parts.push(element(&part, was_quoted));
                (part, was_quoted) = (String::new(), false);
            }
            other => part.push(other),
        }
    }
    if !inner.is_empty() {
        parts.push(element(&part, was_quoted));
    }
    Some(parts)
}

fn element(text: &str, was_quoted: bool) -> Expr {
    match text.trim() {
        "NULL" if !was_quoted => null(),
        number if !was_quoted && number.parse::<i64>().is_ok() => {
            literal(Value::Number(number.to_owned(), false))
        }
        plain if !was_quoted => literal(Value::SingleQuotedString(plain.to_owned())),
        _ => literal(Value::SingleQuotedString(text.to_owned())),
    }
}

/// The elements of an array that is written out, cast or not.
pub fn elements(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Array(array) => Some(array.elem.clone()),
        Expr::Nested(inner) => elements(inner),
        Expr::Cast {
            expr,
            data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(inner, _)),
            ..
        } => {
            let all = elements(expr)?.into_iter();
            Some(all.map(|one| cast(one, inner.as_ref().clone())).collect())
        }
        other => array_literal(text_of(other)?),
    }
}

/// An array that is written out.
pub fn array(elem: Vec<Expr>) -> Expr {
    Expr::Array(Array { elem, named: true })
}

/// An operator that PostgreSQL's catalog names.
pub fn operator(op: &BinaryOperator) -> Option<BinaryOperator> {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else {
        return None;
    };
    Some(match parts.last()?.as_str() {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        ">" => BinaryOperator::Gt,
        "<=" => BinaryOperator::LtEq,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "||" => BinaryOperator::StringConcat,
        _ => return None,
    })
}
