//! What columns of an answer are called where the statement names them not: as PostgreSQL does (`FigureColname`).

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Expr, SelectItem, SetExpr};
use sql::datafusion;

/// Names for the columns of a statement's answer, `None` where the plan's own are right; empty where they cannot be told.
pub fn names_of(statement: &Statement) -> Vec<Option<String>> {
    let Statement::Statement(statement) = statement else {
        return Vec::new();
    };
    let ast::Statement::Query(query) = statement.as_ref() else {
        return Vec::new();
    };
    let Some(select) = first_select(&query.body) else {
        return Vec::new();
    };
    let mut names = Vec::with_capacity(select.projection.len());
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => names.push(name_of(expr).or_else(unknown)),
            SelectItem::ExprWithAlias { .. } => names.push(None),
            // How many columns a star is, only the plan knows.
            _ => return Vec::new(),
        }
    }
    names
}

fn unknown() -> Option<String> {
    Some("?column?".to_owned())
}

fn first_select(body: &SetExpr) -> Option<&ast::Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

fn name_of(expr: &Expr) -> Option<String> {
    let folded = |ident: &ast::Ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    };
    match expr {
        Expr::Identifier(ident) => Some(folded(ident)),
        Expr::CompoundIdentifier(parts) => parts.last().map(folded),
        Expr::Function(function) => {
            let last = function.name.0.last().and_then(|part| part.as_ident());
            last.map(folded)
        }
        Expr::Cast {
            expr, data_type, ..
        } => name_of(expr).or_else(|| Some(data_type.to_string().to_ascii_lowercase())),
        Expr::Nested(inner) => name_of(inner),
        Expr::Collate { expr, .. } => name_of(expr),
        Expr::Case { .. } => Some("case".to_owned()),
        Expr::Exists { .. } => Some("exists".to_owned()),
        Expr::Extract { .. } => Some("extract".to_owned()),
        Expr::Substring { .. } => Some("substring".to_owned()),
        Expr::Trim { .. } => Some("btrim".to_owned()),
        Expr::Position { .. } => Some("position".to_owned()),
        Expr::Ceil { .. } => Some("ceil".to_owned()),
        Expr::Floor { .. } => Some("floor".to_owned()),
        Expr::Array(_) => Some("array".to_owned()),
        Expr::Subquery(query) => {
            let select = first_select(&query.body)?;
            match select.projection.first()? {
                SelectItem::UnnamedExpr(expr) => name_of(expr),
                SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_called_as_postgresql_calls_them() {
        let names = |text: &str| names_of(&sql::text::parse(text).unwrap());
        let expected = ["count", "id", "?column?", "max", "?column?", "case"]
            .map(|name| Some(name.to_owned()));
        assert_eq!(
            names("SELECT count(*), t.id, 1 + 1, Max(x)::int, 1, CASE WHEN a THEN 1 END FROM t"),
            expected
        );
        assert_eq!(names("SELECT 1 AS one"), [None]);
        assert_eq!(names("SELECT * FROM t"), []);
        assert_eq!(
            names("SELECT (SELECT max(a) FROM t)"),
            [Some("max".to_owned())]
        );
    }
}
