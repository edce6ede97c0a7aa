//! What stands behind IS DISTINCT FROM. The parser takes all of it: `a IS DISTINCT FROM 1 AND b` is read as
//! `a IS DISTINCT FROM (1 AND b)`, an error for numbers and another answer for truth values. PostgreSQL binds IS more
//! strongly than NOT, AND and OR (documentation, section 4.1.6), and so it is put right here.

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Statement, UnaryOperator, Value, VisitMut, VisitorMut,
};
use std::mem::replace;
use std::ops::ControlFlow;

/// Puts it right in a statement of this text.
pub fn put_right(text: &str, parsed: &mut Parsed) {
    let says = text.to_ascii_uppercase();
    if !says.contains("DISTINCT") || !says.contains("FROM") {
        return;
    }
    match parsed {
        Parsed::Statement(statement) => visit(statement),
        Parsed::Explain(explain) => put_right(text, &mut explain.statement),
        _ => {}
    }
}

fn visit(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Binds);
}

struct Binds;

impl VisitorMut for Binds {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let wrong = match expr {
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => is_chain(right),
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => is_chain(expr),
            // Read from the left, a chain has none of its own strength on its right.
            Expr::BinaryOp { op, right, .. } => match op {
                BinaryOperator::And => is_chain(right),
                BinaryOperator::Or => is_of(right, &BinaryOperator::Or),
                _ => false,
            },
            _ => false,
        };
        if wrong {
            *expr = bound(replace(expr, nothing()));
        }
        ControlFlow::Continue(())
    }
}

fn nothing() -> Expr {
    Expr::Value(Value::Null.into())
}

fn is_of(expr: &Expr, wanted: &BinaryOperator) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if op == wanted)
}

const fn is_link(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::And | BinaryOperator::Or)
}

/// AND or OR without parentheses around it.
fn is_chain(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if is_link(op))
}

/// The terms of a chain, and what stands between them.
fn terms(expr: Expr) -> (Vec<Expr>, Vec<BinaryOperator>) {
    let (mut all, mut between) = (Vec::new(), Vec::new());
    // What is still to be read, the first last; each with what stands before it.
    let mut next = vec![(None, Box::new(expr))];
    while let Some((before, one)) = next.pop() {
        match *one {
            Expr::BinaryOp { left, op, right } if is_link(&op) => {
                next.push((Some(op), right));
                next.push((before, left));
            }
            other => {
                between.extend(before);
                all.push(other);
            }
        }
    }
    (all, between)
}

/// The same words, bound as PostgreSQL binds them.
fn bound(expr: Expr) -> Expr {
    let (mut all, between) = match expr {
        Expr::IsDistinctFrom(left, right) => {
            headed(*right, |first| Expr::IsDistinctFrom(left, first))
        }
        Expr::IsNotDistinctFrom(left, right) => {
            headed(*right, |first| Expr::IsNotDistinctFrom(left, first))
        }
        Expr::UnaryOp { op, expr } => headed(*expr, |expr| Expr::UnaryOp { op, expr }),
        chain => terms(chain),
    };
    let mut rest = all.drain(..);
    let Some(mut ands) = rest.next() else {
        return nothing();
    };
    let mut ors: Option<Expr> = None;
    let joined = |left: Expr, op, right: Expr| Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    };
    for (op, term) in between.into_iter().zip(rest) {
        if op == BinaryOperator::And {
            ands = joined(ands, op, term);
            continue;
        }
        let group = replace(&mut ands, term);
        ors = Some(match ors {
            Some(before) => joined(before, op, group),
            None => group,
        });
    }
    match ors {
        Some(before) => joined(before, BinaryOperator::Or, ands),
        None => ands,
    }
}

/// A chain whose first term is what something else speaks of.
fn headed(chain: Expr, head: impl FnOnce(Box<Expr>) -> Expr) -> (Vec<Expr>, Vec<BinaryOperator>) {
    let (mut all, between) = terms(chain);
    if let Some(first) = all.first_mut() {
        *first = head(Box::new(replace(first, nothing())));
    }
    (all, between)
}

#[cfg(test)]
mod tests {
    use crate::text::parse;

    #[test]
    fn it_binds_as_postgresql_binds_it() {
        for (text, meant) in [
            ("a IS DISTINCT FROM 1 AND b", "(a IS DISTINCT FROM 1) AND b"),
            (
                "a IS NOT DISTINCT FROM 1 OR b",
                "(a IS NOT DISTINCT FROM 1) OR b",
            ),
            (
                "a IS DISTINCT FROM 1 AND b IS DISTINCT FROM 2 OR c",
                "((a IS DISTINCT FROM 1) AND (b IS DISTINCT FROM 2)) OR c",
            ),
            (
                "x OR a IS DISTINCT FROM 1 AND y OR z",
                "(x OR ((a IS DISTINCT FROM 1) AND y)) OR z",
            ),
            (
                "x AND a IS DISTINCT FROM 1 OR y AND z",
                "(x AND (a IS DISTINCT FROM 1)) OR (y AND z)",
            ),
            (
                "NOT a IS DISTINCT FROM 1 AND b",
                "(NOT (a IS DISTINCT FROM 1)) AND b",
            ),
            (
                "a IS DISTINCT FROM (1 AND b) OR c",
                "(a IS DISTINCT FROM (1 AND b)) OR c",
            ),
            (
                "a IS DISTINCT FROM b + 1 AND c",
                "(a IS DISTINCT FROM (b + 1)) AND c",
            ),
            ("a AND b OR c AND d", "(a AND b) OR (c AND d)"),
            ("a AND (b OR c)", "a AND (b OR c)"),
        ] {
            let own = |text: &str| bare(&parse(&format!("SELECT 1 FROM t WHERE {text}")).unwrap());
            assert_eq!(own(text), own(meant), "{text}");
        }
        // Ends soon, also where there is much of it.
        let long = ["a IS DISTINCT FROM 1 OR b"; 8].join(" AND ");
        parse(&format!("SELECT 1 FROM t WHERE {long}")).unwrap();
    }

    /// A statement's tree without its parentheses: what they say is in its shape.
    fn bare(statement: &datafusion::sql::parser::Statement) -> String {
        let shape = format!("{statement:?}");
        let mut out = String::new();
        let mut depth = 0_i32;
        let mut nested: Vec<i32> = Vec::new();
        let mut rest = shape.as_str();
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("Nested(") {
                nested.push(depth);
                depth += 1;
                rest = after;
                continue;
            }
            match c {
                '(' | '{' | '[' => depth += 1,
                ')' | '}' | ']' => depth -= 1,
                _ => {}
            }
            let ends = c == ')' && nested.last() == Some(&depth);
            match ends {
                true => drop(nested.pop()),
                false => out.push(c),
            }
            rest = &rest[c.len_utf8()..];
        }
        // Where words stand differs with the parentheses.
        let mut kept = String::new();
        for part in out.split("Location(") {
            kept.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
        }
        kept
    }
}
