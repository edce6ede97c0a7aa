//! Versions of tables that Clarence writes: each lists all its objects, and becomes the newest in one commit.

use super::places::written_name;
use super::tables::table_key;
use crate::Vault;
use crate::error::VaultError;
use crate::record::identity::{self, Sort};
use crate::record::table::{TableRow, TableVersionRow, Written};
use crate::secrets::Tenant;
use crate::standing::hashed;
use catalog::{Commit, Outcome, Precondition};
use ledger::Kind;
use statement::limits::TABLE_VERSION_OBJECTS_MAX;
use statement::{GrantedObject, SessionId, TableDef, TableName, Use};
use words::{ObjectKey, OpId, UnixMillis};

fn version_key(tenant: &Tenant, name: &TableName, version: u64) -> Vec<u8> {
    let hash = hashed(tenant, Sort::TableVersion, &format!("{name}@{version}"));
    identity::key(tenant.id, Sort::TableVersion, &hash)
}

impl Vault {
    async fn version_row(
        &self,
        tenant: &Tenant,
        name: &TableName,
        version: u64,
    ) -> Result<Option<TableVersionRow>, VaultError> {
        let key = version_key(tenant, name, version);
        let Some((_, plain)) = self.sealed_row(tenant, &key).await? else {
            return Ok(None);
        };
        Ok(Some(TableVersionRow::decode(&plain)?))
    }

    /// The version of a table that was asked for: by number, by time, or the newest.
    pub(super) async fn version_of(
        &self,
        tenant: &Tenant,
        def: &TableDef,
        newest: u64,
        version: Option<u64>,
        time: Option<UnixMillis>,
    ) -> Result<(u64, TableVersionRow), VaultError> {
        let none = |what: String| VaultError::NoSuchTable(format!("{} {what}", def.name));
        if let Some(version) = version {
            let row = self.version_row(tenant, &def.name, version).await?;
            let row = row.filter(|_| version <= newest);
            let row = row.ok_or_else(|| none(format!("in version {version}")))?;
            return Ok((version, row));
        }
        let mut number = newest;
        while number > 0 {
            let row = self.version_row(tenant, &def.name, number).await?;
            let row = row.ok_or_else(|| none(format!("in version {number}")))?;
            if time.is_none_or(|time| row.committed <= time) {
                return Ok((number, row));
            }
            number -= 1;
        }
        Err(none("at that time".to_owned()))
    }

    /// A name for an object that is about to be written for a table.
    pub fn sql_new_object(&self, def: &TableDef) -> Result<ObjectKey, VaultError> {
        written_name(def, &self.host.random())
    }

    /// What a commit is built on: the row as it has to stand, and the objects that stay.
    async fn stands(
        &self,
        tenant: &Tenant,
        def: &TableDef,
        used: &Use,
        found: Option<(catalog::Row, TableRow)>,
    ) -> Result<(Precondition, TableRow, Vec<Written>), VaultError> {
        let key = table_key(tenant, &def.name);
        Ok(match (used, found) {
            (Use::Create(_), None) => {
                let row = TableRow {
                    def: def.clone(),
                    created: self.host.now(),
                    newest: 0,
                };
                (Precondition::Absent(key), row, Vec::new())
            }
            (Use::Create(_), Some(_)) => {
                return Err(VaultError::Exists(format!("a table {}", def.name)));
            }
            (Use::Append, Some((at, row))) => {
                let (_, before) = self
                    .version_of(tenant, &row.def, row.newest, None, None)
                    .await?;
                let stands = Precondition::Version(key, at.version);
                (stands, row, before.objects)
            }
            (Use::Append, None) => return Err(VaultError::NoSuchTable(def.name.to_string())),
            (Use::Read, _) => {
                return Err(VaultError::Usage("what is read is not committed".into()));
            }
        })
    }

    /// Makes what was written a table's newest version. `made` is the declaration of a table that is not there yet.
    pub async fn sql_commit(
        &self,
        session: SessionId,
        def: &TableDef,
        used: &Use,
        written: &[GrantedObject],
    ) -> Result<u64, VaultError> {
        let secrets = self.secrets()?;
        let (who, tenant) = self.may_declare(&secrets, session, def).await?;
        let key = table_key(&tenant, &def.name);
        let found = self.table(&tenant, &def.name).await?;
        let now = self.host.now();
        let (precondition, mut row, mut objects) = self.stands(&tenant, def, used, found).await?;
        let count = written.len();
        for object in written {
            objects.push(Written {
                name: name_in(&row.def, &object.key)?,
                version: object.version,
                bytes: object.bytes,
            });
        }
        if objects.len() > TABLE_VERSION_OBJECTS_MAX {
            return Err(VaultError::Limit(format!(
                "a version of a table has at most {TABLE_VERSION_OBJECTS_MAX} objects; nothing was changed: write its rows anew with CREATE TABLE AS"
            )));
        }
        row.newest += 1;
        let mut fields = self.fields_of(Kind::Write, &who, "CommitTable");
        fields.resource = Some(format!("{}@{}", def.name, row.newest));
        fields.bytes = Some(written.iter().map(|object| object.bytes).sum());
        fields.columns = Some(format!("{count} objects"));
        fields.decision = Some("permit".into());
        let version = TableVersionRow {
            committed: now,
            objects,
        };
        let version_key = version_key(&tenant, &def.name, row.newest);
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![precondition],
            mutations: vec![
                self.sealed_put(&tenant, version_key, &version.encode()),
                self.sealed_put(&tenant, key, &row.encode()),
            ],
            entries: vec![self.entry_for(&tenant, &fields)],
        };
        let outcome = self.engine.commit(commit).await;
        secrets.people.tables_changed(tenant.id);
        match outcome {
            Outcome::Committed(_) => Ok(row.newest),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}

/// What the name of a table's object ends in; one that was not written for the table is refused.
fn name_in(def: &TableDef, key: &str) -> Result<[u8; 16], VaultError> {
    key.strip_prefix(&def.prefix)
        .and_then(|rest| rest.strip_suffix(".parquet"))
        .and_then(words::hex::decode_array)
        .ok_or_else(|| VaultError::Usage(format!("{key:?} was not written for {}", def.name)))
}
