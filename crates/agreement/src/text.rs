//! The text that people write: TOML, every key with a comment in the template. A key that is not known is refused.

use crate::document::{
    AgreedColumn, Agreement, AgreementError, Need, Op, Show, Snapshot, Visibility, unreadable,
    wrong,
};
use crate::filter::Written as FilterWritten;
use serde::Deserialize;
use statement::{Aggregate, Generalise, TableName};
use std::collections::{BTreeMap, BTreeSet};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use words::{UnixMillis, hex};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// Bytes of a text.
const BYTES_MAX: usize = 64 * 1024;

const TEMPLATE: &str = r#"# An agreement between two authorities. Fill it in, then:
#   clarence agreement check THIS.toml --out THIS.agreement      what people sign
#   clarence agreement page THIS.agreement --lang fr             what a lawyer reads

format = 1
provider = "residents-register"      # the tenant whose data it is
consumer = "family-benefits"         # the tenant that uses it
table = "residents"                  # the provider's table
#version = 3                         # one version of it; the newest, if left out
#previous = "…"                      # the digest of the agreement that it takes the place of when it begins
purpose = "social.family-benefits"   # a node of the purpose tree: clarence refuses others and lists them
legal_basis = ["eli/etat/leg/loi/2016/07/23/n4/jo#art_4"]   # law and article, as ELI
# query: rows are asked for. aggregate: only aggregates leave, under [aggregate].
# link: joined with the consumer's own tables. export: what was asked for is kept in a table of the consumer's.
ops = ["query"]
#link_with = ["health-fund/members"] # tables of other agreements it may be joined with, if those name this one too
retention_days = 365                 # how long the consumer keeps what it was shown

[valid]
from = "2026-12-01"                  # 0:00 UTC on this day
until = "2027-12-01"                 # up to 0:00 UTC on this day

# Columns that are shown, and how. One that is not named is not shown.
#   clear, pseudonym (with domain), hash, year, month, prefix = n, band = n
# conditions: whether it may stand in WHERE, JOIN, ORDER BY.
[columns]
id = { show = "pseudonym", domain = "family-benefits", conditions = true }
born = { show = "year", conditions = true }
commune = { show = "clear", conditions = true }

# Rows that are shown; all, if left out.
#   { column, op, value }, { column, in = [] }, { column, not_in = [] }, { column, is_null = true },
#   { all = [ … ] }, { any = [ … ] }, { not = { … } }
#[rows]
#column = "commune"
#in = ["esch", "diekirch"]

# Rules for aggregates; needed where ops names aggregate.
#[aggregate]
#entity = "id"                       # the column whose distinct values are counted as persons
#min_group = 10                      # a group of fewer persons is left out
#rounding = 5                        # counts are rounded to a multiple of this
#differencing = true                 # a group that differs from an earlier one by too few persons is left out

# The persons concerned are told at once. By order they are told later:
#[deferred]
#order = "Juge d'instruction, 2026-1234"
#days = 90

# Who signs: how many persons, as what. "dpo, head, owner" = 2 asks for two persons, each as any of the three.
[sign.provider]
owner = 1
dpo = 1
[sign.consumer]
head = 1
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    provider: String,
    consumer: String,
    table: String,
    version: Option<u64>,
    purpose: String,
    legal_basis: Vec<String>,
    ops: Vec<String>,
    #[serde(default)]
    link_with: Vec<String>,
    retention_days: u32,
    valid: Valid,
    columns: BTreeMap<String, Column>,
    rows: Option<FilterWritten>,
    aggregate: Option<Rules>,
    deferred: Option<Deferred>,
    sign: Sign,
    previous: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Valid {
    from: String,
    until: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    show: Option<String>,
    domain: Option<String>,
    prefix: Option<u8>,
    band: Option<u64>,
    #[serde(default)]
    conditions: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    entity: String,
    min_group: u32,
    #[serde(default = "one")]
    rounding: u32,
    dominance: Option<(u32, u8)>,
    #[serde(default)]
    differencing: bool,
}

const fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deferred {
    order: String,
    days: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    provider: BTreeMap<String, u8>,
    consumer: BTreeMap<String, u8>,
}

impl Agreement {
    /// A text to be filled in, with a comment on each line.
    #[must_use]
    pub const fn template() -> &'static str {
        TEMPLATE
    }

    /// Reads the text that people wrote.
    pub fn from_toml(text: &str) -> Result<Self, AgreementError> {
        if text.len() > BYTES_MAX {
            return Err(AgreementError::Text(format!(
                "it has more than {BYTES_MAX} bytes"
            )));
        }
        let written: Written =
            toml::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
        if written.format != 1 {
            return Err(wrong(
                "format",
                "this build reads format 1; use a newer build",
            ));
        }
        let ops = ops_of(&written.ops)?;
        let columns: Result<Vec<AgreedColumn>, AgreementError> =
            written.columns.into_iter().map(column_of).collect();
        let needs = |all: BTreeMap<String, u8>| {
            let need = |(roles, count): (String, u8)| {
                let mut roles: Vec<String> = roles
                    .split(',')
                    .map(|role| role.trim().to_owned())
                    .collect();
                roles.sort_unstable();
                Need { roles, count }
            };
            let mut all: Vec<Need> = all.into_iter().map(need).collect();
            all.sort_by(|one, other| one.roles.cmp(&other.roles));
            all
        };
        let previous = written.previous.as_deref().map(digest_of).transpose()?;
        let agreement = Self {
            provider: written.provider,
            consumer: written.consumer,
            table: TableName::parse(&written.table)
                .map_err(|error| wrong("table", error.to_string()))?,
            snapshot: written.version.map_or(Snapshot::Latest, Snapshot::Version),
            purpose: written.purpose,
            legal_basis: written.legal_basis,
            ops,
            columns: columns?,
            rows: written.rows.map(|rows| rows.read("rows", 0)).transpose()?,
            aggregate: written.aggregate.map(rules_of),
            link_with: written.link_with,
            visibility: written.deferred.map_or(Visibility::Immediate, |deferred| {
                Visibility::Deferred {
                    order: deferred.order,
                    days: deferred.days,
                }
            }),
            not_before: day("valid.from", &written.valid.from)?,
            not_after: day("valid.until", &written.valid.until)?,
            retention_days: written.retention_days,
            provider_needs: needs(written.sign.provider),
            consumer_needs: needs(written.sign.consumer),
            previous,
        }
        .checked()?;
        agreement.proposable()?;
        Ok(agreement)
    }
}

fn ops_of(names: &[String]) -> Result<BTreeSet<Op>, AgreementError> {
    let op = |name: &String| {
        Op::named(name).ok_or_else(|| {
            let known: Vec<&str> = Op::ALL.iter().map(|(_, name)| *name).collect();
            wrong(
                "ops",
                format!("{name:?} is not known; there are {}", known.join(", ")),
            )
        })
    };
    names.iter().map(op).collect()
}

fn digest_of(digits: &str) -> Result<[u8; 32], AgreementError> {
    let bytes = hex::decode(digits).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| {
        wrong(
            "previous",
            "it is the digest of the version before: 64 hexadecimal digits",
        )
    })
}

fn column_of((name, column): (String, Column)) -> Result<AgreedColumn, AgreementError> {
    let Column {
        show,
        domain,
        prefix,
        band,
        conditions,
    } = column;
    let show = match (show.as_deref(), domain, prefix, band) {
        (Some("clear"), None, None, None) => Show::Clear,
        (Some("pseudonym"), Some(domain), None, None) => Show::Pseudonym { domain },
        (Some("hash"), None, None, None) => Show::Hash,
        (Some("year"), None, None, None) => Show::Generalise(Generalise::Year),
        (Some("month"), None, None, None) => Show::Generalise(Generalise::Month),
        (None, None, Some(count), None) => Show::Generalise(Generalise::Prefix(count)),
        (None, None, None, Some(band)) => Show::Generalise(Generalise::Band(band)),
        _ => {
            return Err(wrong(
                format!("columns.{name}"),
                "it is { show = \"clear\" }, { show = \"pseudonym\", domain = \"…\" }, { show = \"hash\" }, { show = \"year\" }, { show = \"month\" }, { prefix = n } or { band = n }",
            ));
        }
    };
    Ok(AgreedColumn {
        name,
        show,
        conditions,
    })
}

fn rules_of(rules: Rules) -> Aggregate {
    Aggregate {
        entity: rules.entity,
        min_group: rules.min_group,
        rounding: rules.rounding,
        dominance: rules.dominance,
        differencing: rules.differencing,
        privacy: None,
    }
}

fn day(place: &str, text: &str) -> Result<UnixMillis, AgreementError> {
    let day = time::Date::parse(text, DAY).ok();
    let seconds = day.map(|day| day.midnight().assume_utc().unix_timestamp());
    let millis = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let millis = millis.ok_or_else(|| {
        wrong(
            place,
            format!("{text:?} is no day since 1970; write 2026-12-01"),
        )
    })?;
    Ok(UnixMillis(millis * 1000))
}
