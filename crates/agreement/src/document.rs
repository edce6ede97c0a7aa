//! What an agreement says.

use crate::purpose;
use aws_lc_rs::digest::{SHA256, digest};
use statement::cohort::WATCHED_MAX;
use statement::limits::{COLUMNS_MAX, FILTER_NODES_MAX};
use statement::{Aggregate, Filter, Generalise, TableName};
use std::collections::BTreeSet;
use std::fmt;
use words::{TenantName, UnixMillis, hex};

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 16;
const LEGAL_BASES_MAX: usize = 16;
const LEGAL_BASIS_CHARS_MAX: usize = 200;
const LINKS_MAX: usize = 64;
const NEEDS_MAX: usize = 8;
const NAME_CHARS_MAX: usize = 63;
const DEFERRED_DAYS_MAX: u16 = 3650;
const RETENTION_DAYS_MAX: u32 = 36_525;
/// No agreement lasts longer without being made anew: ten years and three days.
const LASTS_MS_MAX: u64 = 3655 * 24 * 3_600_000;
const MIN_GROUP_MAX: u32 = 1_000_000;
/// Persons who sign for one side.
const SIGNERS_MAX: usize = 8;

/// Why an agreement was refused. Nothing was taken from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// The text cannot be read.
    #[error("the agreement cannot be read: {0}")]
    Text(String),
    /// The signed form is not one.
    #[error(
        "this is not an agreement in the form that is signed: {0}; write it again with `clarence agreement check`"
    )]
    Form(String),
    /// Something in it is not allowed or not known.
    #[error("{place}: {why}")]
    Wrong {
        /// Where.
        place: String,
        /// What is wrong and what to do.
        why: String,
    },
}

/// Characters of what is said of one mistake. What is quoted may be long.
const SAID_CHARS_MAX: usize = 700;
const PLACE_CHARS_MAX: usize = 100;

pub(crate) fn wrong(place: impl Into<String>, why: impl Into<String>) -> AgreementError {
    AgreementError::Wrong {
        place: shortened(&place.into(), PLACE_CHARS_MAX),
        why: shortened(&why.into(), SAID_CHARS_MAX),
    }
}

/// The text could not be read, for the reason that its reader gives.
pub(crate) fn unreadable(why: &str) -> AgreementError {
    AgreementError::Text(shortened(why, SAID_CHARS_MAX))
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Rows are asked for in SQL.
    Query,
    /// Aggregates are asked for in SQL.
    Aggregate,
    /// It is joined with the consumer's own tables.
    Link,
    /// What was asked for is kept in a table of the consumer's.
    Export,
}

impl Op {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Aggregate, "aggregate"),
        (Self::Export, "export"),
        (Self::Link, "link"),
        (Self::Query, "query"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(op, _)| *op == self);
        found.map_or("", |(_, name)| name)
    }

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, own)| *own == name);
        found.map(|(op, _)| *op)
    }
}

/// How a column is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// As it is.
    Clear,
    /// As a pseudonym that is the same within a domain of this agreement, and none outside.
    Pseudonym {
        /// The domain.
        domain: String,
    },
    /// As a hash that is the same within one answer only.
    Hash,
    /// Coarser.
    Generalise(Generalise),
}

/// A column that is shown. One that is not named is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedColumn {
    /// The column.
    pub name: String,
    /// How.
    pub show: Show,
    /// Whether it may stand in conditions, joins and orders.
    pub conditions: bool,
}

/// Which state of the table it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// The newest at each statement.
    Latest,
    /// One version.
    Version(u64),
}

/// When the persons concerned are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// At once.
    Immediate,
    /// By order, so many days later.
    Deferred {
        /// The order's reference.
        order: String,
        /// Days.
        days: u16,
    },
}

/// Signatures that a side needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As what they sign: any of these, in alphabetical order.
    pub roles: Vec<String>,
    /// How many persons.
    pub count: u8,
}

impl Need {
    /// The roles, in words.
    #[must_use]
    pub fn names(&self) -> String {
        self.roles.join(" or ")
    }
}

/// An agreement. Its fields were checked when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The tenant whose data it is.
    pub provider: String,
    /// The tenant that uses it.
    pub consumer: String,
    /// The provider's table.
    pub table: TableName,
    /// Which state of it.
    pub snapshot: Snapshot,
    /// A node of the purpose tree.
    pub purpose: String,
    /// References to laws and articles, as ELI.
    pub legal_basis: Vec<String>,
    /// What may be done.
    pub ops: BTreeSet<Op>,
    /// Columns that are shown.
    pub columns: Vec<AgreedColumn>,
    /// Rows that are shown; all, if absent.
    pub rows: Option<Filter>,
    /// Only aggregates leave, under these rules.
    pub aggregate: Option<Aggregate>,
    /// Tables of other agreements with the same consumer that it may be joined with, as `tenant/table`, if those agreements name
    /// this one's table too.
    pub link_with: Vec<String>,
    /// When the persons concerned are told.
    pub visibility: Visibility,
    /// Not before.
    pub not_before: UnixMillis,
    /// Not at or after.
    pub not_after: UnixMillis,
    /// Days that the consumer keeps what it was shown.
    pub retention_days: u32,
    /// Signatures of the provider.
    pub provider_needs: Vec<Need>,
    /// Signatures of the consumer.
    pub consumer_needs: Vec<Need>,
    /// The digest of the version that it replaces.
    pub previous: Option<[u8; 32]>,
}

impl Agreement {
    /// SHA-256 of the form that is signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest_of(&self.encode())
    }

    /// The id under which it is known: the first digits of its digest.
    #[must_use]
    pub fn id(&self) -> String {
        id_of(&self.digest())
    }

    /// Everything that can be said without the table.
    pub(crate) fn checked(self) -> Result<Self, AgreementError> {
        for (place, name) in [("provider", &self.provider), ("consumer", &self.consumer)] {
            TenantName::parse(name).map_err(|error| wrong(place, error.to_string()))?;
        }
        if self.provider == self.consumer {
            return Err(wrong(
                "consumer",
                "it is the provider itself; an agreement is between two",
            ));
        }
        if !purpose::is_known(&self.purpose) {
            return Err(wrong(
                "purpose",
                format!(
                    "{:?} is no purpose of the tree, version {}; there are: {}",
                    shortened(&self.purpose, NAME_CHARS_MAX),
                    purpose::VERSION,
                    purpose::all()
                ),
            ));
        }
        self.check_basis()?;
        self.check_columns()?;
        self.check_rules()?;
        self.check_time()?;
        for (place, needs) in [
            ("sign.provider", &self.provider_needs),
            ("sign.consumer", &self.consumer_needs),
        ] {
            check_needs(place, needs)?;
        }
        Ok(self)
    }

    /// What is asked of a document that is proposed now, beyond what an earlier build may have let through. One that is
    /// in force already goes on.
    pub fn proposable(&self) -> Result<(), AgreementError> {
        for basis in &self.legal_basis {
            if !is_eli(basis) {
                return Err(wrong(
                    "legal_basis",
                    format!(
                        "{basis:?} is no reference in the form of the European Legislation Identifier, such as eli/etat/leg/loi/2016/07/23/n4/jo#art_4"
                    ),
                ));
            }
        }
        for (place, needs) in [
            ("sign.provider", &self.provider_needs),
            ("sign.consumer", &self.consumer_needs),
        ] {
            let persons: usize = needs.iter().map(|need| usize::from(need.count)).sum();
            if persons > SIGNERS_MAX {
                return Err(wrong(
                    place,
                    format!(
                        "at most {SIGNERS_MAX} persons sign for a side, and it asks for {persons}"
                    ),
                ));
            }
        }
        let Some(rules) = &self.aggregate else {
            return Ok(());
        };
        if rules.min_group < 2 {
            return Err(wrong(
                "aggregate.min_group",
                "a group of one is a person: the smallest is at least 2 (10 is usual)",
            ));
        }
        if rules.differencing && rules.min_group > WATCHED_MAX {
            return Err(wrong(
                "aggregate.differencing",
                format!(
                    "it is watched for groups of at most {WATCHED_MAX}; name a smaller min_group, or leave it out"
                ),
            ));
        }
        if rules
            .dominance
            .is_some_and(|(count, percent)| count == 0 || percent == 0 || percent > 100)
        {
            return Err(wrong(
                "aggregate.dominance",
                "it is [n, percent]: the n largest persons of a group make up at most so many percent of a sum",
            ));
        }
        Ok(())
    }

    fn check_basis(&self) -> Result<(), AgreementError> {
        if self.legal_basis.is_empty() || self.legal_basis.len() > LEGAL_BASES_MAX {
            return Err(wrong(
                "legal_basis",
                format!("it names 1 to {LEGAL_BASES_MAX} laws"),
            ));
        }
        for basis in &self.legal_basis {
            let printable = basis.chars().all(|c| c.is_ascii_graphic());
            let is_eli = basis.starts_with("eli/") || basis.contains("/eli/");
            if !printable || !is_eli || basis.len() > LEGAL_BASIS_CHARS_MAX {
                return Err(wrong(
                    "legal_basis",
                    format!(
                        "{basis:?} is no reference in the form of the European Legislation Identifier, such as eli/etat/leg/loi/2016/07/23/n4/jo#art_4"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn check_columns(&self) -> Result<(), AgreementError> {
        if self.ops.is_empty() {
            return Err(wrong("ops", "nothing may be done; name what may"));
        }
        if self.columns.len() > COLUMNS_MAX {
            return Err(wrong(
                "columns",
                format!("at most {COLUMNS_MAX} columns are shown"),
            ));
        }
        let mut seen = BTreeSet::new();
        for column in &self.columns {
            let place = || format!("columns.{}", column.name);
            if !seen.insert(&column.name) {
                return Err(wrong(place(), "it is named twice"));
            }
            match &column.show {
                Show::Pseudonym { domain } => {
                    is_word(domain).map_err(|why| wrong(place(), why))?;
                }
                Show::Generalise(Generalise::Band(0) | Generalise::Prefix(0)) => {
                    return Err(wrong(place(), "a band or a prefix is at least 1"));
                }
                _ => {}
            }
        }
        if self
            .rows
            .as_ref()
            .is_some_and(|rows| rows.nodes() > FILTER_NODES_MAX)
        {
            return Err(wrong(
                "rows",
                format!("it has more than {FILTER_NODES_MAX} parts"),
            ));
        }
        Ok(())
    }

    fn check_rules(&self) -> Result<(), AgreementError> {
        let rows_leave = self.ops.contains(&Op::Query);
        match &self.aggregate {
            None if !rows_leave => Err(wrong(
                "aggregate",
                "only aggregates may leave, and there are no rules for them",
            )),
            Some(_) if rows_leave => Err(wrong(
                "ops",
                "with rules for aggregates only aggregates leave: name aggregate, and not query",
            )),
            Some(rules)
                if !(1..=MIN_GROUP_MAX).contains(&rules.min_group) || rules.rounding == 0 =>
            {
                Err(wrong(
                    "aggregate",
                    "the smallest group and the rounding are at least 1",
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_time(&self) -> Result<(), AgreementError> {
        let lasts = self.not_after.0.checked_sub(self.not_before.0);
        if lasts.is_none_or(|lasts| lasts == 0 || lasts > LASTS_MS_MAX) {
            return Err(wrong(
                "valid",
                "it begins before it ends, and lasts at most ten years",
            ));
        }
        if self.retention_days == 0 || self.retention_days > RETENTION_DAYS_MAX {
            return Err(wrong(
                "retention_days",
                format!("it is 1 to {RETENTION_DAYS_MAX}"),
            ));
        }
        if let Visibility::Deferred { order, days } = &self.visibility {
            let plain = !order.is_empty()
                && order.chars().count() <= LEGAL_BASIS_CHARS_MAX
                && !order.chars().any(char::is_control);
            if !plain || *days == 0 || *days > DEFERRED_DAYS_MAX {
                return Err(wrong(
                    "deferred",
                    format!("it names an order and 1 to {DEFERRED_DAYS_MAX} days"),
                ));
            }
        }
        let is_table = |name: &String| {
            name.split_once('/').is_some_and(|(tenant, table)| {
                TenantName::parse(tenant).is_ok() && TableName::parse(table).is_ok()
            })
        };
        if self.link_with.len() > LINKS_MAX || !self.link_with.iter().all(is_table) {
            return Err(wrong(
                "link_with",
                format!("at most {LINKS_MAX} tables of others, each as tenant/table"),
            ));
        }
        Ok(())
    }
}

/// The digest of an agreement, from the form that is signed.
#[must_use]
pub fn digest_of(signed: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, signed).as_ref());
    out
}

/// The id of the agreement with a digest.
#[must_use]
pub fn id_of(digest: &[u8; 32]) -> String {
    let mut digits = hex::encode(digest);
    digits.truncate(ID_DIGITS);
    digits
}

fn check_needs(place: &str, needs: &[Need]) -> Result<(), AgreementError> {
    if needs.is_empty() || needs.len() > NEEDS_MAX {
        return Err(wrong(place, format!("1 to {NEEDS_MAX} roles sign")));
    }
    let mut seen = BTreeSet::new();
    for need in needs {
        for role in &need.roles {
            is_word(role).map_err(|why| wrong(place, why))?;
        }
        let sorted = need.roles.is_sorted_by(|one, next| one < next);
        let some = (1..=NEEDS_MAX).contains(&need.roles.len());
        if need.count == 0 || !some || !sorted || !seen.insert(&need.roles) {
            return Err(wrong(
                place,
                format!(
                    "{} is named once, with at least one person; of several roles each is named once, at most {NEEDS_MAX}, in alphabetical order",
                    need.names()
                ),
            ));
        }
    }
    Ok(())
}

/// A reference in the form of the European Legislation Identifier (Council conclusions 2012/C 325/02): a path that begins
/// with `eli`, alone or on a server of a state, with at least a jurisdiction's type, a year or number, and so on.
fn is_eli(basis: &str) -> bool {
    let path = match basis.split_once("://") {
        Some(("http" | "https", rest)) => rest.split_once('/').and_then(|(server, path)| {
            let named = server.contains('.') && server.chars().all(in_server);
            named.then_some(path)
        }),
        Some(_) => None,
        None => Some(basis),
    };
    let path = path.and_then(|path| path.strip_prefix("eli/"));
    path.is_some_and(|path| {
        let parts: Vec<&str> = path.split('/').collect();
        parts.len() >= 3
            && parts
                .iter()
                .all(|part| !part.is_empty() && part.chars().all(in_path))
    })
}

const fn in_server(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-')
}

const fn in_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '#' | '(' | ')')
}

/// A name of a role or a domain.
fn is_word(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(plain) {
        true => Ok(()),
        false => Err(format!(
            "{name:?} is no name: use at most {NAME_CHARS_MAX} of a-z, 0-9 and '-'"
        )),
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
