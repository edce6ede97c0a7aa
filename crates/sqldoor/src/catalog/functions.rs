//! The functions of the catalog.

use super::function::Gives::{Bool, Int4, Int8, Moment, Oid, Place, Text, Texts};
use super::function::{BETWEEN, Definition, Does, Given, Gives};
use super::known::{Known, derived, quoted, schema_id, schema_name};
use super::rows::{procedure_id, procedure_names};
use super::settings::{SERVER_VERSION, setting};
use super::types;

const fn define(
    name: &'static str,
    least: usize,
    most: usize,
    gives: Gives,
    does: Does,
) -> Definition {
    Definition {
        name,
        arguments: (least, most),
        gives,
        does,
    }
}

/// All of them.
pub const FUNCTIONS: &[Definition] = &[
    define("format_type", 2, 2, Text, format_type),
    define("pg_get_userbyid", 1, 1, Text, user_by_id),
    define("pg_table_is_visible", 1, 1, Bool, table_is_visible),
    define("pg_type_is_visible", 1, 1, Bool, yes),
    define("pg_function_is_visible", 1, 1, Bool, yes),
    define("pg_operator_is_visible", 1, 1, Bool, yes),
    define("pg_opclass_is_visible", 1, 1, Bool, yes),
    define("pg_opfamily_is_visible", 1, 1, Bool, yes),
    define("pg_ts_dict_is_visible", 1, 1, Bool, yes),
    define("pg_ts_parser_is_visible", 1, 1, Bool, yes),
    define("pg_ts_template_is_visible", 1, 1, Bool, yes),
    define("pg_collation_is_visible", 1, 1, Bool, yes),
    define("pg_conversion_is_visible", 1, 1, Bool, yes),
    define("pg_statistics_obj_is_visible", 1, 1, Bool, yes),
    define("pg_ts_config_is_visible", 1, 1, Bool, yes),
    define("pg_get_expr", 2, 3, Text, first),
    define("pg_get_constraintdef", 1, 2, Text, nothing),
    define("pg_get_indexdef", 1, 3, Text, nothing),
    define("pg_get_viewdef", 1, 2, Text, nothing),
    define("pg_get_triggerdef", 1, 2, Text, nothing),
    define("pg_get_ruledef", 1, 2, Text, nothing),
    define("pg_get_partkeydef", 1, 1, Text, nothing),
    define("pg_get_partition_constraintdef", 1, 1, Text, nothing),
    define("pg_get_statisticsobjdef_columns", 1, 1, Text, nothing),
    define("pg_get_serial_sequence", 2, 2, Text, nothing),
    define("pg_get_functiondef", 1, 1, Text, nothing),
    define("pg_get_function_result", 1, 1, Text, any),
    define("pg_get_function_arguments", 1, 1, Text, any),
    define("pg_get_function_identity_arguments", 1, 1, Text, any),
    define("pg_get_function_arg_default", 2, 2, Text, nothing),
    define("pg_relation_is_publishable", 1, 1, Bool, no),
    define("pg_index_column_has_property", 3, 3, Bool, no),
    define("pg_indexam_has_property", 2, 2, Bool, no),
    define("pg_index_has_property", 2, 2, Bool, no),
    define("obj_description", 1, 2, Text, obj_description),
    define("shobj_description", 2, 2, Text, nothing),
    define("col_description", 2, 2, Text, nothing),
    define("current_database", 0, 0, Text, database),
    define("current_catalog", 0, 0, Text, database),
    define("current_schema", 0, 0, Text, schema),
    define("current_schemas", 1, 1, Texts, schemas),
    define("current_user", 0, 0, Text, user),
    define("session_user", 0, 0, Text, user),
    define("user", 0, 0, Text, user),
    define("current_role", 0, 0, Text, user),
    define("system_user", 0, 0, Text, user),
    define("version", 0, 0, Text, version),
    define("pg_backend_pid", 0, 0, Int4, backend_pid),
    define("has_table_privilege", 2, 3, Bool, table_privilege),
    define("has_any_column_privilege", 2, 3, Bool, table_privilege),
    define("has_column_privilege", 3, 4, Bool, column_privilege),
    define("has_schema_privilege", 2, 3, Bool, schema_privilege),
    define("has_database_privilege", 2, 3, Bool, schema_privilege),
    define("has_function_privilege", 2, 3, Bool, yes),
    define("has_language_privilege", 2, 3, Bool, no),
    define("has_sequence_privilege", 2, 3, Bool, no),
    define("has_tablespace_privilege", 2, 3, Bool, no),
    define("has_type_privilege", 2, 3, Bool, yes),
    define("has_foreign_data_wrapper_privilege", 2, 3, Bool, no),
    define("has_server_privilege", 2, 3, Bool, no),
    define("pg_has_role", 2, 3, Bool, has_role),
    define("pg_encoding_to_char", 1, 1, Text, encoding),
    define("pg_char_to_encoding", 1, 1, Int4, encoding_number),
    define("pg_client_encoding", 0, 0, Text, client_encoding),
    define("getdatabaseencoding", 0, 0, Text, client_encoding),
    define("pg_relation_size", 1, 2, Int8, nothing),
    define("pg_total_relation_size", 1, 1, Int8, nothing),
    define("pg_table_size", 1, 1, Int8, nothing),
    define("pg_indexes_size", 1, 1, Int8, nothing),
    define("pg_database_size", 1, 1, Int8, nothing),
    define("pg_tablespace_size", 1, 1, Int8, nothing),
    define("pg_size_pretty", 1, 1, Text, size_pretty),
    define("pg_relation_filenode", 1, 1, Oid, nothing),
    define("pg_tablespace_location", 1, 1, Text, nothing),
    define("pg_stat_get_numscans", 1, 1, Int8, nothing),
    define("quote_ident", 1, 1, Text, quote_ident),
    define("quote_literal", 1, 1, Text, quote_literal),
    define("to_regclass", 1, 1, Oid, to_regclass),
    define("to_regtype", 1, 1, Oid, to_regtype),
    define("to_regnamespace", 1, 1, Oid, to_regnamespace),
    define("to_regproc", 1, 1, Oid, to_regproc),
    define("to_regrole", 1, 1, Oid, to_regrole),
    define("clarence_regclass", 1, 1, Text, regclass_text),
    define("clarence_regtype", 1, 1, Text, regtype_text),
    define("clarence_regnamespace", 1, 1, Text, regnamespace_text),
    define("clarence_regproc", 1, 1, Text, regproc_text),
    define("clarence_regrole", 1, 1, Text, user_by_id),
    define("current_setting", 1, 2, Text, current_setting),
    define("set_config", 3, 3, Text, set_config),
    define("pg_is_in_recovery", 0, 0, Bool, no),
    define("pg_is_wal_replay_paused", 0, 0, Bool, no),
    define("txid_current", 0, 0, Int8, nothing),
    define("txid_current_if_assigned", 0, 0, Int8, nothing),
    define("pg_current_xact_id", 0, 0, Int8, nothing),
    define("inet_server_addr", 0, 0, Text, nothing),
    define("inet_server_port", 0, 0, Int4, nothing),
    define("inet_client_addr", 0, 0, Text, nothing),
    define("inet_client_port", 0, 0, Int4, nothing),
    define("pg_postmaster_start_time", 0, 0, Moment, nothing),
    define("pg_conf_load_time", 0, 0, Moment, nothing),
    define("pg_my_temp_schema", 0, 0, Oid, zero),
    define("pg_is_other_temp_schema", 1, 1, Bool, no),
    define("pg_column_is_updatable", 3, 3, Bool, no),
    define("pg_relation_is_updatable", 2, 2, Int4, zero),
    define("_pg_expandarray", 1, 1, Place, nothing),
    define("json_build_object", 0, 100, Text, json_object),
    define("json_build_array", 0, 100, Text, json_array),
    define("format", 1, 100, Text, format_text),
    define("array_upper", 2, 2, Int4, nothing),
    define("array_lower", 2, 2, Int4, nothing),
];

/// Whether there is one of this name.
pub fn is_ours(name: &str) -> bool {
    FUNCTIONS.iter().any(|one| one.name == name)
}

fn said(value: bool) -> Option<String> {
    Some(if value { "t" } else { "f" }.to_owned())
}

fn argument<'a>(given: Given<'a>, at: usize) -> Option<&'a str> {
    given.get(at).copied().flatten()
}

fn number(given: Given<'_>, at: usize) -> Option<i32> {
    argument(given, at)?.parse().ok()
}

fn yes(_: &Known, _: Given<'_>) -> Option<String> {
    said(true)
}

fn no(_: &Known, _: Given<'_>) -> Option<String> {
    said(false)
}

fn nothing(_: &Known, _: Given<'_>) -> Option<String> {
    None
}

fn zero(_: &Known, _: Given<'_>) -> Option<String> {
    Some("0".to_owned())
}

fn any(_: &Known, _: Given<'_>) -> Option<String> {
    Some("any".to_owned())
}

fn first(_: &Known, given: Given<'_>) -> Option<String> {
    argument(given, 0).map(str::to_owned)
}

fn format_type(_: &Known, given: Given<'_>) -> Option<String> {
    Some(types::formatted(number(given, 0)?, number(given, 1)))
}

fn role_name(known: &Known, oid: i32) -> Option<&String> {
    known.roles.iter().find(|name| derived("role", name) == oid)
}

fn user_by_id(known: &Known, given: Given<'_>) -> Option<String> {
    let oid = number(given, 0)?;
    let found = role_name(known, oid).cloned();
    Some(found.unwrap_or_else(|| format!("unknown (OID={oid})")))
}

fn table_is_visible(known: &Known, given: Given<'_>) -> Option<String> {
    let found = known.relation(number(given, 0)?)?;
    said(schema_name(found.schema) != Some("information_schema"))
}

fn obj_description(known: &Known, given: Given<'_>) -> Option<String> {
    if !matches!(argument(given, 1), None | Some("pg_class")) {
        return None;
    }
    let found = known.relation(number(given, 0)?)?.shown.as_ref()?;
    (!found.note.is_empty()).then(|| found.note.clone())
}

fn database(known: &Known, _: Given<'_>) -> Option<String> {
    Some(known.database())
}

fn schema(_: &Known, _: Given<'_>) -> Option<String> {
    Some(sql::SCHEMA.to_owned())
}

fn schemas(_: &Known, given: Given<'_>) -> Option<String> {
    Some(match argument(given, 0)? {
        "true" | "t" => format!("pg_catalog{BETWEEN}{}", sql::SCHEMA),
        _ => sql::SCHEMA.to_owned(),
    })
}

fn user(known: &Known, _: Given<'_>) -> Option<String> {
    Some(known.session.user.clone())
}

fn version(_: &Known, _: Given<'_>) -> Option<String> {
    Some(format!(
        "PostgreSQL {SERVER_VERSION} (Clarence {})",
        env!("CARGO_PKG_VERSION")
    ))
}

fn backend_pid(known: &Known, _: Given<'_>) -> Option<String> {
    Some(super::backend_pid(&known.session).to_string())
}

/// The last argument names privileges; the one before it, the object.
fn only_reads(privileges: &str) -> bool {
    privileges.split(',').all(|one| {
        let one = one.trim().to_ascii_uppercase();
        matches!(one.as_str(), "SELECT" | "USAGE" | "CONNECT")
    })
}

fn table_privilege(known: &Known, given: Given<'_>) -> Option<String> {
    let object = argument(given, given.len().checked_sub(2)?)?;
    let privileges = argument(given, given.len() - 1)?;
    let found = known.named(object)?;
    said(only_reads(privileges) || (found.shown.is_some() && known.writes()))
}

fn column_privilege(known: &Known, given: Given<'_>) -> Option<String> {
    let object = argument(given, given.len().checked_sub(3)?)?;
    let privileges = argument(given, given.len() - 1)?;
    let found = known.named(object)?;
    said(only_reads(privileges) || (found.shown.is_some() && known.writes()))
}

fn schema_privilege(known: &Known, given: Given<'_>) -> Option<String> {
    let privileges = argument(given, given.len().checked_sub(1)?)?;
    said(only_reads(privileges) || known.writes())
}

fn has_role(known: &Known, given: Given<'_>) -> Option<String> {
    let object = argument(given, given.len().checked_sub(2)?)?;
    let user = &known.session.user;
    said(object == user || object.parse() == Ok(derived("role", user)))
}

fn encoding(_: &Known, given: Given<'_>) -> Option<String> {
    Some(match number(given, 0)? {
        6 => "UTF8".to_owned(),
        0 => "SQL_ASCII".to_owned(),
        _ => String::new(),
    })
}

fn encoding_number(_: &Known, given: Given<'_>) -> Option<String> {
    let name = argument(given, 0)?.to_ascii_uppercase();
    let known = matches!(name.as_str(), "UTF8" | "UTF-8" | "UNICODE");
    Some(if known { "6" } else { "-1" }.to_owned())
}

fn client_encoding(_: &Known, _: Given<'_>) -> Option<String> {
    Some("UTF8".to_owned())
}

fn size_pretty(_: &Known, given: Given<'_>) -> Option<String> {
    let mut size: i64 = argument(given, 0)?.parse().ok()?;
    for unit in ["bytes", "kB", "MB", "GB", "TB"] {
        if size.unsigned_abs() < 10 * 1024 {
            return Some(format!("{size} {unit}"));
        }
        size /= 1024;
    }
    Some(format!("{size} PB"))
}

fn quote_ident(_: &Known, given: Given<'_>) -> Option<String> {
    argument(given, 0).map(quoted)
}

fn quote_literal(_: &Known, given: Given<'_>) -> Option<String> {
    argument(given, 0).map(|text| format!("'{}'", text.replace('\'', "''")))
}

fn to_regclass(known: &Known, given: Given<'_>) -> Option<String> {
    let text = argument(given, 0)?;
    if text == "-" {
        return zero(known, given);
    }
    known.named(text).map(|found| found.oid.to_string())
}

fn to_regtype(_: &Known, given: Given<'_>) -> Option<String> {
    let text = argument(given, 0)?;
    let oid = text.parse().ok().or_else(|| types::by_name(text))?;
    Some(oid.to_string())
}

fn to_regnamespace(_: &Known, given: Given<'_>) -> Option<String> {
    let text = argument(given, 0)?;
    let oid = text
        .parse()
        .ok()
        .or_else(|| schema_id(text.trim_matches('"')))?;
    Some(oid.to_string())
}

fn to_regproc(_: &Known, given: Given<'_>) -> Option<String> {
    let text = argument(given, 0)?;
    if let Ok(oid) = text.parse::<i32>() {
        return Some(oid.to_string());
    }
    let name = text.strip_prefix("pg_catalog.").unwrap_or(text);
    let known = procedure_names().any(|known| known == name);
    known.then(|| procedure_id(name).to_string())
}

fn to_regrole(known: &Known, given: Given<'_>) -> Option<String> {
    let text = argument(given, 0)?;
    let found = known
        .roles
        .iter()
        .find(|name| quoted(name) == text || *name == text);
    found.map(|name| derived("role", name).to_string())
}

/// A number that names nothing is written as it is.
fn or_number(given: Given<'_>, found: Option<String>) -> Option<String> {
    found.or_else(|| match argument(given, 0) {
        Some("0") => Some("-".to_owned()),
        other => other.map(str::to_owned),
    })
}

fn regclass_text(known: &Known, given: Given<'_>) -> Option<String> {
    or_number(given, number(given, 0).and_then(|oid| known.written(oid)))
}

fn regtype_text(_: &Known, given: Given<'_>) -> Option<String> {
    let known = number(given, 0).filter(|oid| types::by_oid(*oid).is_some());
    or_number(given, known.map(|oid| types::formatted(oid, None)))
}

fn regnamespace_text(_: &Known, given: Given<'_>) -> Option<String> {
    let name = number(given, 0).and_then(schema_name);
    or_number(given, name.map(str::to_owned))
}

fn regproc_text(_: &Known, given: Given<'_>) -> Option<String> {
    let oid = number(given, 0);
    let found = procedure_names().find(|name| Some(procedure_id(name)) == oid);
    or_number(given, found)
}

fn current_setting(known: &Known, given: Given<'_>) -> Option<String> {
    setting(known, argument(given, 0)?)
}

fn set_config(_: &Known, given: Given<'_>) -> Option<String> {
    argument(given, 1).map(str::to_owned)
}

/// A value as JSON. What looks like a number or a truth is one: its type is not known here.
fn json(value: Option<&str>) -> String {
    match value {
        None => "null".to_owned(),
        Some(plain @ ("true" | "false")) => plain.to_owned(),
        Some(number) if number.parse::<i64>().is_ok() => number.to_owned(),
        Some(text) => serde_json::Value::from(text).to_string(),
    }
}

fn json_object(_: &Known, given: Given<'_>) -> Option<String> {
    let pair = |pair: &[Option<&str>]| {
        let name = serde_json::Value::from(argument(pair, 0).unwrap_or_default());
        format!("{name} : {}", json(argument(pair, 1)))
    };
    let all: Vec<String> = given.chunks(2).map(pair).collect();
    Some(format!("{{{}}}", all.join(", ")))
}

fn json_array(_: &Known, given: Given<'_>) -> Option<String> {
    let all: Vec<String> = given.iter().map(|one| json(*one)).collect();
    Some(format!("[{}]", all.join(", ")))
}

/// `format('%I.%I', …)`, with `%s`, `%I`, `%L` and `%%`.
fn format_text(known: &Known, given: Given<'_>) -> Option<String> {
    let mut letters = argument(given, 0)?.chars();
    let mut rest = given.iter().skip(1).copied();
    let mut out = String::new();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next()? {
            '%' => out.push('%'),
            's' => out.push_str(rest.next()?.unwrap_or_default()),
            'I' => out.push_str(&quoted(rest.next()??)),
            'L' => match rest.next()? {
                Some(text) => out.push_str(&quote_literal(known, &[Some(text)])?),
                None => out.push_str("NULL"),
            },
            _ => return None,
        }
    }
    Some(out)
}
