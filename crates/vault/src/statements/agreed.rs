//! Tables under an agreement: shown, placed and joined as the agreement says, and by nobody but its consumer.

use super::Seat;
use super::places::{Basis, TablePlace};
use crate::Vault;
use crate::agreements::{AskedUnder, InForce};
use crate::entries::{Under, Who};
use crate::error::VaultError;
use crate::record::table::TableRow;
use crate::secrets::Secrets;
use agreement::{Op, Snapshot};
use ledger::Kind;
use policy::{Action, Resource};
use statement::{Asked, Column, Database, Source, TableAsked, TableRef, TableShown, Terms, Use};
use std::sync::Arc;
use words::{BucketId, BucketName, TenantId, UnixMillis};

/// Characters of a name that nobody knows.
const NAME_CHARS: usize = 80;

/// A version of a managed table, or a time.
type When = (Option<u64>, Option<UnixMillis>);

/// What a table is used on, when it is another's.
pub(crate) struct Agreed {
    id: String,
    pub under: Arc<Under>,
    pub ends: UnixMillis,
    ops: Vec<Op>,
    link_with: Vec<String>,
    /// As others name it in `link_with`.
    named: String,
}

impl Agreed {
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Vault {
    /// The database that somebody wants to sign in to.
    pub(super) async fn database(
        &self,
        secrets: &Secrets,
        tenant: TenantId,
        own: &str,
        user: &str,
        wanted: &str,
    ) -> Result<Database, VaultError> {
        if wanted == own || wanted == "clarence" {
            return Ok(Database::Own);
        }
        if let Some(id) = wanted.strip_prefix("agr_") {
            if self.of_consumer(secrets, tenant, id).await?.is_some() {
                return Ok(Database::Agreement(id.to_owned()));
            }
            // Whether there is one between others is not said, and that somebody tried is written down.
            let tenant = self.tenant(secrets, tenant).await?;
            let mut fields = self.fields(Kind::Deny);
            fields.tenant = Some(tenant.id);
            fields.actor = Some(user.to_owned());
            fields.operation = Some("SignIn".into());
            fields.agreement = Some(id.chars().take(NAME_CHARS).collect());
            fields.decision = Some("deny".into());
            fields.reason = Some("no agreement of this tenant has that id".into());
            self.meter.refused(tenant.id);
            self.note(self.entry_for(&tenant, &fields)).await?;
        }
        Err(VaultError::NoSuchDatabase(
            wanted.chars().take(NAME_CHARS).collect(),
        ))
    }

    /// The table that an agreement shows.
    pub(super) async fn agreed_tables(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        id: &str,
    ) -> Result<Vec<TableShown>, VaultError> {
        let (who, _) = self.sitting(secrets, seat, [0; 32]).await?;
        let (force, _) = self.in_force(secrets, &who, id, None).await?;
        if !self.member_may(secrets, seat, &force).await? {
            return Ok(Vec::new());
        }
        Ok(self.shown_under(&force).await?.into_iter().collect())
    }

    /// What a tenant's agreements show, beside its own tables.
    pub(super) async fn all_agreed_tables(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        tenant: &crate::secrets::Tenant,
    ) -> Result<Vec<TableShown>, VaultError> {
        let mut all = Vec::new();
        for force in self.all_in_force(secrets, tenant).await? {
            if !self.member_may(secrets, seat, &force).await? {
                continue;
            }
            all.extend(self.shown_under(&force).await?);
        }
        Ok(all)
    }

    /// Whether whoever sits there may use their tenant's agreement: their own policies narrow them here too, as if the table
    /// were the object `agr-<id>/<table>`.
    async fn member_may(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        force: &InForce,
    ) -> Result<bool, VaultError> {
        let name = format!("agr-{}", force.id);
        let bucket =
            BucketName::parse(&name).map_err(|error| VaultError::Usage(error.to_string()))?;
        let caller = self.sql_caller(secrets, seat, [0; 32]).await?;
        let scene = self
            .scene(secrets, &caller, Action::GetObject, &bucket)
            .await?;
        if scene.is_whole() {
            return Ok(true);
        }
        let resource = Resource::bucket(scene.tenant.id, BucketId::from_bytes([0; 16]));
        let asked = policy::Asked::bucket(Action::GetObject, resource, &name);
        let asked = asked.key(force.agreement.table.as_str());
        Ok(self.permitted(&scene, caller, &asked))
    }

    async fn shown_under(&self, force: &InForce) -> Result<Option<TableShown>, VaultError> {
        let found = self.table(&force.provider, &force.agreement.table).await?;
        let Some((_, row)) = found else {
            return Ok(None);
        };
        // A table that was declared anew and does not fit is not shown; to ask for it says why.
        let Ok(terms) = force.terms(&row.def, [0; 32]) else {
            return Ok(None);
        };
        let def = &row.def;
        let whole = |name: &str| {
            let columns = def.columns.iter().find(|column| column.name == name);
            let column = columns.map(|column| (column.kind, column.nullable));
            let part = def.partitions.iter().find(|part| part.name == name);
            column.or_else(|| part.map(|part| (part.kind, true)))
        };
        let columns = terms.columns.iter().filter_map(|terms| {
            let (kind, nullable) = whole(&terms.name)?;
            Some(Column {
                name: terms.name.clone(),
                kind: terms.transform.kind_of(kind)?,
                nullable,
                sensitive: false,
            })
        });
        Ok(Some(TableShown {
            table: TableRef {
                database: Database::Agreement(force.id.clone()),
                table: def.name.clone(),
            },
            columns: columns.collect(),
            note: format!(
                "of {}, for {}",
                force.agreement.provider, force.agreement.purpose
            ),
        }))
    }

    /// A table under an agreement: decided, and its terms made.
    pub(super) async fn agreed_place(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        asked: &Asked,
        table: &TableAsked,
        at: &TableRef,
    ) -> Result<TablePlace, VaultError> {
        let Database::Agreement(id) = &at.database else {
            return Err(VaultError::NoSuchTable(at.table.to_string()));
        };
        let (who, _) = self.sitting(secrets, seat, asked.statement).await?;
        let (force, purpose) = self
            .in_force(secrets, &who, id, asked.purpose.as_deref())
            .await?;
        let looked = self.look_under(secrets, seat, table, at, &force).await;
        let (row, terms, when) = match looked {
            Ok(looked) => looked,
            // A refusal is an entry to both sides; whatever else went wrong is not one.
            Err(refusal @ (VaultError::Basis(_) | VaultError::NoSuchTable(_))) => {
                let under = AskedUnder {
                    table: &at.table,
                    purpose: &purpose,
                    case: asked.case.as_deref(),
                };
                return Err(self.refuse_asked(&who, &force, under, refusal).await?);
            }
            Err(error) => return Err(error),
        };
        let agreed = Agreed {
            under: Arc::new(force.under(purpose, self.host.now())),
            ends: force.agreement.not_after,
            ops: force.agreement.ops.iter().copied().collect(),
            link_with: force.agreement.link_with.clone(),
            named: format!("{}/{}", force.agreement.provider, force.agreement.table),
            id: force.id,
        };
        let columns = table.columns.clone();
        let basis = Basis::Agreed(Box::new(agreed));
        self.placed(
            secrets,
            force.provider,
            row,
            when,
            terms,
            basis,
            Use::Read,
            columns,
        )
        .await
    }

    /// The table that an agreement in force is about, as it is seen under it; or why what is asked is not agreed.
    async fn look_under(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        table: &TableAsked,
        at: &TableRef,
        force: &InForce,
    ) -> Result<(TableRow, Terms, When), VaultError> {
        let id = &force.id;
        if table.used != Use::Read {
            return Err(VaultError::Basis(format!(
                "under the agreement {id} data is read, and nothing is written"
            )));
        }
        if at.table != force.agreement.table {
            return Err(VaultError::NoSuchTable(at.table.to_string()));
        }
        if !self.member_may(secrets, seat, force).await? {
            return Err(VaultError::Basis(format!(
                "the key that asks may not use the agreement {id}: its own policies do not allow s3:GetObject on agr-{id}/{}; nothing was read",
                at.table
            )));
        }
        let found = self.table(&force.provider, &at.table).await?;
        let (_, row) = found.ok_or_else(|| VaultError::NoSuchTable(at.table.to_string()))?;
        let terms = force.terms(&row.def, self.host.random())?;
        if let Some(hidden) = hidden(&terms, table.columns.as_deref()) {
            return Err(VaultError::Basis(format!(
                "the agreement {id} does not show the column {hidden}; nothing was read"
            )));
        }
        let when = when(&table.source, force.agreement.snapshot).ok_or_else(|| {
            VaultError::Basis(format!(
                "the agreement {id} is about another version of the table; nothing was read"
            ))
        })?;
        Ok((row, terms, when))
    }

    /// Whether tables under agreements may stand in one statement with what else stands there.
    pub(super) async fn linked(
        &self,
        secrets: &Secrets,
        seat: &Seat,
        asked: &Asked,
        places: &[TablePlace],
    ) -> Result<(), VaultError> {
        let Some(why) = unlinked(places) else {
            return Ok(());
        };
        let (who, tenant) = self.sitting(secrets, seat, asked.statement).await?;
        self.meter.refused(tenant.id);
        // To each side whose data it would have been, under its own agreement; and all of it to whoever asked.
        for place in places {
            let Basis::Agreed(agreed) = &place.basis else {
                continue;
            };
            let under = Who {
                under: Some(Arc::clone(&agreed.under)),
                ..who.clone()
            };
            let mut fields = self.fields_of(Kind::Deny, &under, "Query");
            fields.resource = Some(place.def.name.to_string());
            fields.case_reference.clone_from(&asked.case);
            fields.decision = Some("deny".into());
            fields.reason = Some(why.clone());
            self.note(self.entry_for(&place.owner, &fields)).await?;
            self.note(self.entry_for(&tenant, &fields)).await?;
        }
        Err(VaultError::Basis(why))
    }
}

/// The version or time that is read, if the agreement is about it.
fn when(source: &Source, agreed: Snapshot) -> Option<When> {
    let Source::Table { version, at, .. } = source else {
        return None;
    };
    match agreed {
        // The newest is what was agreed on: an older one may hold what was taken out since.
        Snapshot::Latest => (version.is_none() && at.is_none()).then_some((None, None)),
        Snapshot::Version(agreed) => {
            let same = version.is_none_or(|version| version == agreed) && at.is_none();
            same.then_some((Some(agreed), None))
        }
    }
}

/// A column that is asked for and not shown.
fn hidden<'a>(terms: &Terms, asked: Option<&'a [String]>) -> Option<&'a str> {
    let shown = |name: &str| {
        let found = terms.columns.iter().find(|column| column.name == name);
        found.is_some_and(|column| column.transform != statement::Transform::Drop)
    };
    asked
        .unwrap_or_default()
        .iter()
        .map(String::as_str)
        .find(|name| !shown(name))
}

/// Why tables may not stand together, if they may not.
fn unlinked(places: &[TablePlace]) -> Option<String> {
    let agreed: Vec<&Agreed> = places
        .iter()
        .filter_map(|place| match &place.basis {
            Basis::Agreed(agreed) => Some(agreed.as_ref()),
            Basis::Own => None,
        })
        .collect();
    let own = |wanted: fn(&Use) -> bool| {
        places
            .iter()
            .any(|place| matches!(place.basis, Basis::Own) && wanted(&place.used))
    };
    let reads_own = own(|used| *used == Use::Read);
    let writes = own(|used| *used != Use::Read);
    for one in &agreed {
        let id = one.id();
        if reads_own && !one.ops.contains(&Op::Link) {
            return Some(format!(
                "the agreement {id} does not let its data be linked with your own (link); nothing was read"
            ));
        }
        if writes && !one.ops.contains(&Op::Export) {
            return Some(format!(
                "the agreement {id} does not let its data be kept (export); nothing was read"
            ));
        }
        for other in &agreed {
            let names = |from: &Agreed, to: &Agreed| from.link_with.contains(&to.named);
            if one.id() != other.id() && !(names(one, other) && names(other, one)) {
                return Some(format!(
                    "the agreements {id} and {} do not both say that they may be linked; nothing was read",
                    other.id()
                ));
            }
        }
    }
    None
}
