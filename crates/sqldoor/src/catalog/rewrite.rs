//! Queries over the catalog as PostgreSQL's clients write them, written as they can be planned here.
//!
//! A statement that names nothing of the catalog stays as it is.

use super::build::{
    arguments, array, array_literal, call, elements, literal, name, null, operator, tail, text_of,
};
use super::empty::is_empty_array;
use super::functions::is_ours;
use super::{casts, empty, factors, specs};
use sql::datafusion::sql::parser::{ExplainStatement, Statement};
use sql::datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, TableFactor, Value,
    ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};
use std::ops::ControlFlow;

/// Writes a statement over the catalog so that it can be planned.
#[must_use]
pub fn rewrite(statement: Statement) -> Statement {
    match statement {
        Statement::Statement(mut inner) => {
            if inner.visit(&mut Mentions).is_break() {
                // It is never broken off.
                let _ = VisitMut::visit(inner.as_mut(), &mut Rewrite::default());
            }
            Statement::Statement(inner)
        }
        Statement::Explain(explain) => Statement::Explain(ExplainStatement {
            statement: Box::new(rewrite(*explain.statement)),
            ..explain
        }),
        other => other,
    }
}

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// Breaks off when something of the catalog is named.
struct Mentions;

impl Visitor for Mentions {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let (schema, name) = tail(relation);
        let found = match schema.as_deref() {
            Some("pg_catalog" | "information_schema") => true,
            Some(_) => false,
            None => specs::named(&name).is_some() || is_ours(&name),
        };
        if found { ControlFlow::Break(()) } else { GO_ON }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let found = match expr {
            Expr::Function(function) => {
                let (schema, name) = tail(&function.name);
                schema.as_deref() == Some("pg_catalog") || is_ours(&name)
            }
            Expr::Cast { data_type, .. } => casts::meant(data_type).is_some(),
            Expr::TypedString(typed) => casts::meant(&typed.data_type).is_some(),
            Expr::Identifier(ident) => is_current_schema(ident),
            Expr::BinaryOp { op, .. } => operator(op).is_some(),
            _ => false,
        };
        if found { ControlFlow::Break(()) } else { GO_ON }
    }
}

fn is_current_schema(ident: &Ident) -> bool {
    ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("current_schema")
}

#[derive(Default)]
struct Rewrite {
    depth: usize,
}

impl VisitorMut for Rewrite {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        GO_ON
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        GO_ON
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if self.depth == 1 {
            shown(select);
        }
        empty::leave_out(select);
        GO_ON
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        told_apart(select);
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                && *expr == null()
            {
                *expr = super::build::cast(
                    null(),
                    sql::datafusion::sql::sqlparser::ast::DataType::Text,
                );
            }
        }
        GO_ON
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        let (schema, last) = tail(relation);
        if schema.is_none() && specs::named(&last).is_some() {
            relation
                .0
                .insert(0, ObjectNamePart::Identifier(Ident::new("pg_catalog")));
        }
        GO_ON
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        factors::rewrite(factor);
        GO_ON
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        before(expr);
        GO_ON
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let old = std::mem::replace(expr, null());
        *expr = after(old);
        GO_ON
    }
}

/// What a client sees: names instead of object ids, and columns that are called as PostgreSQL calls them.
fn shown(select: &mut Select) {
    let mut used: Vec<String> = select.projection.iter().filter_map(called).collect();
    used.sort();
    for item in &mut select.projection {
        let found = called(item);
        if let SelectItem::UnnamedExpr(expr) = item {
            let expr = casts::as_text(expr).unwrap_or_else(|| expr.clone());
            // Two columns of one name are not planned.
            let alone = found
                .filter(|name| used.iter().filter(|used| *used == name).count() == 1)
                .filter(|_| !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)));
            *item = match alone {
                Some(name) => SelectItem::ExprWithAlias {
                    expr,
                    alias: Ident::with_quote('"', name),
                },
                None => SelectItem::UnnamedExpr(expr),
            };
        } else if let SelectItem::ExprWithAlias { expr, .. } = item
            && let Some(text) = casts::as_text(expr)
        {
            *expr = text;
        }
    }
}

/// Names for items that would have the same, and no column that stands in a wildcard beside it.
fn told_apart(select: &mut Select) {
    let wild: Vec<String> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::QualifiedWildcard(kind, _) => Some(kind.to_string()),
            _ => None,
        })
        .collect();
    select.projection.retain(|item| match item {
        SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(parts)) => {
            let table = expr.to_string();
            let last = parts.last().map(ToString::to_string).unwrap_or_default();
            let table = table.strip_suffix(&format!(".{last}")).unwrap_or_default();
            !wild
                .iter()
                .any(|wild| wild.strip_suffix(".*").unwrap_or(wild) == table)
        }
        _ => true,
    });
    let mut seen: Vec<String> = Vec::new();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        let text = expr.to_string();
        if seen.contains(&text) {
            let alias = Ident::with_quote('"', format!("?column?{}", seen.len()));
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias,
            };
        }
        seen.push(text);
    }
}

/// What PostgreSQL calls an item of a select.
fn called(item: &SelectItem) -> Option<String> {
    let of = |ident: &Ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    };
    let mut expr = match item {
        SelectItem::ExprWithAlias { alias, .. } => return Some(of(alias)),
        SelectItem::UnnamedExpr(expr) => expr,
        _ => return None,
    };
    loop {
        expr = match expr {
            Expr::Cast { expr: inner, .. } | Expr::Nested(inner) => inner,
            Expr::Collate { expr: inner, .. } => inner,
            Expr::Function(function) => return Some(tail(&function.name).1),
            Expr::Identifier(ident) => return Some(of(ident)),
            Expr::CompoundIdentifier(parts) => return parts.last().map(of),
            Expr::Case { .. } => return Some("case".to_owned()),
            _ => return None,
        };
    }
}

/// Changes that look at an expression before its parts are changed.
fn before(expr: &mut Expr) {
    let changed = match expr {
        Expr::AnyOp {
            left,
            compare_op,
            right,
            ..
        } => {
            let op = operator(compare_op).unwrap_or_else(|| compare_op.clone());
            *compare_op = op.clone();
            match op {
                BinaryOperator::Eq => among(left, right, false),
                _ => None,
            }
        }
        Expr::AllOp {
            left,
            compare_op,
            right,
        } => {
            let op = operator(compare_op).unwrap_or_else(|| compare_op.clone());
            *compare_op = op.clone();
            match op {
                BinaryOperator::NotEq => among(left, right, true),
                _ => None,
            }
        }
        Expr::Cast {
            expr: inner,
            data_type,
            ..
        } if casts::writes_text(data_type) => casts::as_text(inner),
        Expr::TypedString(typed) if casts::meant(&typed.data_type).is_some() => {
            let value = literal(typed.value.value.clone());
            Some(super::build::cast(value, typed.data_type.clone()))
        }
        Expr::Case {
            operand: None,
            conditions,
            else_result,
            ..
        } => {
            conditions.retain(|branch| {
                !(empty::asks_for_domain(&branch.condition) && empty::has_query(&branch.result))
            });
            let rest = || else_result.as_ref().map_or_else(null, |rest| *rest.clone());
            conditions.is_empty().then(rest)
        }
        Expr::Identifier(ident) if is_current_schema(ident) => {
            Some(call("current_schema", Vec::new()))
        }
        _ => None,
    };
    if let Some(changed) = changed {
        *expr = changed;
    }
}

/// `x = ANY (…)` and `x <> ALL (…)` as `IN`.
fn among(left: &Expr, right: &Expr, negated: bool) -> Option<Expr> {
    let left = Box::new(left.clone());
    if let Expr::Subquery(subquery) = right {
        return Some(Expr::InSubquery {
            expr: left,
            subquery: subquery.clone(),
            negated,
        });
    }
    let list = elements(right)?;
    if list.is_empty() {
        return Some(literal(Value::Boolean(negated)));
    }
    Some(Expr::InList {
        expr: left,
        list,
        negated,
    })
}

/// Changes that look at an expression whose parts are changed.
fn after(expr: Expr) -> Expr {
    match expr {
        Expr::Collate { expr, .. } => *expr,
        Expr::BinaryOp { left, op, right } => {
            let (of_array, of_array_too) = (is_empty_array(&left), is_empty_array(&right));
            Expr::BinaryOp {
                left: Box::new(beside(*left, of_array_too)),
                op: operator(&op).unwrap_or(op),
                right: Box::new(beside(*right, of_array)),
            }
        }
        Expr::CompoundFieldAccess { root, access_chain } => part_of(root, access_chain),
        Expr::Like {
            negated,
            any,
            expr,
            pattern,
            escape_char,
        } => Expr::Like {
            negated,
            any,
            expr,
            pattern: escaped(pattern, escape_char.as_ref()),
            escape_char: None,
        },
        Expr::Cast {
            expr,
            data_type,
            kind,
            array,
            format,
        } => match casts::meant(&data_type).is_some() || text_of(&expr).is_some() {
            true => casts::planned(*expr, &data_type),
            false => Expr::Cast {
                expr,
                data_type,
                kind,
                array,
                format,
            },
        },
        Expr::Function(function) => called_function(function),
        Expr::Exists { subquery, negated } if empty::query(&subquery) => {
            drop(subquery);
            literal(Value::Boolean(negated))
        }
        Expr::InSubquery {
            subquery, negated, ..
        } if empty::query(&subquery) => literal(Value::Boolean(negated)),
        Expr::InSubquery {
            expr,
            subquery,
            negated,
        } if reads_search_path(&subquery) => Expr::InList {
            expr,
            list: vec![call("current_schema", Vec::new())],
            negated,
        },
        Expr::Subquery(subquery) => scalar(subquery),
        other => other,
    }
}

/// An array's literal beside an array.
fn beside(expr: Expr, of_array: bool) -> Expr {
    match text_of(&expr).filter(|_| of_array).and_then(array_literal) {
        Some(all) => array(all),
        None => expr,
    }
}

/// `(x).y`.
fn part_of(root: Box<Expr>, access_chain: Vec<AccessExpr>) -> Expr {
    if let [AccessExpr::Dot(Expr::Identifier(part))] = access_chain.as_slice() {
        let part = literal(Value::SingleQuotedString(part.value.to_ascii_lowercase()));
        let root = match *root {
            Expr::Nested(inner) => *inner,
            other => other,
        };
        return call("get_field", vec![root, part]);
    }
    Expr::CompoundFieldAccess { root, access_chain }
}

/// A pattern whose special letters are escaped with the backslash.
fn escaped(pattern: Box<Expr>, escape: Option<&ValueWithSpan>) -> Box<Expr> {
    let escape = match escape.map(|escape| &escape.value) {
        Some(Value::SingleQuotedString(escape)) if escape != "\\" => escape,
        _ => return pattern,
    };
    let text = |text: &str| literal(Value::SingleQuotedString(text.to_owned()));
    let doubled = call("replace", vec![*pattern, text("\\"), text("\\\\")]);
    Box::new(call("replace", vec![doubled, text(escape), text("\\")]))
}

/// Whether a query takes the search path apart. It holds one schema.
fn reads_search_path(query: &Query) -> bool {
    struct Found;
    impl Visitor for Found {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match text_of(expr) {
                Some("search_path") => ControlFlow::Break(()),
                _ => GO_ON,
            }
        }
    }
    query.visit(&mut Found).is_break()
}

fn called_function(mut function: Function) -> Expr {
    let (schema, last) = tail(&function.name);
    if matches!(schema.as_deref(), Some("pg_catalog" | "information_schema")) {
        function.name = name(&last);
    }
    if last == "array"
        && let FunctionArguments::Subquery(query) = &function.args
    {
        return collected(query);
    }
    if matches!(function.args, FunctionArguments::None) && is_ours(&last) {
        function.args = arguments(Vec::new());
    }
    if last == "coalesce"
        && let FunctionArguments::List(list) = &mut function.args
    {
        for argument in &mut list.args {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument
                && text_of(expr) == Some("{}")
            {
                *expr = array(Vec::new());
            }
        }
    }
    if last == "generate_subscripts" || last == "array_upper" || last == "array_lower" {
        return factors::subscripts(&function).unwrap_or(Expr::Function(function));
    }
    Expr::Function(function)
}

/// `ARRAY(SELECT …)`.
fn collected(query: &Query) -> Expr {
    if empty::query(query) {
        return array(Vec::new());
    }
    let mut query = query.clone();
    let order = query.order_by.take();
    drop(order);
    wrapped(&mut query, "array_agg");
    Expr::Subquery(Box::new(query))
}

/// A query that gives one value.
fn scalar(mut query: Box<Query>) -> Expr {
    if empty::nothing_to_read(&query) {
        let counts = empty::select_of(&query)
            .and_then(|select| select.projection.first())
            .and_then(empty::aggregate)
            .is_some_and(|function| tail(&function.name).1 == "count");
        let plain = empty::query(&query);
        match (plain, counts) {
            (true, _) => return null(),
            (false, true) => return literal(Value::Number("0".into(), false)),
            (false, false) => {}
        }
    }
    if empty::collation_of_its_own(&query) {
        return null();
    }
    let reads = empty::select_of(&query).is_some_and(|select| !select.from.is_empty());
    if reads {
        query.order_by = None;
        wrapped(&mut query, "first_value");
        query.limit_clause = None;
    }
    Expr::Subquery(query)
}

/// Puts an aggregate around a query's one column, where it has none.
fn wrapped(query: &mut Query, aggregate: &str) {
    if let SetExpr::Select(select) = query.body.as_mut() {
        if empty::has_aggregate(&select.projection) {
            return;
        }
        if let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] =
            select.projection.as_mut_slice()
        {
            let inner = std::mem::replace(expr, null());
            *expr = call(aggregate, vec![inner]);
        }
    }
}
