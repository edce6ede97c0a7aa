//! The terms under which a statement sees the table, made from the agreement and the table as it is declared now.

use crate::document::{Agreement, AgreementError, Show, wrong};
use aws_lc_rs::digest::{Context, SHA256};
use statement::terms::MaskKey;
use statement::{ColumnTerms, Generalise, Kind, TableDef, Terms, Transform};

impl Agreement {
    /// What is asked of a document that is proposed now over a table as it is declared now.
    pub fn proposable_over(&self, def: &TableDef) -> Result<(), AgreementError> {
        let Some(rules) = &self.aggregate else {
            return Ok(());
        };
        match &def.subject {
            Some(subject) if *subject == rules.entity => Ok(()),
            Some(subject) => Err(wrong(
                "aggregate.entity",
                format!(
                    "persons are told apart by {subject}, the column that the table {} names for them; by {} a group of one person could look like many",
                    def.name, rules.entity
                ),
            )),
            None => Err(wrong(
                "aggregate.entity",
                format!(
                    "the table {} names no column for the persons its rows are about (subject); its owner declares it first",
                    def.name
                ),
            )),
        }
    }

    /// The terms for a table. `domain_key` gives the key of a domain's pseudonyms, `statement_key` is drawn for one statement.
    /// An agreement that does not fit the table gives none.
    pub fn terms(
        &self,
        def: &TableDef,
        domain_key: impl Fn(&str) -> MaskKey,
        statement_key: MaskKey,
    ) -> Result<Terms, AgreementError> {
        let declared = declared(def);
        self.fits_columns(def, &declared)?;
        let columns = declared.iter().map(|(name, _)| {
            let agreed = self.columns.iter().find(|column| column.name == *name);
            let transform = match agreed.map(|column| &column.show) {
                None => Transform::Drop,
                Some(Show::Clear) => Transform::Clear,
                Some(Show::Pseudonym { domain }) => Transform::Pseudonym(domain_key(domain)),
                Some(Show::Hash) => Transform::Hash(statement_key.clone()),
                Some(Show::Generalise(how)) => Transform::Generalise(*how),
            };
            ColumnTerms {
                name: (*name).to_owned(),
                transform,
                conditions: agreed.is_some_and(|column| column.conditions),
            }
        });
        Ok(Terms {
            digest: self.terms_digest(def),
            columns: columns.collect(),
            rows: self.rows.clone(),
            aggregate: self.aggregate.clone(),
            cohorts: None,
        })
    }

    /// Whether the table has every column that the columns, the rows and the rules name, of a type that goes with them.
    fn fits_columns(
        &self,
        def: &TableDef,
        declared: &[(&str, Kind)],
    ) -> Result<(), AgreementError> {
        let kind = |name: &str| {
            let found = declared.iter().find(|(own, _)| *own == name);
            found.map(|(_, kind)| *kind)
        };
        for column in &self.columns {
            let place = format!("columns.{}", column.name);
            let kind = kind(&column.name).ok_or_else(|| {
                wrong(&place, format!("the table {} has no such column", def.name))
            })?;
            if !fits(&column.show, kind) {
                return Err(wrong(
                    &place,
                    "it cannot be made coarser that way: its type is another one",
                ));
            }
        }
        for name in self.rows.iter().flat_map(statement::Filter::columns) {
            if kind(name).is_none() {
                return Err(wrong(
                    "rows",
                    format!("the table {} has no column {name}", def.name),
                ));
            }
        }
        if let Some(rules) = &self.aggregate
            && kind(&rules.entity).is_none()
        {
            return Err(wrong(
                "aggregate.entity",
                format!("the table {} has no column {}", def.name, rules.entity),
            ));
        }
        Ok(())
    }

    fn terms_digest(&self, def: &TableDef) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(b"clarence/v1/terms\0");
        context.update(&self.digest());
        context.update(def.name.as_str().as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        out
    }
}

/// A table's columns and the parts of its folders' names, each with its type.
fn declared(def: &TableDef) -> Vec<(&str, Kind)> {
    let columns = def.columns.iter();
    let columns = columns.map(|column| (column.name.as_str(), column.kind));
    let parts = def.partitions.iter();
    let parts = parts.map(|part| (part.name.as_str(), part.kind));
    columns.chain(parts).collect()
}

const fn fits(show: &Show, kind: Kind) -> bool {
    match show {
        Show::Clear | Show::Pseudonym { .. } | Show::Hash => true,
        Show::Generalise(Generalise::Year | Generalise::Month) => {
            matches!(kind, Kind::Date | Kind::Timestamp | Kind::TimestampUtc)
        }
        Show::Generalise(Generalise::Prefix(_)) => matches!(kind, Kind::Text),
        Show::Generalise(Generalise::Band(_)) => {
            matches!(
                kind,
                Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Float32 | Kind::Float64
            ) || matches!(kind, Kind::Decimal(digits, _) if digits <= 38)
        }
    }
}
