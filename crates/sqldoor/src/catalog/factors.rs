//! Functions that stand where a table stands.

use super::build::{call, cast, literal, name, null, tail};
use super::empty::is_empty_array;
use super::functions::is_ours;
use sql::datafusion::sql::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, TableAlias,
    TableFactor, Value,
};
use sql::datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use sql::datafusion::sql::sqlparser::parser::Parser;

/// Functions of the catalog that have no rows here, and their columns.
const EMPTY: &[(&str, &str)] = &[
    ("pg_options_to_table", "option_name option_value"),
    ("aclexplode", "grantor grantee privilege_type is_grantable"),
    (
        "pg_show_all_file_settings",
        "sourcefile sourceline name setting",
    ),
    ("pg_available_extension_versions", "name version installed"),
    ("pg_get_publication_tables", "relid"),
    ("pg_partition_tree", "relid parentrelid isleaf level"),
    ("pg_partition_ancestors", "relid"),
    ("pg_ls_dir", "pg_ls_dir"),
    ("pg_listening_channels", "pg_listening_channels"),
];

/// Reserved words that the SQL standard has not; drivers add its own.
const KEYWORDS: &[&str] = &[
    "analyse",
    "analyze",
    "concurrently",
    "freeze",
    "ilike",
    "isnull",
    "limit",
    "notnull",
    "offset",
    "placing",
    "returning",
    "variadic",
    "verbose",
];

/// Writes one as a query, where it is of the catalog.
pub fn rewrite(factor: &mut TableFactor) {
    let changed = match factor {
        TableFactor::Table {
            name,
            alias,
            args: Some(args),
            with_ordinality,
            ..
        } => called(name, &args.args, alias.as_ref(), *with_ordinality),
        TableFactor::Function {
            name,
            args,
            alias,
            with_ordinality,
            ..
        } => called(name, args, alias.as_ref(), *with_ordinality),
        TableFactor::UNNEST {
            alias,
            array_exprs,
            with_ordinality,
            ..
        } if array_exprs.iter().any(is_empty_array) => {
            let columns = array_exprs.iter().map(|_| "unnest".to_owned()).collect();
            rows(columns, "INTEGER", alias.as_ref(), *with_ordinality)
        }
        _ => None,
    };
    if let Some(changed) = changed {
        *factor = changed;
        return;
    }
    if let TableFactor::Table {
        name: called,
        args: Some(_),
        ..
    }
    | TableFactor::Function { name: called, .. } = factor
    {
        let (schema, last) = tail(called);
        if schema.as_deref() == Some("pg_catalog") {
            *called = name(&last);
        }
    }
}

fn called(
    name: &sql::datafusion::sql::sqlparser::ast::ObjectName,
    args: &[FunctionArg],
    alias: Option<&TableAlias>,
    ordinality: bool,
) -> Option<TableFactor> {
    let (_, last) = tail(name);
    let of_empty = args.iter().any(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => is_empty_array(expr),
        _ => false,
    });
    if last == "pg_get_keywords" {
        let words: Vec<String> = KEYWORDS.iter().map(|word| format!("('{word}')")).collect();
        let text = format!(
            "SELECT word, 'R' AS catcode, 'reserved' AS catdesc FROM (VALUES {}) AS words (word)",
            words.join(", ")
        );
        return derived(
            &text,
            Some(alias.cloned().unwrap_or_else(|| alias_of(&last))),
        );
    }
    if let Some((_, columns)) = EMPTY.iter().find(|(known, _)| *known == last) {
        let columns = columns.split(' ').map(str::to_owned).collect();
        return rows(columns, "TEXT", alias, ordinality);
    }
    if of_empty
        && matches!(
            last.as_str(),
            "unnest" | "generate_subscripts" | "_pg_expandarray"
        )
    {
        let columns = match last.as_str() {
            "_pg_expandarray" => vec!["x".to_owned(), "n".to_owned()],
            _ => vec![last.clone()],
        };
        return rows(columns, "INTEGER", alias, ordinality);
    }
    if !is_ours(&last) {
        return None;
    }
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    derived(
        &format!("SELECT {last}({}) AS \"{last}\"", args.join(", ")),
        Some(alias.cloned().unwrap_or_else(|| alias_of(&last))),
    )
}

/// A table without rows. One column without a name takes the table's, as in PostgreSQL.
fn rows(
    columns: Vec<String>,
    kind: &str,
    alias: Option<&TableAlias>,
    ordinality: bool,
) -> Option<TableFactor> {
    let mut columns = columns;
    if let ([only], Some(alias)) = (columns.as_mut_slice(), alias)
        && alias.columns.is_empty()
    {
        alias.name.value.clone_into(only);
    }
    if ordinality {
        columns.push("ordinality".to_owned());
    }
    let listed: Vec<String> = columns
        .iter()
        .map(|column| format!("CAST(NULL AS {kind}) AS \"{column}\""))
        .collect();
    derived(
        &format!("SELECT {} WHERE false", listed.join(", ")),
        alias.cloned(),
    )
}

fn derived(text: &str, alias: Option<TableAlias>) -> Option<TableFactor> {
    let dialect = PostgreSqlDialect {};
    let query: Box<Query> = Parser::new(&dialect)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_query())
        .ok()?;
    Some(TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: Some(alias.unwrap_or_else(|| alias_of("nothing"))),
        sample: None,
    })
}

fn alias_of(name: &str) -> TableAlias {
    TableAlias {
        explicit: true,
        name: sql::datafusion::sql::sqlparser::ast::Ident::new(name),
        columns: Vec::new(),
        at: None,
    }
}

/// `generate_subscripts(a, 1)`, `array_upper(a, 1)` and `array_lower(a, 1)`.
pub fn subscripts(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(array))) = list.args.first() else {
        return None;
    };
    let one = literal(Value::Number("1".into(), false));
    let length = cast(
        call("array_length", vec![array.clone()]),
        DataType::BigInt(None),
    );
    Some(match tail(&function.name).1.as_str() {
        "array_upper" if is_empty_array(array) => cast(null(), DataType::BigInt(None)),
        "array_upper" => length,
        "array_lower" => one,
        _ => call("unnest", vec![call("generate_series", vec![one, length])]),
    })
}
