//! Where a statement's tables lie and under which terms: decided per table, before their objects are looked for.

use super::Seat;
use crate::Vault;
use crate::error::VaultError;
use crate::leases::Why;
use crate::record::table::{TableRow, Written};
use crate::secrets::{Bucket, Secrets, Tenant};
use seal::IndexKey;
use statement::limits::TABLES_MAX;
use statement::{
    Asked, Database, Format, SessionId, Source, TableAsked, TableDef, TableName, TableRef, Terms,
    Use,
};
use std::sync::Arc;
use words::{BucketId, ObjectKey, UnixMillis, VersionId};

/// The reason for which the key of a bucket that is leased is asked for.
const SQL: Why<'static> = Why {
    actor: "the tenant",
    operation: "Statement",
};

/// Which objects a table has.
pub enum Listing {
    /// All whose names begin so.
    Prefix(String),
    /// These versions.
    Written(Vec<(ObjectKey, VersionId)>),
    /// None are read.
    Nothing,
}

/// On what a table may be used.
pub(crate) enum Basis {
    /// It is the tenant's own.
    Own,
    /// An agreement.
    Agreed(Box<super::agreed::Agreed>),
}

/// A table of a statement: decided as a whole, its objects not yet.
pub struct TablePlace {
    pub(crate) def: TableDef,
    pub(crate) owner: Arc<Tenant>,
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) version: Option<u64>,
    pub(crate) terms: Terms,
    pub(crate) basis: Basis,
    pub(crate) used: Use,
    pub(crate) columns: Option<Vec<String>>,
    listing: Listing,
}

impl TablePlace {
    /// Which objects it has.
    #[must_use]
    pub const fn listing(&self) -> &Listing {
        &self.listing
    }
    /// The bucket in which names are looked for. None of them leaves before the statement is granted.
    #[must_use]
    pub fn bucket(&self) -> BucketId {
        self.bucket.id
    }
    /// The key of the bucket's index of names.
    #[must_use]
    pub fn index_key(&self) -> &IndexKey {
        &self.bucket.index_key
    }
}

impl Vault {
    /// Finds a statement's tables and decides about each as a whole. What is refused is on the ledger when this
    /// returns.
    pub async fn statement_places(
        &self,
        session: SessionId,
        asked: &Asked,
    ) -> Result<Vec<TablePlace>, VaultError> {
        if asked.tables.len() > TABLES_MAX {
            return Err(VaultError::Limit(format!(
                "a statement has at most {TABLES_MAX} tables"
            )));
        }
        let secrets = self.secrets()?;
        let seat = self.seat(session)?;
        let mut places = Vec::with_capacity(asked.tables.len());
        for table in &asked.tables {
            places.push(self.place(&secrets, &seat, asked, table).await?);
        }
        self.linked(&secrets, &seat, asked, &places).await?;
        Ok(places)
    }

    async fn place(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        asked: &Asked,
        table: &TableAsked,
    ) -> Result<TablePlace, VaultError> {
        match (&table.source, &table.used) {
            (Source::Table { table: at, .. }, Use::Create(def)) => {
                self.created_place(secrets, seat, at, def.clone()).await
            }
            (Source::Table { table: at, .. }, _) if at.database != Database::Own => {
                self.agreed_place(secrets, seat, asked, table, at).await
            }
            (
                Source::Table {
                    table: at,
                    version,
                    at: time,
                },
                used,
            ) => {
                self.own_place(secrets, seat, table, at, (*version, *time), used.clone())
                    .await
            }
            (Source::Objects { bucket, prefix }, Use::Read) => {
                let tenant = self.own_tenant(secrets, seat).await?;
                let found = self.bucket(secrets, tenant.id, bucket, SQL).await?;
                let def = TableDef {
                    name: TableName::parse("objects")
                        .map_err(|e| VaultError::Usage(e.to_string()))?,
                    format: Format::Parquet,
                    bucket: bucket.clone(),
                    prefix: prefix.clone(),
                    columns: Vec::new(),
                    partitions: Vec::new(),
                    subject: None,
                    managed: false,
                };
                Ok(TablePlace {
                    listing: Listing::Prefix(prefix.clone()),
                    owner: tenant,
                    bucket: found.ok_or(VaultError::NoSuchBucket)?,
                    version: None,
                    terms: terms_of_owner(&def),
                    basis: Basis::Own,
                    used: Use::Read,
                    columns: None,
                    def,
                })
            }
            (Source::Objects { .. }, _) => Err(VaultError::Usage(
                "objects without a table are only read".into(),
            )),
        }
    }

    async fn own_tenant(&self, secrets: &Secrets, seat: &Seat) -> Result<Arc<Tenant>, VaultError> {
        match seat.database {
            Database::Own => self.tenant(secrets, seat.tenant).await,
            Database::Agreement(_) => Err(VaultError::Basis(
                "in the database of an agreement there is only what the agreement shows; use your own database for your own tables"
                    .into(),
            )),
        }
    }

    async fn own_place(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        asked: &TableAsked,
        at: &TableRef,
        when: (Option<u64>, Option<UnixMillis>),
        used: Use,
    ) -> Result<TablePlace, VaultError> {
        let tenant = self.own_tenant(secrets, seat).await?;
        let found = self.table(&tenant, &at.table).await?;
        let (_, row) = found.ok_or_else(|| VaultError::NoSuchTable(at.table.to_string()))?;
        let terms = terms_of_owner(&row.def);
        let columns = asked.columns.clone();
        self.placed(secrets, tenant, row, when, terms, Basis::Own, used, columns)
            .await
    }

    /// A table's place, its version chosen.
    #[allow(clippy::too_many_arguments)] // one per fact; a struct for them would be the place itself
    pub(super) async fn placed(
        &self,
        secrets: &Secrets,
        owner: Arc<Tenant>,
        row: TableRow,
        (version, time): (Option<u64>, Option<UnixMillis>),
        terms: Terms,
        basis: Basis,
        used: Use,
        columns: Option<Vec<String>>,
    ) -> Result<TablePlace, VaultError> {
        let def = row.def;
        let why = Why {
            actor: match &basis {
                Basis::Own => "the tenant",
                Basis::Agreed(agreed) => agreed.id(),
            },
            ..SQL
        };
        let bucket = self.bucket(secrets, owner.id, &def.bucket, why).await?;
        let bucket = bucket.ok_or_else(|| {
            VaultError::NoSuchTable(format!(
                "{}: the bucket {} over which it was declared is gone",
                def.name,
                def.bucket.as_str()
            ))
        })?;
        let (version, listing) = if def.managed {
            let (number, written) = self
                .version_of(&owner, &def, row.newest, version, time)
                .await?;
            let listing = match used {
                Use::Read => Listing::Written(names_of(&def, &written.objects)?),
                _ => Listing::Nothing,
            };
            (Some(number), listing)
        } else if version.is_some() || time.is_some() {
            return Err(VaultError::Usage(format!(
                "{} is declared over objects as they are and keeps no versions; only tables made by CREATE TABLE AS do",
                def.name
            )));
        } else if used != Use::Read {
            return Err(VaultError::Usage(format!(
                "{} is declared over objects that others write; rows are added to tables made by CREATE TABLE AS",
                def.name
            )));
        } else {
            (None, Listing::Prefix(def.prefix.clone()))
        };
        Ok(TablePlace {
            def,
            owner,
            bucket,
            version,
            terms,
            basis,
            used,
            columns,
            listing,
        })
    }

    async fn created_place(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        at: &TableRef,
        def: TableDef,
    ) -> Result<TablePlace, VaultError> {
        if def.name != at.table || !def.managed || at.database != Database::Own {
            return Err(VaultError::Usage(
                "a table is made under its own name, in your own database".into(),
            ));
        }
        let (_, tenant) = self.may_declare(secrets, seat.id, &def).await?;
        if self.table(&tenant, &def.name).await?.is_some() {
            return Err(VaultError::Exists(format!("a table {}", def.name)));
        }
        let bucket = self.bucket(secrets, tenant.id, &def.bucket, SQL).await?;
        Ok(TablePlace {
            listing: Listing::Nothing,
            owner: tenant,
            bucket: bucket.ok_or(VaultError::NoSuchBucket)?,
            version: None,
            terms: terms_of_owner(&def),
            basis: Basis::Own,
            used: Use::Create(def.clone()),
            columns: None,
            def,
        })
    }
}

/// Everything as it is.
fn terms_of_owner(def: &TableDef) -> Terms {
    let names = def.columns.iter().map(|column| column.name.as_str()).chain(
        def.partitions
            .iter()
            .map(|partition| partition.name.as_str()),
    );
    let mut said = b"terms of an owner\0".to_vec();
    said.extend_from_slice(def.bucket.as_str().as_bytes());
    said.push(0);
    said.extend_from_slice(def.prefix.as_bytes());
    let digest = ledger::sha256(&said);
    Terms::of_owner(digest, names)
}

/// The names of a version's objects.
fn names_of(
    def: &TableDef,
    written: &[Written],
) -> Result<Vec<(ObjectKey, VersionId)>, VaultError> {
    written
        .iter()
        .map(|object| Ok((written_name(def, &object.name)?, object.version)))
        .collect()
}

/// The name of an object that Clarence wrote for a table.
pub(crate) fn written_name(def: &TableDef, name: &[u8; 16]) -> Result<ObjectKey, VaultError> {
    let name = format!("{}{}.parquet", def.prefix, words::hex::encode(name));
    ObjectKey::parse(&name).map_err(|e| VaultError::Usage(e.to_string()))
}
