//! Identity providers of a tenant: whom to believe, with which keys. The keys are carried here as a file;
//! nothing ever asks a provider for anything.

use crate::Vault;
use crate::error::VaultError;
use crate::identities::Maker;
use crate::record::identity::{self, Sort};
use crate::record::provider::ProviderRow;
use crate::secrets::Tenant;
use crate::standing::hashed;
use authn::jwt::Keys;
use words::TenantName;

/// Most audiences of one provider.
const AUDIENCES_MAX: usize = 16;
/// Longest name of a provider or an audience, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// A provider whose tokens can be checked.
pub(crate) struct Provider {
    pub keys: Keys,
    pub audiences: Vec<String>,
}

impl Vault {
    /// Adds an identity provider to a tenant, or puts other keys and audiences in the place of those it had.
    pub async fn provider_set(
        &self,
        tenant: &TenantName,
        issuer: String,
        audiences: Vec<String>,
        keys: String,
    ) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let tenant = self.tenant_named(&secrets, tenant).await?;
        Keys::parse(&keys).map_err(|error| VaultError::Usage(error.to_string()))?;
        let fits = |name: &String| !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        if !fits(&issuer)
            || audiences.is_empty()
            || audiences.len() > AUDIENCES_MAX
            || !audiences.iter().all(fits)
        {
            return Err(VaultError::Usage(format!(
                "a provider has an issuer and 1 to {AUDIENCES_MAX} audiences, each of 1 to {NAME_BYTES_MAX} bytes"
            )));
        }
        let maker = Maker::Operator(&secrets);
        let entry = self.made(&tenant, &maker, "ProviderSet", &issuer);
        let key = row_key(&tenant, &issuer);
        let row = ProviderRow {
            issuer,
            created: self.host.now(),
            audiences,
            keys,
        };
        let put = self.sealed_put(&tenant, key, &row.encode());
        self.commit_act(Vec::new(), put, entry).await
    }

    pub(crate) async fn provider(
        &self,
        tenant: &Tenant,
        issuer: &str,
    ) -> Result<Option<Provider>, VaultError> {
        let key = row_key(tenant, issuer);
        let Some((_, plain)) = self.sealed_row(tenant, &key).await? else {
            return Ok(None);
        };
        let row = ProviderRow::decode(&plain)?;
        let keys = Keys::parse(&row.keys).map_err(|error| VaultError::Usage(error.to_string()))?;
        Ok(Some(Provider {
            keys,
            audiences: row.audiences,
        }))
    }
}

fn row_key(tenant: &Tenant, issuer: &str) -> Vec<u8> {
    identity::key(
        tenant.id,
        Sort::Provider,
        &hashed(tenant, Sort::Provider, issuer),
    )
}
