//! A first tenant and the file that tells a first client how to connect.

use crate::control::Failure;
use crate::node::Node;
use host::files;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use words::{AccessKeyId, TenantName};

/// What a client needs to connect.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connect {
    /// The address of S3.
    pub endpoint: String,
    /// The region to sign for.
    pub region: String,
    /// The public half of the credential.
    pub access_key: String,
    /// The secret half.
    pub secret_key: String,
    /// The file with the certificates of the authorities that the client has to trust, if it is the local
    /// authority that it has to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
    /// Where SQL is served, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<Sql>,
}

/// Where SQL is served. The user is the access key, the password its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sql {
    /// PostgreSQL's protocol, as `address:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    /// HTTP, as a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// Arrow Flight SQL, as `grpc://address:port` or `grpc+tls://address:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flight: Option<String>,
}

impl Node {
    /// The fields that tell how to connect with a credential.
    pub(crate) fn connect_with(&self, access_key: &AccessKeyId, secret: &str) -> Connect {
        Connect {
            endpoint: self.endpoint.clone(),
            region: self.config.region.clone(),
            access_key: access_key.to_string(),
            secret_key: secret.to_owned(),
            ca_bundle: self.ca_bundle(),
            sql: self.sql(),
        }
    }

    /// Where SQL is served.
    pub(crate) fn sql(&self) -> Option<Sql> {
        let sql = &self.config.sql;
        let (http, flight) = match self.config.tls {
            Some(_) => ("https", "grpc+tls"),
            None => ("http", "grpc"),
        };
        (!sql.addresses().is_empty()).then(|| Sql {
            postgres: sql.listen.map(|address| address.to_string()),
            http: sql.http_listen.map(|address| format!("{http}://{address}")),
            flight: sql
                .flight_listen
                .map(|address| format!("{flight}://{address}")),
        })
    }

    /// Makes the first tenant if there is none of that name, and writes `connect.json`. A file from an earlier
    /// start is kept, with the endpoint of now, as long as its credential is known here.
    pub(crate) async fn write_connect(&self) -> Result<(), Failure> {
        let Some(name) = self.config.first_tenant.as_deref() else {
            return Ok(());
        };
        if !self.config.write_connect {
            return Ok(());
        }
        if self.rooms.vault.law().is_some_and(|law| law.is_joint()) {
            tracing::warn!(
                "no first tenant is made: under this cloud's charter nobody adds one alone"
            );
            return Ok(());
        }
        let internal = |e: &dyn ToString| Failure::new("internal", e.to_string());
        let path = self.config.layout.connect();
        let old = files::read(&path, 64 * 1024).map_err(|e| internal(&e))?;
        let old = old.and_then(|bytes| serde_json::from_slice::<Connect>(&bytes).ok());
        let vault = &self.rooms.vault;
        let connect = match old {
            Some(old) if self.is_known(&old.access_key).await => {
                self.connect_with(&parse_key(&old.access_key)?, &old.secret_key)
            }
            _ => {
                let name = TenantName::parse(name).map_err(|e| internal(&e))?;
                if !vault
                    .tenant_list()
                    .await?
                    .iter()
                    .any(|tenant| tenant.name == name)
                {
                    vault.tenant_add(name.clone()).await?;
                }
                let key = vault.key_add(&name, None).await?;
                self.connect_with(&key.id, &key.secret)
            }
        };
        let text = serde_json::to_vec_pretty(&connect).map_err(|e| internal(&e))?;
        files::write_durable(&path, &text, 0o600).map_err(|e| internal(&e))
    }

    async fn is_known(&self, access_key: &str) -> bool {
        match AccessKeyId::parse(access_key) {
            Ok(id) => self.rooms.vault.key_known(&id).await.unwrap_or(false),
            Err(_) => false,
        }
    }
}

fn parse_key(text: &str) -> Result<AccessKeyId, Failure> {
    AccessKeyId::parse(text).map_err(|e| Failure::new("internal", e))
}
