//! The facts of one request in Cedar's terms: the key, the thing it asks for, and the time.

use crate::action::{Action, Resource};
use authn::Caller;
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
    Schema,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;
use words::{TenantId, UnixMillis};

/// Names of types and actions, parsed once.
pub(crate) struct Names {
    tenant: EntityTypeName,
    key: EntityTypeName,
    account: EntityTypeName,
    bucket: EntityTypeName,
    actions: BTreeMap<Action, EntityUid>,
}

impl Names {
    pub fn of(actions: &[Action]) -> Result<Self, String> {
        let kind = |name: &str| EntityTypeName::from_str(name).map_err(|e| e.to_string());
        let action = kind("Clarence::Action")?;
        Ok(Self {
            tenant: kind("Clarence::Tenant")?,
            key: kind("Clarence::Key")?,
            account: kind("Clarence::Account")?,
            bucket: kind("Clarence::Bucket")?,
            actions: actions
                .iter()
                .map(|a| (*a, uid(&action, a.name())))
                .collect(),
        })
    }
}

/// One question to Cedar.
pub(crate) struct Question {
    pub request: Request,
    pub entities: Entities,
}

/// Puts the facts together; an error names what does not fit the schema, and means no.
pub(crate) fn question(
    names: &Names,
    schema: &Schema,
    caller: &Caller,
    action: Action,
    resource: &Resource,
    now: UnixMillis,
) -> Result<Question, String> {
    let principal = uid(&names.key, caller.access_key().as_str());
    let target = match resource.bucket {
        Some(bucket) => uid(&names.bucket, &bucket.to_string()),
        None => uid(&names.account, &resource.owner.to_string()),
    };
    let tenant =
        |id: TenantId| RestrictedExpression::new_entity_uid(uid(&names.tenant, &id.to_string()));
    let credential = caller.credential();
    let mut facts = HashMap::from([
        ("tenant".to_owned(), tenant(credential.tenant)),
        (
            "suspended".to_owned(),
            RestrictedExpression::new_bool(credential.suspended),
        ),
    ]);
    if let Some(end) = credential.not_after {
        facts.insert("notAfter".to_owned(), millis(end));
    }
    let owner = HashMap::from([("owner".to_owned(), tenant(resource.owner))]);
    let entity = |id: &EntityUid, facts| {
        Entity::new(id.clone(), facts, HashSet::new()).map_err(|e| e.to_string())
    };
    let entities = [entity(&principal, facts)?, entity(&target, owner)?];
    let entities = Entities::from_entities(entities, None).map_err(|e| e.to_string())?;
    let action = names
        .actions
        .get(&action)
        .cloned()
        .ok_or("the action has no name")?;
    let context =
        Context::from_pairs([("now".to_owned(), millis(now))]).map_err(|e| e.to_string())?;
    let request = Request::new(principal, action, target, context, Some(schema))
        .map_err(|e| e.to_string())?;
    Ok(Question { request, entities })
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// Times past the end of Cedar's integers are its last moment: a key's end stays an end.
fn millis(time: UnixMillis) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(time.0).unwrap_or(i64::MAX))
}
