//! PostgreSQL's own types, as far as clients ask for them.

use statement::Kind;

/// One type.
pub struct PgType {
    /// Its object id, which PostgreSQL fixed.
    pub oid: i32,
    /// Its name in `pg_type`.
    pub name: &'static str,
    /// Its name in SQL.
    pub sql: &'static str,
    /// Bytes of a value, -1 if they differ, -2 for text that ends with zero.
    pub len: i32,
    /// Its category (`N` numbers, `S` texts, …).
    pub category: &'static str,
    /// The object id of its array, 0 if there is none.
    pub array: i32,
    /// Its kind: `b` base, `p` pseudo.
    pub kind: &'static str,
}

const fn base(
    oid: i32,
    name: &'static str,
    sql: &'static str,
    len: i32,
    category: &'static str,
    array: i32,
) -> PgType {
    PgType {
        oid,
        name,
        sql,
        len,
        category,
        array,
        kind: "b",
    }
}

const fn pseudo(oid: i32, name: &'static str) -> PgType {
    PgType {
        oid,
        name,
        sql: name,
        len: 4,
        category: "P",
        array: 0,
        kind: "p",
    }
}

/// All of them; their arrays are not listed.
pub const TYPES: &[PgType] = &[
    base(16, "bool", "boolean", 1, "B", 1000),
    base(17, "bytea", "bytea", -1, "U", 1001),
    base(18, "char", "\"char\"", 1, "Z", 1002),
    base(19, "name", "name", 64, "S", 1003),
    base(20, "int8", "bigint", 8, "N", 1016),
    base(21, "int2", "smallint", 2, "N", 1005),
    base(22, "int2vector", "int2vector", -1, "A", 1006),
    base(23, "int4", "integer", 4, "N", 1007),
    base(24, "regproc", "regproc", 4, "N", 1008),
    base(25, "text", "text", -1, "S", 1009),
    base(26, "oid", "oid", 4, "N", 1028),
    base(27, "tid", "tid", 6, "U", 1010),
    base(28, "xid", "xid", 4, "U", 1011),
    base(30, "oidvector", "oidvector", -1, "A", 1013),
    base(114, "json", "json", -1, "U", 199),
    base(142, "xml", "xml", -1, "U", 143),
    base(194, "pg_node_tree", "pg_node_tree", -1, "Z", 0),
    base(600, "point", "point", 16, "G", 1017),
    base(650, "cidr", "cidr", -1, "I", 651),
    base(700, "float4", "real", 4, "N", 1021),
    base(701, "float8", "double precision", 8, "N", 1022),
    base(790, "money", "money", 8, "N", 791),
    base(829, "macaddr", "macaddr", 6, "U", 1040),
    base(869, "inet", "inet", -1, "I", 1041),
    base(1033, "aclitem", "aclitem", 12, "U", 1034),
    base(1042, "bpchar", "character", -1, "S", 1014),
    base(1043, "varchar", "character varying", -1, "S", 1015),
    base(1082, "date", "date", 4, "D", 1182),
    base(1083, "time", "time without time zone", 8, "D", 1183),
    base(
        1114,
        "timestamp",
        "timestamp without time zone",
        8,
        "D",
        1115,
    ),
    base(
        1184,
        "timestamptz",
        "timestamp with time zone",
        8,
        "D",
        1185,
    ),
    base(1186, "interval", "interval", 16, "T", 1187),
    base(1266, "timetz", "time with time zone", 12, "D", 1270),
    base(1560, "bit", "bit", -1, "V", 1561),
    base(1562, "varbit", "bit varying", -1, "V", 1563),
    base(1700, "numeric", "numeric", -1, "N", 1231),
    base(2205, "regclass", "regclass", 4, "N", 2210),
    base(2206, "regtype", "regtype", 4, "N", 2211),
    base(2950, "uuid", "uuid", 16, "U", 2951),
    base(3614, "tsvector", "tsvector", -1, "U", 3643),
    base(3802, "jsonb", "jsonb", -1, "U", 3807),
    base(4089, "regnamespace", "regnamespace", 4, "N", 4090),
    base(4096, "regrole", "regrole", 4, "N", 4097),
    pseudo(705, "unknown"),
    pseudo(2249, "record"),
    pseudo(2276, "any"),
    pseudo(2277, "anyarray"),
    pseudo(2278, "void"),
];

/// A type, and whether its array is meant, by object id.
pub fn by_oid(oid: i32) -> Option<(&'static PgType, bool)> {
    let found = TYPES.iter().find(|found| found.oid == oid);
    let array = || TYPES.iter().find(|found| found.array == oid && oid != 0);
    found
        .map(|found| (found, false))
        .or_else(|| array().map(|found| (found, true)))
}

/// The object id of a type by one of its names; `[]` behind it and `_` before it mean its array.
pub fn by_name(name: &str) -> Option<i32> {
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let (name, is_array) = match (name.strip_suffix("[]"), name.strip_prefix('_')) {
        (Some(inner), _) | (None, Some(inner)) => (inner, true),
        (None, None) => (name, false),
    };
    let name = match name.trim_matches('"') {
        "int" => "int4",
        "decimal" => "numeric",
        "timestamp with time zone" => "timestamptz",
        other => other,
    };
    let named = |found: &&PgType| found.name == name || found.sql == name;
    let found = TYPES.iter().find(named)?;
    Some(if is_array { found.array } else { found.oid })
}

/// What PostgreSQL calls a type, with its modifier (`numeric(10,2)`).
pub fn formatted(oid: i32, modifier: Option<i32>) -> String {
    let Some((found, is_array)) = by_oid(oid) else {
        return if oid == 0 { "-" } else { "???" }.to_owned();
    };
    let mut text = found.sql.to_owned();
    match (found.oid, modifier.filter(|modifier| *modifier >= 4)) {
        (1700, Some(modifier)) => {
            let (digits, scale) = ((modifier - 4) >> 16, (modifier - 4) & 0xffff);
            text = format!("numeric({digits},{scale})");
        }
        (1042 | 1043, Some(modifier)) => text = format!("{text}({})", modifier - 4),
        _ => {}
    }
    if is_array {
        text.push_str("[]");
    }
    text
}

/// The type and the modifier of a column.
pub const fn of_kind(kind: Kind) -> (i32, i32) {
    match kind {
        Kind::Bool => (16, -1),
        Kind::Int16 => (21, -1),
        Kind::Int32 => (23, -1),
        Kind::Int64 => (20, -1),
        Kind::Float32 => (700, -1),
        Kind::Float64 => (701, -1),
        Kind::Decimal(digits, scale) => {
            let scale = if scale < 0 { 0 } else { scale as i32 };
            (1700, (((digits as i32) << 16) | scale) + 4)
        }
        Kind::Text => (25, -1),
        Kind::Binary => (17, -1),
        Kind::Date => (1082, -1),
        Kind::Timestamp => (1114, -1),
        Kind::TimestampUtc => (1184, -1),
    }
}

/// The type that a relation's line calls so.
pub fn of_line(kind: &str) -> i32 {
    match kind.strip_suffix("[]") {
        Some("char") => 1002,
        Some(inner) => by_name(&format!("{inner}[]")).unwrap_or(1009),
        None => by_name(kind).unwrap_or(25),
    }
}
