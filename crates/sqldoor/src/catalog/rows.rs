//! The rows of `pg_catalog`.

use super::known::{INFORMATION, Known, PG_CATALOG, PUBLIC, Relation, derived, schema_name};
use super::relation::{Cell, Row, columns};
use super::settings::settings;
use super::types::{self, PgType, TYPES};

/// Rows of the relation of this name.
pub fn rows(known: &Known, name: &str) -> Vec<Row> {
    match name {
        "pg_am" => vec![vec![("oid", 2.into()), ("amname", "heap".into())]],
        "pg_attribute" => known.relations.iter().flat_map(attributes).collect(),
        "pg_class" => known
            .relations
            .iter()
            .map(|one| class(known, one))
            .collect(),
        "pg_collation" => collations(known),
        "pg_database" => databases(known),
        "pg_description" => known.relations.iter().filter_map(described).collect(),
        "pg_language" => languages(known),
        "pg_namespace" => namespaces(known),
        "pg_proc" => procedures(known),
        "pg_roles" | "pg_authid" => roles(known),
        "pg_settings" => settings(known).map(setting).collect(),
        "pg_stat_activity" => vec![activity(known)],
        "pg_stat_user_tables" => users(known).map(counted).collect(),
        "pg_tables" => known
            .relations
            .iter()
            .filter_map(|one| listed(known, one))
            .collect(),
        "pg_tablespace" => tablespaces(known),
        "pg_type" => TYPES.iter().flat_map(|one| typed(known, one)).collect(),
        "pg_user" => vec![vec![
            ("usename", known.session.user.clone().into()),
            ("usesysid", derived("role", &known.session.user).into()),
        ]],
        _ => Vec::new(),
    }
}

/// The tables that the session sees.
pub fn users(known: &Known) -> impl Iterator<Item = &Relation> {
    known.relations.iter().filter(|one| one.shown.is_some())
}

fn class(known: &Known, one: &Relation) -> Row {
    let count = match &one.shown {
        Some(shown) => shown.columns.len(),
        None => columns(one.line).count(),
    };
    let method = if one.kind == "r" { 2 } else { 0 };
    vec![
        ("oid", one.oid.into()),
        ("relname", one.name.clone().into()),
        ("relnamespace", one.schema.into()),
        ("relowner", known.owner().into()),
        ("relam", method.into()),
        ("relkind", one.kind.into()),
        ("relnatts", i32::try_from(count).unwrap_or(i32::MAX).into()),
    ]
}

fn attributes(one: &Relation) -> Vec<Row> {
    match &one.shown {
        Some(shown) => {
            let all = shown.columns.iter().map(|column| {
                let (kind, modifier) = types::of_kind(column.kind);
                (column.name.clone(), kind, modifier, !column.nullable)
            });
            all.enumerate()
                .map(|(at, what)| attribute(one.oid, at, what))
                .collect()
        }
        None => {
            let all = columns(one.line)
                .filter(|column| !matches!(column.name, "xmin" | "tableoid"))
                .map(|column| {
                    (
                        column.name.to_owned(),
                        types::of_line(column.kind),
                        -1,
                        false,
                    )
                });
            all.enumerate()
                .map(|(at, what)| attribute(one.oid, at, what))
                .collect()
        }
    }
}

fn attribute(oid: i32, at: usize, what: (String, i32, i32, bool)) -> Row {
    let (name, kind, modifier, not_null) = what;
    let len = match types::by_oid(kind) {
        Some((found, false)) => found.len,
        _ => -1,
    };
    let collation = if matches!(kind, 25 | 1043) { 100 } else { 0 };
    vec![
        ("attrelid", oid.into()),
        ("attname", name.into()),
        ("atttypid", kind.into()),
        ("attlen", len.into()),
        ("attnum", i32::try_from(at + 1).unwrap_or(i32::MAX).into()),
        ("atttypmod", modifier.into()),
        ("attnotnull", not_null.into()),
        ("attcollation", collation.into()),
        ("attidentity", "".into()),
        ("attgenerated", "".into()),
        ("attcompression", "".into()),
    ]
}

fn collations(known: &Known) -> Vec<Row> {
    let one = |oid: i32, name: &str, provider: &str| -> Row {
        vec![
            ("oid", oid.into()),
            ("collname", name.into()),
            ("collnamespace", PG_CATALOG.into()),
            ("collowner", known.owner().into()),
            ("collprovider", provider.into()),
            ("collcollate", "C".into()),
            ("collctype", "C".into()),
        ]
    };
    vec![one(100, "default", "d"), one(950, "C", "c")]
}

fn databases(known: &Known) -> Vec<Row> {
    let one = |name: &String| -> Row {
        vec![
            ("oid", derived("database", name).into()),
            ("datname", name.clone().into()),
            ("datdba", known.owner().into()),
        ]
    };
    known.databases.iter().map(one).collect()
}

fn described(one: &Relation) -> Option<Row> {
    let shown = one.shown.as_ref().filter(|shown| !shown.note.is_empty())?;
    Some(vec![
        ("objoid", one.oid.into()),
        ("classoid", 1259.into()),
        ("objsubid", 0.into()),
        ("description", shown.note.clone().into()),
    ])
}

fn languages(known: &Known) -> Vec<Row> {
    let one = |oid: i32, name: &str| -> Row {
        vec![
            ("oid", oid.into()),
            ("lanname", name.into()),
            ("lanowner", known.owner().into()),
        ]
    };
    vec![one(12, "internal"), one(14, "sql")]
}

fn namespaces(known: &Known) -> Vec<Row> {
    let one = |oid: &i32| -> Row {
        vec![
            ("oid", (*oid).into()),
            ("nspname", schema_name(*oid).unwrap_or_default().into()),
            ("nspowner", known.owner().into()),
        ]
    };
    [PG_CATALOG, PUBLIC, INFORMATION].iter().map(one).collect()
}

/// The functions that read and write values of a type; drivers tell arrays by them.
const ROLES_OF_FUNCTIONS: [&str; 4] = ["in", "out", "recv", "send"];

/// The object id of a function.
pub fn procedure_id(name: &str) -> i32 {
    derived("function", name)
}

/// The names of all functions that the catalog knows.
pub fn procedure_names() -> impl Iterator<Item = String> {
    TYPES
        .iter()
        .map(|one| one.name)
        .chain(["array_"])
        .flat_map(|stem| {
            ROLES_OF_FUNCTIONS
                .iter()
                .map(move |role| format!("{stem}{role}"))
        })
}

fn procedures(known: &Known) -> Vec<Row> {
    let one = |name: String| -> Row {
        vec![
            ("oid", procedure_id(&name).into()),
            ("pronamespace", PG_CATALOG.into()),
            ("proowner", known.owner().into()),
            ("prolang", 12.into()),
            ("prorettype", 2276.into()),
            ("prosrc", name.clone().into()),
            ("proargtypes", Cell::Ints(vec![2276])),
            ("proname", name.into()),
        ]
    };
    procedure_names().map(one).collect()
}

fn roles(known: &Known) -> Vec<Row> {
    let one = |name: &String| -> Row {
        vec![
            ("oid", derived("role", name).into()),
            ("rolname", name.clone().into()),
            ("rolcanlogin", (*name == known.session.user).into()),
        ]
    };
    known.roles.iter().map(one).collect()
}

fn setting((name, value): (&'static str, String)) -> Row {
    vec![
        ("name", name.into()),
        ("setting", value.clone().into()),
        ("category", "Clarence".into()),
        ("boot_val", value.clone().into()),
        ("reset_val", value.into()),
    ]
}

fn activity(known: &Known) -> Row {
    vec![
        ("datid", derived("database", &known.database()).into()),
        ("datname", known.database().into()),
        ("pid", super::backend_pid(&known.session).into()),
        ("usesysid", derived("role", &known.session.user).into()),
        ("usename", known.session.user.clone().into()),
        ("backend_type", "client backend".into()),
    ]
}

fn counted(one: &Relation) -> Row {
    vec![
        ("relid", one.oid.into()),
        ("schemaname", "public".into()),
        ("relname", one.name.clone().into()),
    ]
}

fn listed(known: &Known, one: &Relation) -> Option<Row> {
    (one.kind == "r").then(|| {
        vec![
            (
                "schemaname",
                schema_name(one.schema).unwrap_or_default().into(),
            ),
            ("tablename", one.name.clone().into()),
            (
                "tableowner",
                known.roles.last().cloned().unwrap_or_default().into(),
            ),
        ]
    })
}

fn tablespaces(known: &Known) -> Vec<Row> {
    let one = |oid: i32, name: &str| -> Row {
        vec![
            ("oid", oid.into()),
            ("spcname", name.into()),
            ("spcowner", known.owner().into()),
        ]
    };
    vec![one(1663, "pg_default"), one(1664, "pg_global")]
}

fn typed(known: &Known, one: &PgType) -> Vec<Row> {
    let row = |oid: i32, name: String, stem: &str| -> Row {
        let function = |role: &str| Cell::from(procedure_id(&format!("{stem}{role}")));
        vec![
            ("oid", oid.into()),
            ("typname", name.into()),
            ("typnamespace", PG_CATALOG.into()),
            ("typowner", known.owner().into()),
            ("typtype", one.kind.into()),
            (
                "typcollation",
                if one.category == "S" { 100 } else { 0 }.into(),
            ),
            ("typinput", function("in")),
            ("typoutput", function("out")),
            ("typreceive", function("recv")),
            ("typsend", function("send")),
        ]
    };
    let mut base = row(one.oid, one.name.to_owned(), one.name);
    base.push(("typlen", one.len.into()));
    base.push(("typcategory", one.category.into()));
    base.push(("typarray", one.array.into()));
    let mut all = vec![base];
    if one.array != 0 {
        let mut array = row(one.array, format!("_{}", one.name), "array_");
        array.push(("typlen", (-1).into()));
        array.push(("typcategory", "A".into()));
        array.push(("typelem", one.oid.into()));
        all.push(array);
    }
    all
}
