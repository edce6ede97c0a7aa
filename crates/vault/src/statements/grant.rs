//! A statement is granted: every object decided, one entry for each table, all durable in one commit, and only then the
//! objects' keys open.

use super::places::{Basis, Listing, TablePlace};
use crate::Vault;
use crate::admit::{Of, RECORD_IN_OBJECT_ROW, claimed, object_row_key};
use crate::entries::Who;
use crate::error::VaultError;
use crate::grant::OpenObject;
use crate::secrets::{Secrets, Tenant};
use crate::shred::Group;
use catalog::{Commit, Outcome, Row};
use ledger::{Entry, Kind, Receipt};
use policy::Action;
use seal::{ClaimedRecord, ObjectPlace};
use statement::limits::OBJECTS_MAX;
use statement::{Asked, SessionId, TableDef, Terms, Transform, Use};
use std::sync::Arc;
use words::{ObjectKey, OpId, UnixMillis, VersionId};

/// One table of a statement, granted.
pub struct TableGrant {
    pub(crate) who: Who,
    pub(crate) owner: Arc<Tenant>,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) basis: Basis,
    def: TableDef,
    version: Option<u64>,
    terms: Terms,
    used: Use,
    objects: Vec<(ObjectKey, Arc<OpenObject>)>,
}

impl TableGrant {
    /// As its owner declared it.
    #[must_use]
    pub const fn def(&self) -> &TableDef {
        &self.def
    }
    /// The version of a managed table.
    #[must_use]
    pub const fn version(&self) -> Option<u64> {
        self.version
    }
    /// How it may be seen.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }
    /// What it may be used for.
    #[must_use]
    pub const fn used(&self) -> &Use {
        &self.used
    }
    /// Its objects with their names, open.
    #[must_use]
    pub fn objects(&self) -> &[(ObjectKey, Arc<OpenObject>)] {
        &self.objects
    }
    /// The index of the grant's entry in the ledger; 0 for a table that is only written, whose writes make their own.
    #[must_use]
    pub fn ledger_index(&self) -> u64 {
        self.receipt.as_ref().map_or(0, Receipt::index)
    }
}

/// A statement may run.
pub struct StatementGrant {
    pub(crate) session: SessionId,
    pub(crate) standing: [u8; 32],
    /// The statement's digest.
    pub(crate) digest: [u8; 32],
    tables: Vec<TableGrant>,
}

impl StatementGrant {
    /// Its tables, in the order they were asked for.
    #[must_use]
    pub fn tables(&self) -> &[TableGrant] {
        &self.tables
    }
    /// Whose it is.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }
    /// When the first of its agreements ends.
    #[must_use]
    pub fn ends(&self) -> Option<UnixMillis> {
        let ends = self.tables.iter().filter_map(|table| match &table.basis {
            Basis::Own => None,
            Basis::Agreed(agreed) => Some(agreed.ends),
        });
        ends.min()
    }
    /// The agreements it stands on.
    pub fn agreements(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().filter_map(|table| match &table.basis {
            Basis::Own => None,
            Basis::Agreed(agreed) => Some(agreed.id()),
        })
    }
}

/// An object that may be opened once its table's entry is durable.
struct Found {
    name: ObjectKey,
    row: Row,
    claimed: ClaimedRecord,
    group: Option<Arc<Group>>,
    place: ObjectPlace,
}

impl Vault {
    /// Grants a statement over tables whose objects were looked for. The entries are durable when this returns.
    pub async fn grant_statement(
        &self,
        session: SessionId,
        asked: &Asked,
        places: Vec<(TablePlace, Vec<ObjectKey>)>,
    ) -> Result<StatementGrant, VaultError> {
        let secrets = self.secrets()?;
        let seat = self.seat(session)?;
        let (who, _) = self.sitting(&secrets, &seat, asked.statement).await?;
        let caller = self.sql_caller(&secrets, &seat, asked.statement).await?;
        let standing = caller.credential().standing;
        drop(caller);
        let mut looked = Vec::with_capacity(places.len());
        let mut entries = Vec::new();
        for (place, names) in places {
            let found = self.openable(&secrets, &seat, asked, &place, names).await?;
            if place.used == Use::Read {
                entries.push(self.grant_entry(&who_of(&who, &place), asked, &place, &found));
            }
            looked.push((place, found));
        }
        let mut receipts = self.receipts_of(entries).await?.into_iter();
        let mut tables = Vec::with_capacity(looked.len());
        for (place, found) in looked {
            let receipt = match place.used {
                Use::Read => Some(receipts.next().ok_or_else(|| {
                    VaultError::NotRecorded("the catalog gave a receipt too few".into())
                })?),
                _ => None,
            };
            let objects = match &receipt {
                Some(receipt) => self.opened(&place, found, receipt).await?,
                None => Vec::new(),
            };
            tables.push(TableGrant {
                who: who_of(&who, &place),
                owner: place.owner,
                receipt,
                basis: place.basis,
                def: place.def,
                version: place.version,
                terms: place.terms,
                used: place.used,
                objects,
            });
        }
        let grant = StatementGrant {
            session,
            standing,
            digest: asked.statement,
            tables,
        };
        self.perhaps_everybody(&secrets, &grant).await?;
        Ok(grant)
    }

    /// The objects' keys open against the table's entry.
    async fn opened(
        &self,
        place: &TablePlace,
        found: Vec<Found>,
        receipt: &Receipt,
    ) -> Result<Vec<(ObjectKey, Arc<OpenObject>)>, VaultError> {
        let mut objects = Vec::with_capacity(found.len());
        for object in found {
            let group = object.group.as_deref();
            let object_key = self
                .object_key(&place.bucket, &object.claimed, group, receipt)
                .await?;
            let open = OpenObject {
                object_key,
                place: object.place,
                row: object.row,
                group: object.group,
                lease: place.bucket.lease.clone(),
            };
            objects.push((object.name, Arc::new(open)));
        }
        Ok(objects)
    }

    /// Makes entries durable in one commit and gives their receipts, in order.
    async fn receipts_of(&self, entries: Vec<Entry>) -> Result<Vec<Receipt>, VaultError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: Vec::new(),
            mutations: Vec::new(),
            entries,
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(committed) => Ok(committed.into_receipts()),
            other => Err(VaultError::from_outcome(other)),
        }
    }

    /// The objects of a table that may be opened, each decided.
    async fn openable(
        &self,
        secrets: &Secrets,
        seat: &super::Seat,
        asked: &Asked,
        place: &TablePlace,
        names: Vec<ObjectKey>,
    ) -> Result<Vec<Found>, VaultError> {
        if place.used != Use::Read {
            return Ok(Vec::new());
        }
        let wanted = wanted(place, names)?;
        if let Basis::Own = place.basis {
            self.decided(secrets, seat, asked, place, &wanted).await?;
        }
        let mut found = Vec::with_capacity(wanted.len());
        for (name, version) in wanted {
            let hash = seal::name_hash(&place.bucket.name_key, name.as_bytes());
            let row = self
                .engine
                .get(&object_row_key(&place.bucket, &hash))
                .await?;
            let gone = || {
                VaultError::NoSuchTable(format!(
                    "{} as it was: its object {} was deleted or written over by somebody; the version cannot be read any more",
                    place.def.name,
                    name.as_str()
                ))
            };
            let Some(row) = row else {
                match version {
                    // Deleted since it was listed: it is no longer one of the table's.
                    None => continue,
                    Some(_) => return Err(gone()),
                }
            };
            let claimed = claimed(&row.value, RECORD_IN_OBJECT_ROW)?;
            if version.is_some_and(|version| version != claimed.version()) {
                return Err(gone());
            }
            let Some(opener) = self.opener(secrets, &claimed).await? else {
                continue; // erased: it is nobody's any more
            };
            let place = ObjectPlace {
                tenant: place.bucket.owner,
                bucket: place.bucket.id,
                version: claimed.version(),
                name: hash,
            };
            found.push(Found {
                name,
                row,
                claimed,
                group: opener.into_group(),
                place,
            });
        }
        Ok(found)
    }

    /// Whether the caller may read each object of their tenant's own table. The first refusal ends it.
    async fn decided(
        &self,
        secrets: &Secrets,
        seat: &super::Seat,
        asked: &Asked,
        place: &TablePlace,
        wanted: &[(ObjectKey, Option<VersionId>)],
    ) -> Result<(), VaultError> {
        let bucket = &place.bucket.name;
        let mut caller = self.sql_caller(secrets, seat, asked.statement).await?;
        let scene = self
            .scene(secrets, &caller, Action::GetObject, bucket)
            .await?;
        // Where no document narrows the caller, all objects are decided alike.
        let judged = if scene.is_whole() { 1 } else { wanted.len() };
        for (name, _) in wanted.iter().take(judged) {
            let (outcome, _) = self
                .judge(
                    secrets,
                    &scene,
                    caller,
                    Action::GetObject,
                    bucket,
                    Of::Key(name),
                )
                .await?;
            caller = outcome?.permit.into_caller();
        }
        Ok(())
    }

    fn grant_entry(&self, who: &Who, asked: &Asked, place: &TablePlace, found: &[Found]) -> Entry {
        let mut fields = self.fields_of(Kind::Grant, who, "Query");
        let version = place.version.map(|version| format!("@{version}"));
        fields.resource = Some(match place.def.columns.is_empty() {
            true => format!("{}/{}*", place.def.bucket.as_str(), place.def.prefix),
            false => format!("{}{}", place.def.name, version.unwrap_or_default()),
        });
        fields.bucket = Some(place.bucket.id);
        fields.case_reference.clone_from(&asked.case);
        if who.under.is_none() {
            fields.purpose.clone_from(&asked.purpose);
        }
        fields.request_digest = Some(asked.statement);
        fields.columns = Some(columns_shown(&place.terms, place.columns.as_deref()));
        fields.bytes = Some(
            found
                .iter()
                .map(|object| object.claimed.plain_bytes())
                .sum(),
        );
        fields.decision = Some("permit".into());
        self.entry_for(&place.owner, &fields)
    }
}

/// Who is named in a table's entries: for another's data its owner, and under what.
fn who_of(who: &Who, place: &TablePlace) -> Who {
    match &place.basis {
        Basis::Own => who.clone(),
        Basis::Agreed(agreed) => Who {
            owner: Arc::clone(&place.owner),
            under: Some(Arc::clone(&agreed.under)),
            ..who.clone()
        },
    }
}

/// The objects that a table has, by name, and by version where that is said.
fn wanted(
    place: &TablePlace,
    names: Vec<ObjectKey>,
) -> Result<Vec<(ObjectKey, Option<VersionId>)>, VaultError> {
    let wanted: Vec<(ObjectKey, Option<VersionId>)> = match place.listing() {
        Listing::Prefix(prefix) => names
            .into_iter()
            .filter(|name| name.as_str().starts_with(prefix.as_str()))
            .map(|name| (name, None))
            .collect(),
        Listing::Written(written) => written
            .iter()
            .map(|(name, version)| (name.clone(), Some(*version)))
            .collect(),
        Listing::Nothing => Vec::new(),
    };
    if wanted.len() > OBJECTS_MAX {
        return Err(VaultError::Limit(format!(
            "the table {} has more than {OBJECTS_MAX} objects; partition it or write fewer, larger ones",
            place.def.name
        )));
    }
    Ok(wanted)
}

/// The columns that are touched, and what is done to them.
fn columns_shown(terms: &Terms, touched: Option<&[String]>) -> String {
    let mut shown = String::new();
    for column in &terms.columns {
        if touched.is_some_and(|touched| !touched.contains(&column.name)) {
            continue;
        }
        let how = match column.transform {
            Transform::Clear => "",
            Transform::Pseudonym(_) => ":pseudonym",
            Transform::Hash(_) => ":hash",
            Transform::Generalise(_) => ":generalised",
            Transform::Drop => continue,
        };
        if !shown.is_empty() {
            shown.push(',');
        }
        shown.push_str(&column.name);
        shown.push_str(how);
    }
    shown
}
