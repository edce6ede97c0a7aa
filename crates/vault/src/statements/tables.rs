//! Tables: declared, shown, taken away. A declaration opens nothing: each statement over the table is decided for its
//! objects.

use super::Seat;
use crate::Vault;
use crate::admit::Of;
use crate::entries::Who;
use crate::error::VaultError;
use crate::record::identity::{self, Sort};
use crate::record::table::TableRow;
use crate::secrets::{Secrets, Tenant};
use crate::standing::hashed;
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition, Row};
use ledger::Kind;
use policy::{Action, Asked, Resource};
use statement::limits::TABLES_PER_TENANT_MAX;
use statement::{Column, Database, SessionId, TableDef, TableName, TableRef, TableShown};
use std::sync::Arc;
use words::limits::SCAN_ROWS_MAX;
use words::{ObjectKey, OpId};

pub(super) fn table_key(tenant: &Tenant, name: &TableName) -> Vec<u8> {
    let hash = hashed(tenant, Sort::Table, name.as_str());
    identity::key(tenant.id, Sort::Table, &hash)
}

impl Vault {
    pub(crate) async fn table(
        &self,
        tenant: &Tenant,
        name: &TableName,
    ) -> Result<Option<(Row, TableRow)>, VaultError> {
        let Some((row, plain)) = self.sealed_row(tenant, &table_key(tenant, name)).await? else {
            return Ok(None);
        };
        Ok(Some((row, TableRow::decode(&plain)?)))
    }

    /// All tables of a tenant, by name.
    pub(crate) async fn tables_of(&self, tenant: &Tenant) -> Result<Vec<TableRow>, VaultError> {
        let mut found = Vec::new();
        let mut range = KeyRange::prefix(&identity::prefix(tenant.id, Sort::Table));
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let more = page.len() == SCAN_ROWS_MAX;
            for (key, _) in page {
                if let Some((_, plain)) = self.sealed_row(tenant, &key).await? {
                    found.push(TableRow::decode(&plain)?);
                }
                range = range.after(&key);
            }
            if !more {
                break;
            }
        }
        found.sort_by(|a, b| a.def.name.cmp(&b.def.name));
        Ok(found)
    }

    /// The tables that somebody sees. That they looked is on the ledger when this returns.
    pub async fn sql_tables(&self, session: SessionId) -> Result<Vec<TableShown>, VaultError> {
        let secrets = self.secrets()?;
        let seat = self.seat(session)?;
        let (who, tenant) = self.sitting(&secrets, &seat, [0; 32]).await?;
        let shown = match &seat.database {
            Database::Own => {
                let mut shown = self.own_tables(&secrets, &seat, &tenant).await?;
                shown.extend(self.all_agreed_tables(&secrets, &seat, &tenant).await?);
                shown
            }
            Database::Agreement(id) => self.agreed_tables(&secrets, &seat, id).await?,
        };
        let mut fields = self.fields_of(Kind::List, &who, "ListTables");
        fields.resource = Some(seat.database.to_string());
        fields.rows = u64::try_from(shown.len()).ok();
        fields.decision = Some("permit".into());
        self.note(self.entry_for(&tenant, &fields)).await?;
        Ok(shown)
    }

    async fn own_tables(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        tenant: &Tenant,
    ) -> Result<Vec<TableShown>, VaultError> {
        let mut shown = Vec::new();
        for row in self.tables_of(tenant).await? {
            if self.may_see(secrets, seat, &row.def).await? {
                shown.push(own_shown(row.def));
            }
        }
        Ok(shown)
    }

    /// Whether somebody may read what lies under a table's prefix.
    async fn may_see(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        def: &TableDef,
    ) -> Result<bool, VaultError> {
        let caller = self.sql_caller(secrets, seat, [0; 32]).await?;
        let scene = self
            .scene(secrets, &caller, Action::GetObject, &def.bucket)
            .await?;
        let Some(bucket) = &scene.bucket else {
            return Ok(scene.is_whole());
        };
        let resource = Resource::bucket(scene.tenant.id, bucket.id);
        let asked = Asked::bucket(Action::GetObject, resource, def.bucket.as_str());
        let asked = asked.key(&def.prefix);
        Ok(self.permitted(&scene, caller, &asked))
    }

    /// Who sits there, for entries, and their tenant.
    pub(super) async fn sitting(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        digest: [u8; 32],
    ) -> Result<(Who, Arc<Tenant>), VaultError> {
        let caller = self.sql_caller(secrets, seat, digest).await?;
        let tenant = self.tenant(secrets, caller.tenant()).await?;
        let standing = secrets.judged.standing(&caller)?;
        let policies = self.policies.in_force(standing.digest(), None);
        let who = Who::of(Arc::clone(&tenant), &caller, policies);
        Ok((who, tenant))
    }

    /// Declares a table over objects of the tenant's own.
    pub async fn sql_declare(&self, session: SessionId, def: TableDef) -> Result<(), VaultError> {
        if def.managed {
            return Err(VaultError::Usage(
                "a table that Clarence writes is made by CREATE TABLE AS".into(),
            ));
        }
        let secrets = self.secrets()?;
        let (who, tenant) = self.may_declare(&secrets, session, &def).await?;
        let key = table_key(&tenant, &def.name);
        if self.tables_of(&tenant).await?.len() >= TABLES_PER_TENANT_MAX {
            return Err(VaultError::Limit(format!(
                "the tenant has {TABLES_PER_TENANT_MAX} tables, the most there may be"
            )));
        }
        let name = def.name.clone();
        let row = TableRow {
            def,
            created: self.host.now(),
            newest: 0,
        };
        let mut fields = self.fields_of(Kind::Admin, &who, "DeclareTable");
        fields.resource = Some(name.to_string());
        fields.decision = Some("permit".into());
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![Precondition::Absent(key.clone())],
            mutations: vec![self.sealed_put(&tenant, key, &row.encode())],
            entries: vec![self.entry_for(&tenant, &fields)],
        };
        let outcome = self.engine.commit(commit).await;
        secrets.people.tables_changed(tenant.id);
        match outcome {
            Outcome::Committed(_) => Ok(()),
            Outcome::Conflict { .. } => Err(VaultError::Exists(format!("a table {name}"))),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// Whoever declares or withdraws a table has to be able to write what it is about.
    pub(super) async fn may_declare(
        &self,
        secrets: &Secrets,
        session: SessionId,
        def: &TableDef,
    ) -> Result<(Who, Arc<Tenant>), VaultError> {
        TableRow::fitting(def).map_err(|why| VaultError::Usage(why.to_owned()))?;
        let seat = self.own_seat(session)?;
        let name = format!("{}{}", def.prefix, def.name);
        let key = ObjectKey::parse(&name).map_err(|e| VaultError::Usage(e.to_string()))?;
        let caller = self.sql_caller(secrets, &seat, [0; 32]).await?;
        let admitted = self
            .admit(
                secrets,
                caller,
                Action::PutObject,
                &def.bucket,
                Of::Key(&key),
            )
            .await?;
        let tenant = Arc::clone(&admitted.who.tenant);
        Ok((admitted.who, tenant))
    }

    /// Whoever sits in their tenant's own database.
    pub(super) fn own_seat(&self, session: SessionId) -> Result<Arc<Seat>, VaultError> {
        let seat = self.seat(session)?;
        match seat.database {
            Database::Own => Ok(seat),
            Database::Agreement(_) => Err(VaultError::Basis(
                "an agreement is to be read: tables are declared and written in your own database"
                    .into(),
            )),
        }
    }

    /// Takes a table's declaration away; its objects stay.
    pub async fn sql_withdraw(
        &self,
        session: SessionId,
        table: &TableRef,
    ) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let seat = self.own_seat(session)?;
        let tenant = self.tenant(&secrets, seat.tenant).await?;
        let found = match table.database {
            Database::Own => self.table(&tenant, &table.table).await?,
            Database::Agreement(_) => None,
        };
        let (row, TableRow { def, .. }) =
            found.ok_or_else(|| VaultError::NoSuchTable(table.table.to_string()))?;
        let (who, tenant) = self.may_declare(&secrets, session, &def).await?;
        let key = table_key(&tenant, &def.name);
        let mut fields = self.fields_of(Kind::Admin, &who, "WithdrawTable");
        fields.resource = Some(def.name.to_string());
        fields.decision = Some("permit; its objects stay".into());
        let stands = Precondition::Version(key.clone(), row.version);
        let entry = self.entry_for(&tenant, &fields);
        let outcome = self
            .commit_act(vec![stands], Mutation::Delete { key }, entry)
            .await;
        secrets.people.tables_changed(tenant.id);
        outcome
    }
}

/// A table as its owner sees it.
pub(super) fn own_shown(def: TableDef) -> TableShown {
    let partitions = def.partitions.iter().map(|partition| Column {
        name: partition.name.clone(),
        kind: partition.kind,
        nullable: true,
        sensitive: false,
    });
    TableShown {
        columns: def.columns.iter().cloned().chain(partitions).collect(),
        note: format!(
            "{} objects under {}/{}",
            if def.managed { "written" } else { "all" },
            def.bucket.as_str(),
            def.prefix
        ),
        table: TableRef {
            database: Database::Own,
            table: def.name,
        },
    }
}
