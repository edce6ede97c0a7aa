//! The form that is signed: deterministic CBOR (RFC 8949, section 4.2.1), one map with whole numbers as keys. What does not
//! come out again byte for byte is refused.

use crate::document::{
    AgreedColumn, Agreement, AgreementError, Need, Op, Show, Snapshot, Visibility,
};
use crate::{filter, purpose};
use ciborium::Value as Cbor;
use statement::{Aggregate, Generalise, TableName};
use std::collections::BTreeSet;
use words::UnixMillis;

const FORMAT: u64 = 1;
/// Bytes of an agreement.
const BYTES_MAX: usize = 32 * 1024;
/// How deep the form is nested.
const DEPTH: usize = 24;

fn number(value: impl Into<u64>) -> Cbor {
    Cbor::Integer(value.into().into())
}

fn text(value: &str) -> Cbor {
    Cbor::Text(value.to_owned())
}

fn texts<'a>(all: impl IntoIterator<Item = &'a String>) -> Cbor {
    Cbor::Array(all.into_iter().map(|one| text(one)).collect())
}

fn column_out(column: &AgreedColumn) -> Cbor {
    let (how, with) = match &column.show {
        Show::Clear => ("clear", Cbor::Null),
        Show::Pseudonym { domain } => ("pseudonym", text(domain)),
        Show::Hash => ("hash", Cbor::Null),
        Show::Generalise(Generalise::Year) => ("year", Cbor::Null),
        Show::Generalise(Generalise::Month) => ("month", Cbor::Null),
        Show::Generalise(Generalise::Prefix(count)) => ("prefix", number(*count)),
        Show::Generalise(Generalise::Band(band)) => ("band", number(*band)),
    };
    Cbor::Array(vec![
        text(&column.name),
        text(how),
        with,
        Cbor::Bool(column.conditions),
    ])
}

fn needs_out(needs: &[Need]) -> Cbor {
    let need = |need: &Need| {
        let roles = match need.roles.as_slice() {
            [one] => text(one),
            several => texts(several),
        };
        Cbor::Array(vec![roles, number(need.count)])
    };
    Cbor::Array(needs.iter().map(need).collect())
}

fn aggregate_out(rules: &Aggregate) -> Cbor {
    let dominance = rules.dominance.map_or(Cbor::Null, |(count, percent)| {
        Cbor::Array(vec![number(count), number(percent)])
    });
    Cbor::Array(vec![
        text(&rules.entity),
        number(rules.min_group),
        number(rules.rounding),
        dominance,
        Cbor::Bool(rules.differencing),
    ])
}

impl Agreement {
    /// The form that is signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let snapshot = match self.snapshot {
            Snapshot::Latest => Cbor::Null,
            Snapshot::Version(version) => number(version),
        };
        let visibility = match &self.visibility {
            Visibility::Immediate => Cbor::Null,
            Visibility::Deferred { order, days } => Cbor::Array(vec![text(order), number(*days)]),
        };
        let mut ops: Vec<&str> = self.ops.iter().map(|op| op.name()).collect();
        ops.sort_unstable();
        let values = [
            number(FORMAT),
            text(&self.provider),
            text(&self.consumer),
            text(self.table.as_str()),
            snapshot,
            number(purpose::VERSION),
            text(&self.purpose),
            texts(&self.legal_basis),
            Cbor::Array(ops.into_iter().map(text).collect()),
            Cbor::Array(self.columns.iter().map(column_out).collect()),
            self.rows.as_ref().map_or(Cbor::Null, filter::out),
            self.aggregate.as_ref().map_or(Cbor::Null, aggregate_out),
            texts(&self.link_with),
            visibility,
            number(self.not_before.0),
            number(self.not_after.0),
            number(self.retention_days),
            needs_out(&self.provider_needs),
            needs_out(&self.consumer_needs),
            self.previous
                .map_or(Cbor::Null, |digest| Cbor::Bytes(digest.to_vec())),
        ];
        let map = (0_u64..).zip(values);
        let map = Cbor::Map(map.map(|(key, value)| (number(key), value)).collect());
        let mut bytes = Vec::new();
        // Into memory nothing fails; if it did, what comes out is refused by every reader.
        if ciborium::into_writer(&map, &mut bytes).is_err() {
            bytes.clear();
        }
        bytes
    }

    /// Reads the form that is signed.
    pub fn decode(bytes: &[u8]) -> Result<Self, AgreementError> {
        let form = |why: &str| AgreementError::Form(why.to_owned());
        if bytes.len() > BYTES_MAX {
            return Err(form("it has more than 32 KiB"));
        }
        let value: Cbor = ciborium::de::from_reader_with_recursion_limit(bytes, DEPTH)
            .map_err(|error| AgreementError::Form(error.to_string()))?;
        let Cbor::Map(entries) = value else {
            return Err(form("it is no map"));
        };
        let mut values = Vec::with_capacity(entries.len());
        for (at, (key, value)) in (0_u64..).zip(entries) {
            if key != number(at) {
                return Err(AgreementError::Form(format!(
                    "the key {at} is expected where there is another"
                )));
            }
            values.push(value);
        }
        let agreement = Reader { values: &values }.agreement()?.checked()?;
        if agreement.encode() != bytes {
            return Err(form("it is not in its one spelling"));
        }
        Ok(agreement)
    }
}

struct Reader<'a> {
    values: &'a [Cbor],
}

impl Reader<'_> {
    fn wrong(at: usize) -> AgreementError {
        AgreementError::Form(format!(
            "the value of the key {at} is not what the format says, or is not known to this build"
        ))
    }

    fn at<T>(&self, at: usize, read: impl Fn(&Cbor) -> Option<T>) -> Result<T, AgreementError> {
        self.values
            .get(at)
            .and_then(read)
            .ok_or_else(|| Self::wrong(at))
    }

    fn agreement(&self) -> Result<Agreement, AgreementError> {
        if self.at(0, whole)? != FORMAT || self.values.len() != 20 {
            return Err(AgreementError::Form(
                "its format is one that this build does not know; use a newer build".into(),
            ));
        }
        if self.at(5, whole)? != u64::from(purpose::VERSION) {
            return Err(AgreementError::Form(
                "its tree of purposes is one that this build does not know".into(),
            ));
        }
        let ops = self.at(8, |value| {
            let names = list(value, word)?;
            let ops: Option<BTreeSet<Op>> = names.iter().map(|name| Op::named(name)).collect();
            ops
        })?;
        Ok(Agreement {
            provider: self.at(1, word)?,
            consumer: self.at(2, word)?,
            table: self.at(3, |value| TableName::parse(&word(value)?).ok())?,
            snapshot: self.at(4, |value| match value {
                Cbor::Null => Some(Snapshot::Latest),
                value => whole(value).map(Snapshot::Version),
            })?,
            purpose: self.at(6, word)?,
            legal_basis: self.at(7, |value| list(value, word))?,
            ops,
            columns: self.at(9, |value| list(value, column_in))?,
            rows: self.at(10, |value| match value {
                Cbor::Null => Some(None),
                value => filter::read(value, 0).map(Some),
            })?,
            aggregate: self.at(11, |value| match value {
                Cbor::Null => Some(None),
                value => aggregate_in(value).map(Some),
            })?,
            link_with: self.at(12, |value| list(value, word))?,
            visibility: self.at(13, |value| match value {
                Cbor::Null => Some(Visibility::Immediate),
                Cbor::Array(parts) => match parts.as_slice() {
                    [order, days] => Some(Visibility::Deferred {
                        order: word(order)?,
                        days: u16::try_from(whole(days)?).ok()?,
                    }),
                    _ => None,
                },
                _ => None,
            })?,
            not_before: UnixMillis(self.at(14, whole)?),
            not_after: UnixMillis(self.at(15, whole)?),
            retention_days: self.at(16, |value| u32::try_from(whole(value)?).ok())?,
            provider_needs: self.at(17, |value| list(value, need_in))?,
            consumer_needs: self.at(18, |value| list(value, need_in))?,
            previous: self.at(19, |value| match value {
                Cbor::Null => Some(None),
                Cbor::Bytes(bytes) => <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Some),
                _ => None,
            })?,
        })
    }
}

fn whole(value: &Cbor) -> Option<u64> {
    match value {
        Cbor::Integer(value) => u64::try_from(*value).ok(),
        _ => None,
    }
}

fn word(value: &Cbor) -> Option<String> {
    match value {
        Cbor::Text(value) => Some(value.clone()),
        _ => None,
    }
}

fn list<T>(value: &Cbor, read: impl Fn(&Cbor) -> Option<T>) -> Option<Vec<T>> {
    match value {
        Cbor::Array(all) => all.iter().map(read).collect(),
        _ => None,
    }
}

fn column_in(value: &Cbor) -> Option<AgreedColumn> {
    let Cbor::Array(parts) = value else {
        return None;
    };
    let [name, Cbor::Text(how), with, Cbor::Bool(conditions)] = parts.as_slice() else {
        return None;
    };
    let show = match (how.as_str(), with) {
        ("clear", Cbor::Null) => Show::Clear,
        ("pseudonym", Cbor::Text(domain)) => Show::Pseudonym {
            domain: domain.clone(),
        },
        ("hash", Cbor::Null) => Show::Hash,
        ("year", Cbor::Null) => Show::Generalise(Generalise::Year),
        ("month", Cbor::Null) => Show::Generalise(Generalise::Month),
        ("prefix", with) => Show::Generalise(Generalise::Prefix(u8::try_from(whole(with)?).ok()?)),
        ("band", with) => Show::Generalise(Generalise::Band(whole(with)?)),
        _ => return None,
    };
    Some(AgreedColumn {
        name: word(name)?,
        show,
        conditions: *conditions,
    })
}

fn aggregate_in(value: &Cbor) -> Option<Aggregate> {
    let Cbor::Array(parts) = value else {
        return None;
    };
    let [
        entity,
        min_group,
        rounding,
        dominance,
        Cbor::Bool(differencing),
    ] = parts.as_slice()
    else {
        return None;
    };
    let dominance = match dominance {
        Cbor::Null => None,
        Cbor::Array(parts) => match parts.as_slice() {
            [count, percent] => Some((
                u32::try_from(whole(count)?).ok()?,
                u8::try_from(whole(percent)?)
                    .ok()
                    .filter(|percent| *percent <= 100)?,
            )),
            _ => return None,
        },
        _ => return None,
    };
    Some(Aggregate {
        entity: word(entity)?,
        min_group: u32::try_from(whole(min_group)?).ok()?,
        rounding: u32::try_from(whole(rounding)?).ok()?,
        dominance,
        differencing: *differencing,
        privacy: None,
    })
}

fn need_in(value: &Cbor) -> Option<Need> {
    let Cbor::Array(parts) = value else {
        return None;
    };
    match parts.as_slice() {
        [roles, count] => Some(Need {
            roles: match roles {
                Cbor::Text(one) => vec![one.clone()],
                several => list(several, word).filter(|roles| roles.len() > 1)?,
            },
            count: u8::try_from(whole(count)?).ok()?,
        }),
        _ => None,
    }
}
