//! What a session sees, with an object id for each name.

use super::{information, specs};
use sql::catalog_of;
use statement::{Database, Session, TableShown};
use std::collections::BTreeMap;

/// `pg_catalog` in PostgreSQL.
pub const PG_CATALOG: i32 = 11;
/// `public` in PostgreSQL.
pub const PUBLIC: i32 = 2200;
/// `information_schema` here.
pub const INFORMATION: i32 = 13_000;
/// Ids below are PostgreSQL's own.
const FIRST: u32 = 16_384;

/// One relation.
pub struct Relation {
    /// Its object id.
    pub oid: i32,
    /// The object id of its schema.
    pub schema: i32,
    /// Its name.
    pub name: String,
    /// `r` table, `v` view.
    pub kind: &'static str,
    /// A table that the session sees; none for what belongs to the catalog.
    pub shown: Option<TableShown>,
    /// The columns of one that belongs to the catalog.
    pub line: &'static str,
}

/// A session and what it sees.
pub struct Known {
    /// Whose it is.
    pub session: Session,
    /// Relations of the session's database.
    pub relations: Vec<Relation>,
    /// Databases, the session's first.
    pub databases: Vec<String>,
    /// Roles, the user first; the last owns the database.
    pub roles: Vec<String>,
}

impl Known {
    /// From what the vault shows.
    pub fn new(session: &Session, tables: &[TableShown]) -> Self {
        let own = catalog_of(session, &session.database);
        let mut databases = vec![own.clone()];
        for table in tables {
            let name = catalog_of(session, &table.table.database);
            if !databases.contains(&name) {
                databases.push(name);
            }
        }
        let mut roles = vec![session.user.clone()];
        if own != session.user {
            roles.push(own);
        }
        let mut relations = of_the_catalog();
        let mut used: BTreeMap<i32, ()> = relations.iter().map(|one| (one.oid, ())).collect();
        let here = tables
            .iter()
            .filter(|table| table.table.database == session.database);
        for table in here {
            let name = table.table.table.as_str().to_owned();
            let mut oid = derived("table", &name);
            while used.insert(oid, ()).is_some() {
                oid = oid.wrapping_add(1).max(16_384);
            }
            relations.push(Relation {
                oid,
                schema: PUBLIC,
                name,
                kind: "r",
                shown: Some(table.clone()),
                line: "",
            });
        }
        Self {
            session: session.clone(),
            relations,
            databases,
            roles,
        }
    }

    /// The session's database.
    pub fn database(&self) -> String {
        catalog_of(&self.session, &self.session.database)
    }

    /// The role that owns the tables.
    pub fn owner(&self) -> i32 {
        self.roles.last().map_or(10, |name| derived("role", name))
    }

    /// Whether the session may write at all.
    pub fn writes(&self) -> bool {
        self.session.database == Database::Own
    }

    /// A relation by its object id.
    pub fn relation(&self, oid: i32) -> Option<&Relation> {
        self.relations.iter().find(|one| one.oid == oid)
    }

    /// A relation as it was written: a number, a name, or a schema and a name.
    pub fn named(&self, text: &str) -> Option<&Relation> {
        if let Ok(oid) = text.parse() {
            return self.relation(oid);
        }
        let parts = parts(text);
        let (schema, name) = match parts.as_slice() {
            [name] => (None, name),
            [schema, name] | [_, schema, name] => (Some(schema_id(schema)?), name),
            _ => return None,
        };
        // As the search path says: the catalog's before the user's.
        let visible = |one: &&Relation| match schema {
            Some(schema) => one.schema == schema,
            None => one.schema != INFORMATION,
        };
        self.relations
            .iter()
            .find(|one| visible(one) && one.name == *name)
    }

    /// How a relation is written: with its schema where the search path does not hold it.
    pub fn written(&self, oid: i32) -> Option<String> {
        let found = self.relation(oid)?;
        let name = quoted(&found.name);
        Some(match found.schema {
            INFORMATION => format!("information_schema.{name}"),
            _ => name,
        })
    }
}

fn of_the_catalog() -> Vec<Relation> {
    let fixed = specs::RELATIONS.iter().map(|spec| Relation {
        oid: specs::oid_of(spec),
        schema: PG_CATALOG,
        name: spec.name.to_owned(),
        kind: spec.kind,
        shown: None,
        line: spec.line,
    });
    let standard = information::RELATIONS.iter().map(|(name, line)| Relation {
        oid: derived("information_schema", name),
        schema: INFORMATION,
        name: (*name).to_owned(),
        kind: "v",
        shown: None,
        line,
    });
    fixed.chain(standard).collect()
}

/// The object id of a name: always the same.
pub fn derived(what: &str, name: &str) -> i32 {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in what.bytes().chain([0]).chain(name.bytes()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let room = i32::MAX.unsigned_abs() - FIRST;
    i32::try_from(FIRST + hash % room).unwrap_or(i32::MAX)
}

/// The object id of a schema.
pub fn schema_id(name: &str) -> Option<i32> {
    Some(match name {
        "pg_catalog" => PG_CATALOG,
        "public" => PUBLIC,
        "information_schema" => INFORMATION,
        _ => return None,
    })
}

/// The name of a schema.
pub fn schema_name(oid: i32) -> Option<&'static str> {
    Some(match oid {
        PG_CATALOG => "pg_catalog",
        PUBLIC => "public",
        INFORMATION => "information_schema",
        _ => return None,
    })
}

/// The parts of a written name: what is not quoted is written small.
pub fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut in_quotes = false;
    for letter in text.trim().chars() {
        match letter {
            '"' => in_quotes = !in_quotes,
            '.' if !in_quotes => parts.push(String::new()),
            other => {
                if let Some(part) = parts.last_mut() {
                    match in_quotes {
                        true => part.push(other),
                        false => part.extend(other.to_lowercase()),
                    }
                }
            }
        }
    }
    parts
}

/// A name as it is written in SQL: in quotes where it needs them.
pub fn quoted(name: &str) -> String {
    let plain = |at: usize, letter: char| {
        letter == '_' || letter.is_ascii_lowercase() || (at > 0 && letter.is_ascii_digit())
    };
    if !name.is_empty()
        && name
            .chars()
            .enumerate()
            .all(|(at, letter)| plain(at, letter))
    {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}
