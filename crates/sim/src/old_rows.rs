//! Rows as earlier builds wrote them, and rows as somebody with the disk in hand would: made with the shares,
//! past the vault.

use crate::disks::SimError;
use crate::world::{Node, World};
use catalog::{Commit, Engine, Mutation, Outcome};
use charter::{Progress, Unsealing};
use seal::{KeyId, MetaKey, RootKey, SiteKey, TenantKey, WrapContext, Wrapped};
use vault::record::access_key::{self, AccessKeyRow};
use vault::record::tenant::{self, TenantRow};
use words::{AccessKeyId, OpId, SiteId, TenantId, UnixMillis};

impl World {
    /// The key of a tenant's small records, from the shares.
    async fn meta_key(&self, node: &Node, tenant: TenantId) -> Result<MetaKey, SimError> {
        let mut unsealing = Unsealing::new(self.disks.custody.clone());
        let _ = unsealing.add(self.disks.share(0)?).map_err(SimError::of)?;
        let Progress::Complete(root) = unsealing.add(self.disks.share(1)?).map_err(SimError::of)?
        else {
            return Err(SimError("two shares were not enough".into()));
        };
        let root = RootKey::from_bytes(*root.expose());
        let header = &self.disks.headers[0];
        let site_key: SiteKey = seal::unwrap(
            &root,
            &Wrapped::from_bytes(header.key),
            &WrapContext {
                parent: KeyId::from_bytes(*header.cloud.as_bytes()),
                parent_version: 1,
                child: KeyId::site(SiteId::A),
                child_version: header.key_version,
            },
        )
        .map_err(SimError::of)?;
        let row = node.rows(&tenant::key(tenant)).await?;
        let (_, row) = row
            .into_iter()
            .next()
            .ok_or_else(|| SimError("there is no such tenant".into()))?;
        let row = TenantRow::decode(&row.value).map_err(SimError::of)?;
        let tenant_key: TenantKey = seal::unwrap(
            &site_key,
            &Wrapped::from_bytes(row.newest.by_site[0]),
            &WrapContext {
                parent: KeyId::site(SiteId::A),
                parent_version: header.key_version,
                child: KeyId::from_bytes(*tenant.as_bytes()),
                child_version: vault::record::SIGNED_ROW | row.newest.version,
            },
        )
        .map_err(SimError::of)?;
        let signed = row
            .signed
            .ok_or_else(|| SimError("the row has no MAC".into()))?;
        let meta: MetaKey = seal::unwrap(
            &tenant_key,
            &Wrapped::from_bytes(signed.meta_key),
            &WrapContext {
                parent: KeyId::from_bytes(*tenant.as_bytes()),
                parent_version: row.newest.version,
                child: tenant.into(),
                child_version: 1,
            },
        )
        .map_err(SimError::of)?;
        Ok(meta)
    }

    /// Writes a credential of the first format for a tenant. Gives both halves.
    pub async fn first_format_key(
        &self,
        node: &Node,
        tenant: TenantId,
    ) -> Result<(AccessKeyId, String), SimError> {
        let meta = self.meta_key(node, tenant).await?;
        let id = AccessKeyId::parse("CLRFIRSTFORMAT").map_err(SimError::of)?;
        let secret = "a-secret-of-the-first-format-0123456789a".to_owned();
        let mut old = AccessKeyRow {
            version: 1,
            tenant,
            created: UnixMillis(1),
            expires: None,
            suspended: false,
            sealed_secret: Vec::new(),
        };
        old.sealed_secret = seal::seal_value(
            &meta,
            &old.context(&id),
            node.host.random(),
            secret.as_bytes(),
        );
        node.overwrite(access_key::key(&id), old.encode()).await?;
        Ok((id, secret))
    }
}

impl Node {
    /// Writes a row past everybody.
    pub async fn overwrite(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), SimError> {
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: Vec::new(),
            mutations: vec![Mutation::Put {
                key,
                value: value.into(),
            }],
            entries: Vec::new(),
        };
        match self.catalog.commit(commit).await {
            Outcome::Committed(_) => Ok(()),
            other => Err(SimError(format!("{other:?}"))),
        }
    }
}
