//! What an engine may ask at most. The engine may have been taken over: what it says is looked at before it is
//! passed on.

use crate::say::Question;
use statement::cohort::{WATCHED_MAX, sums_for};
use statement::limits::{
    COHORTS_MAX, COLUMNS_MAX, OBJECTS_MAX, RANGES_MAX, READ_BYTES_MAX, SUBJECTS_MAX, TABLES_MAX,
};
use statement::{
    Asked, Ended, Refused, Release, Sign, Source, Sums, TableAsked, TableDef, Use, Whom, Why,
};
use std::ops::Range;

const NAME_BYTES_MAX: usize = 256;
const KEY_BYTES_MAX: usize = 1024;
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// What is kept of the reason why a statement ended early.
const BROKEN_CHARS_MAX: usize = 500;

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Refused> {
    match count <= max {
        true => Ok(()),
        false => Err(Refused::new(
            Why::TooLarge,
            format!(
                "{count} {what} are more than the {max} that a statement may have; nothing was done"
            ),
        )),
    }
}

fn invalid(why: &str) -> Refused {
    Refused::new(Why::Invalid, format!("{why}; nothing was done"))
}

/// Whether a question keeps the limits.
pub fn question(question: &Question) -> Result<(), Refused> {
    match question {
        Question::SignIn { sign, database, .. } => {
            at_most("bytes of a database's name", database.len(), NAME_BYTES_MAX)?;
            let texts = match sign {
                Sign::ScramFirst { user, message } => user.len().max(message.len()),
                Sign::ScramFinal { message, .. } => message.len(),
                Sign::Password {
                    user,
                    password,
                    token,
                } => user
                    .len()
                    .max(password.len())
                    .max(token.as_ref().map_or(0, String::len)),
            };
            at_most("bytes of a credential", texts, TEXT_BYTES_MAX)
        }
        Question::Begin(_, asked) => statement(asked),
        Question::Read { ranges: all, .. } => ranges(all),
        Question::Release(_, release) => cohorts(release),
        Question::Commit { written, .. } => {
            at_most("objects", written.len(), OBJECTS_MAX)?;
            let longest = written.iter().map(|object| object.key.len()).max();
            at_most("bytes of a key", longest.unwrap_or(0), KEY_BYTES_MAX)
        }
        Question::Declare(_, def) => definition(def),
        Question::Close(_, ended) => end(ended),
        Question::SignOut(_)
        | Question::Tables(_)
        | Question::Write { .. }
        | Question::Withdraw(..)
        | Question::Endings(_) => Ok(()),
    }
}

fn statement(asked: &Asked) -> Result<(), Refused> {
    at_most("tables", asked.tables.len(), TABLES_MAX)?;
    for text in [&asked.purpose, &asked.case].into_iter().flatten() {
        at_most("bytes of a purpose or case", text.len(), KEY_BYTES_MAX)?;
    }
    asked.tables.iter().try_for_each(table)
}

fn table(asked: &TableAsked) -> Result<(), Refused> {
    if let Source::Objects { prefix, .. } = &asked.source {
        at_most("bytes of a prefix", prefix.len(), KEY_BYTES_MAX)?;
    }
    if let Some(columns) = &asked.columns {
        at_most("columns", columns.len(), COLUMNS_MAX)?;
        names(columns.iter())?;
    }
    match &asked.used {
        Use::Create(def) => definition(def),
        Use::Read | Use::Append => Ok(()),
    }
}

fn names<'a>(mut all: impl Iterator<Item = &'a String>) -> Result<(), Refused> {
    all.try_for_each(|name| at_most("bytes of a column's name", name.len(), NAME_BYTES_MAX))
}

fn definition(def: &TableDef) -> Result<(), Refused> {
    let columns = def.columns.len().saturating_add(def.partitions.len());
    at_most("columns", columns, COLUMNS_MAX)?;
    at_most("bytes of a prefix", def.prefix.len(), KEY_BYTES_MAX)?;
    names(def.columns.iter().map(|column| &column.name))?;
    names(def.partitions.iter().map(|partition| &partition.name))?;
    names(def.subject.iter())
}

/// Whether ranges keep the limits; the engine's side asks as well, before it asks the vault.
pub fn ranges(all: &[Range<u64>]) -> Result<(), Refused> {
    at_most("ranges", all.len(), RANGES_MAX)?;
    let mut bytes: u64 = 0;
    for range in all {
        let length = range
            .end
            .checked_sub(range.start)
            .ok_or_else(|| invalid("a range ends before it begins"))?;
        bytes = bytes.saturating_add(length);
    }
    match bytes <= READ_BYTES_MAX {
        true => Ok(()),
        false => Err(Refused::new(
            Why::TooLarge,
            format!(
                "{bytes} bytes are more than the {READ_BYTES_MAX} that one read may have; read less at once"
            ),
        )),
    }
}

fn cohorts(release: &Release) -> Result<(), Refused> {
    at_most("groups", release.cohorts.len(), COHORTS_MAX)?;
    for cohort in &release.cohorts {
        at_most("bytes of a name", cohort.measure.len(), NAME_BYTES_MAX)?;
        for sums in [&cohort.people, &cohort.rows] {
            at_most("sums", sums.words().len(), sums_for(WATCHED_MAX))?;
            if Sums::from_words(sums.words().to_vec()).is_none() {
                return Err(Refused::new(
                    Why::Invalid,
                    "the sums over a group are none; nothing was shown",
                ));
            }
        }
    }
    Ok(())
}

fn end(ended: &Ended) -> Result<(), Refused> {
    at_most("tables", ended.bytes.len(), TABLES_MAX)?;
    at_most("tables", ended.whom.len(), TABLES_MAX)?;
    for whom in &ended.whom {
        if let Whom::These(subjects) = whom {
            at_most("persons", subjects.len(), SUBJECTS_MAX)?;
            let longest = subjects.iter().map(String::len).max();
            at_most(
                "bytes of a person's number",
                longest.unwrap_or(0),
                NAME_BYTES_MAX,
            )?;
        }
    }
    Ok(())
}

/// How a statement over so many tables ended, as the vault's side knows it: never fewer bytes than were given.
pub fn ended(mut said: Ended, given: &[u64]) -> Result<Ended, Refused> {
    if said.bytes.len() != given.len() || said.whom.len() != given.len() {
        return Err(invalid(
            "an end has to name as many tables as the statement has",
        ));
    }
    for (said, given) in said.bytes.iter_mut().zip(given) {
        *said = (*said).max(*given);
    }
    if let Some(why) = &mut said.broken
        && let Some((at, _)) = why.char_indices().nth(BROKEN_CHARS_MAX)
    {
        why.truncate(at);
    }
    Ok(said)
}
