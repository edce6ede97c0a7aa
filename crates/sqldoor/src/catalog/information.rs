//! `information_schema`: the tables and columns that the session sees, as the SQL standard writes them.

use super::known::{Known, PUBLIC, Relation, schema_name};
use super::relation::Row;
use super::rows::users;
use super::types;

/// Its relations.
pub const RELATIONS: &[(&str, &str)] = &[
    (
        "schemata",
        "catalog_name:name schema_name:name schema_owner:name default_character_set_catalog:name default_character_set_schema:name default_character_set_name:name sql_path:text",
    ),
    (
        "tables",
        "table_catalog:name table_schema:name table_name:name table_type:text self_referencing_column_name:name reference_generation:text user_defined_type_catalog:name user_defined_type_schema:name user_defined_type_name:name is_insertable_into:text is_typed:text=NO commit_action:text",
    ),
    (
        "columns",
        "table_catalog:name table_schema:name table_name:name column_name:name ordinal_position:int4 column_default:text is_nullable:text data_type:text character_maximum_length:int4 character_octet_length:int4 numeric_precision:int4 numeric_precision_radix:int4 numeric_scale:int4 datetime_precision:int4 interval_type:text interval_precision:int4 character_set_catalog:name character_set_schema:name character_set_name:name collation_catalog:name collation_schema:name collation_name:name domain_catalog:name domain_schema:name domain_name:name udt_catalog:name udt_schema:name=pg_catalog udt_name:name scope_catalog:name scope_schema:name scope_name:name maximum_cardinality:int4 dtd_identifier:name is_self_referencing:text=NO is_identity:text=NO identity_generation:text identity_start:text identity_increment:text identity_maximum:text identity_minimum:text identity_cycle:text=NO is_generated:text=NEVER generation_expression:text is_updatable:text=NO",
    ),
    (
        "views",
        "table_catalog:name table_schema:name table_name:name view_definition:text check_option:text is_updatable:text is_insertable_into:text is_trigger_updatable:text is_trigger_deletable:text is_trigger_insertable_into:text",
    ),
    (
        "key_column_usage",
        "constraint_catalog:name constraint_schema:name constraint_name:name table_catalog:name table_schema:name table_name:name column_name:name ordinal_position:int4 position_in_unique_constraint:int4",
    ),
    (
        "table_constraints",
        "constraint_catalog:name constraint_schema:name constraint_name:name table_catalog:name table_schema:name table_name:name constraint_type:text is_deferrable:text initially_deferred:text enforced:text nulls_distinct:text",
    ),
    (
        "referential_constraints",
        "constraint_catalog:name constraint_schema:name constraint_name:name unique_constraint_catalog:name unique_constraint_schema:name unique_constraint_name:name match_option:text update_rule:text delete_rule:text",
    ),
    (
        "constraint_column_usage",
        "table_catalog:name table_schema:name table_name:name column_name:name constraint_catalog:name constraint_schema:name constraint_name:name",
    ),
    (
        "constraint_table_usage",
        "table_catalog:name table_schema:name table_name:name constraint_catalog:name constraint_schema:name constraint_name:name",
    ),
    (
        "check_constraints",
        "constraint_catalog:name constraint_schema:name constraint_name:name check_clause:text",
    ),
    (
        "routines",
        "specific_catalog:name specific_schema:name specific_name:name routine_catalog:name routine_schema:name routine_name:name routine_type:text data_type:text type_udt_name:name routine_body:text routine_definition:text external_language:text",
    ),
    (
        "parameters",
        "specific_catalog:name specific_schema:name specific_name:name ordinal_position:int4 parameter_mode:text parameter_name:name data_type:text udt_name:name parameter_default:text",
    ),
    (
        "character_sets",
        "character_set_catalog:name character_set_schema:name character_set_name:name character_repertoire:name form_of_use:name default_collate_catalog:name default_collate_schema:name default_collate_name:name",
    ),
    (
        "collations",
        "collation_catalog:name collation_schema:name collation_name:name pad_attribute:text",
    ),
    (
        "sequences",
        "sequence_catalog:name sequence_schema:name sequence_name:name data_type:text numeric_precision:int4 start_value:text minimum_value:text maximum_value:text increment:text cycle_option:text",
    ),
    (
        "triggers",
        "trigger_catalog:name trigger_schema:name trigger_name:name event_manipulation:text event_object_catalog:name event_object_schema:name event_object_table:name action_statement:text action_orientation:text action_timing:text",
    ),
    (
        "domains",
        "domain_catalog:name domain_schema:name domain_name:name data_type:text",
    ),
    (
        "table_privileges",
        "grantor:name grantee:name table_catalog:name table_schema:name table_name:name privilege_type:text=SELECT is_grantable:text=NO with_hierarchy:text=YES",
    ),
    (
        "role_table_grants",
        "grantor:name grantee:name table_catalog:name table_schema:name table_name:name privilege_type:text=SELECT is_grantable:text=NO with_hierarchy:text=YES",
    ),
    (
        "column_privileges",
        "grantor:name grantee:name table_catalog:name table_schema:name table_name:name column_name:name privilege_type:text=SELECT is_grantable:text=NO",
    ),
    ("enabled_roles", "role_name:name"),
    (
        "applicable_roles",
        "grantee:name role_name:name is_grantable:text",
    ),
    (
        "foreign_tables",
        "foreign_table_catalog:name foreign_table_schema:name foreign_table_name:name foreign_server_catalog:name foreign_server_name:name",
    ),
    ("information_schema_catalog_name", "catalog_name:name"),
];

/// Those with rows.
pub const FILLED: &[&str] = &[
    "schemata",
    "tables",
    "columns",
    "character_sets",
    "table_privileges",
    "role_table_grants",
    "enabled_roles",
    "information_schema_catalog_name",
];

/// Rows of the relation of this name.
pub fn rows(known: &Known, name: &str) -> Vec<Row> {
    match name {
        "schemata" => ["pg_catalog", "public", "information_schema"]
            .iter()
            .map(|schema| schemata(known, schema))
            .collect(),
        "tables" => known
            .relations
            .iter()
            .map(|one| table(known, one))
            .collect(),
        "columns" => users(known).flat_map(|one| columns(known, one)).collect(),
        "character_sets" => vec![vec![
            ("character_set_name", "UTF8".into()),
            ("character_repertoire", "UCS".into()),
            ("form_of_use", "UTF8".into()),
            ("default_collate_catalog", known.database().into()),
            ("default_collate_schema", "pg_catalog".into()),
            ("default_collate_name", "default".into()),
        ]],
        "table_privileges" | "role_table_grants" => {
            users(known).map(|one| granted(known, one)).collect()
        }
        "enabled_roles" => {
            let one = |name: &String| -> Row { vec![("role_name", name.clone().into())] };
            known.roles.iter().map(one).collect()
        }
        "information_schema_catalog_name" => {
            vec![vec![("catalog_name", known.database().into())]]
        }
        _ => Vec::new(),
    }
}

fn schemata(known: &Known, schema: &str) -> Row {
    vec![
        ("catalog_name", known.database().into()),
        ("schema_name", schema.into()),
        (
            "schema_owner",
            known.roles.last().cloned().unwrap_or_default().into(),
        ),
    ]
}

fn place(known: &Known, one: &Relation) -> Row {
    vec![
        ("table_catalog", known.database().into()),
        (
            "table_schema",
            schema_name(one.schema).unwrap_or_default().into(),
        ),
        ("table_name", one.name.clone().into()),
    ]
}

fn table(known: &Known, one: &Relation) -> Row {
    let mut row = place(known, one);
    let kind = if one.kind == "r" {
        "BASE TABLE"
    } else {
        "VIEW"
    };
    let insertable = one.schema == PUBLIC && known.writes();
    row.push(("table_type", kind.into()));
    row.push((
        "is_insertable_into",
        if insertable { "YES" } else { "NO" }.into(),
    ));
    row
}

fn columns(known: &Known, one: &Relation) -> Vec<Row> {
    let shown = one.shown.iter().flat_map(|shown| shown.columns.iter());
    let column = |(at, column): (usize, &statement::Column)| {
        let (oid, modifier) = types::of_kind(column.kind);
        let place_of = i32::try_from(at + 1).unwrap_or(i32::MAX);
        let mut row = place(known, one);
        row.push(("column_name", column.name.clone().into()));
        row.push(("ordinal_position", place_of.into()));
        row.push((
            "is_nullable",
            if column.nullable { "YES" } else { "NO" }.into(),
        ));
        row.push(("data_type", types::formatted(oid, None).into()));
        row.push(("udt_catalog", known.database().into()));
        row.push(("dtd_identifier", place_of.to_string().into()));
        if let Some((found, _)) = types::by_oid(oid) {
            row.push(("udt_name", found.name.into()));
        }
        row.extend(measures(oid, modifier));
        row
    };
    shown.enumerate().map(column).collect()
}

/// Digits, scale and the like of a type.
fn measures(oid: i32, modifier: i32) -> Row {
    let (digits, radix, scale) = match oid {
        21 => (16, 2, Some(0)),
        23 => (32, 2, Some(0)),
        20 => (64, 2, Some(0)),
        700 => (24, 2, None),
        701 => (53, 2, None),
        1700 if modifier >= 4 => (((modifier - 4) >> 16), 10, Some((modifier - 4) & 0xffff)),
        1114 | 1184 => return vec![("datetime_precision", 6.into())],
        1082 => return vec![("datetime_precision", 0.into())],
        25 => return vec![("character_octet_length", 0x4000_0000.into())],
        _ => return Vec::new(),
    };
    let mut row: Row = vec![
        ("numeric_precision", digits.into()),
        ("numeric_precision_radix", radix.into()),
    ];
    if let Some(scale) = scale {
        row.push(("numeric_scale", scale.into()));
    }
    row
}

fn granted(known: &Known, one: &Relation) -> Row {
    let mut row = place(known, one);
    row.push((
        "grantor",
        known.roles.last().cloned().unwrap_or_default().into(),
    ));
    row.push(("grantee", known.session.user.clone().into()));
    row
}
