//! Who may do what on what, as a table that anyone can read: each identity against each bucket, asked of the
//! same documents that decide requests.

use crate::Vault;
use crate::error::VaultError;
use crate::record::identity::Sort;
use crate::secrets::{Secrets, Tenant};
use policy::{Action, Claims, Compiled, Extent, Principal, Standing};
use std::fmt::Write as _;
use std::sync::Arc;
use words::TenantName;

/// Most lines of one table.
const LINES_MAX: usize = 20_000;

/// The acts that a table asks about, and their columns.
const COLUMNS: [(&str, Action); 7] = [
    ("list", Action::ListObjects),
    ("read", Action::GetObject),
    ("write", Action::PutObject),
    ("delete", Action::DeleteObject),
    ("set policy", Action::PutBucketPolicy),
    ("take away", Action::DeleteBucket),
    ("make keys", Action::CreateAccessKey),
];

const HEAD: &str = "\
Who may do what on what.
  yes   every object of the bucket, from anywhere
  some  only part of it: some names, or under conditions of the policies below
  no    nothing
Another tenant's buckets do not exist for anybody here. `owner` is whoever holds a key of the whole tenant.
";

impl Vault {
    /// The table of one tenant, or of all.
    pub async fn policy_table(&self, only: Option<&TenantName>) -> Result<String, VaultError> {
        let secrets = self.secrets()?;
        let mut text = HEAD.to_owned();
        let mut lines = 0;
        for info in self.tenant_list().await? {
            if only.is_some_and(|only| *only != info.name) {
                continue;
            }
            let tenant = self.tenant(&secrets, info.id).await?;
            let _ = writeln!(text, "\nTENANT {}{}", info.name, state(info.suspended));
            lines += self.table_of(&secrets, &tenant, &mut text).await?;
            if lines > LINES_MAX {
                return Err(VaultError::Limit(format!(
                    "the table has more than {LINES_MAX} lines; ask for one tenant"
                )));
            }
        }
        Ok(text)
    }

    /// Everybody whom a tenant has: name, standing, whether suspended, documents.
    async fn holders(
        &self,
        secrets: &Secrets,
        tenant: &Arc<Tenant>,
    ) -> Result<Vec<(String, Standing, bool, Vec<String>)>, VaultError> {
        let mut holders = vec![(
            "owner".to_owned(),
            Standing::whole(tenant.id),
            false,
            Vec::new(),
        )];
        for one in self.identities(tenant).await? {
            let sort = if one.sort == "role" {
                Sort::Role
            } else {
                Sort::User
            };
            let who = match sort {
                Sort::Role => Principal::Role(one.name.clone(), "any".into()),
                _ => Principal::User(one.name.clone()),
            };
            let texts = one.documents.clone();
            let holder = self.holder(secrets, tenant, who, Claims::default(), texts, false)?;
            let named = format!("{} {}", one.sort, one.name);
            let standing = (*holder.standing).clone();
            holders.push((named, standing, one.suspended, one.documents));
        }
        Ok(holders)
    }

    async fn table_of(
        &self,
        secrets: &Secrets,
        tenant: &Arc<Tenant>,
        text: &mut String,
    ) -> Result<usize, VaultError> {
        let buckets = self.bucket_names(secrets, tenant).await?;
        let holders = self.holders(secrets, tenant).await?;
        let wide = holders
            .iter()
            .map(|(name, ..)| name.len())
            .max()
            .unwrap_or(0);
        let mut lines = 0;
        for (bucket, id) in &buckets {
            let policy = self.policy_of(secrets, tenant, (*id, bucket)).await?;
            let with = if policy.is_some() {
                " (has a policy of its own)"
            } else {
                ""
            };
            let _ = write!(
                text,
                "\n  bucket {}{with}\n  {:<wide$}",
                bucket.as_str(),
                ""
            );
            for (column, ..) in COLUMNS {
                let _ = write!(text, "  {column}");
            }
            text.push('\n');
            for (name, standing, suspended, _) in &holders {
                let _ = write!(text, "  {name:<wide$}");
                for (column, action) in COLUMNS {
                    let cell = if *suspended {
                        "no"
                    } else {
                        Self::cell(standing, bucket.as_str(), policy.as_deref(), action)
                    };
                    let width = column.len();
                    let _ = write!(text, "  {cell:<width$}");
                }
                let end = text.trim_end().len();
                text.truncate(end);
                let _ = writeln!(text, "{}", state(*suspended));
                lines += 1;
            }
        }
        if buckets.is_empty() {
            text.push_str("  no buckets\n");
        }
        for (name, _, _, documents) in &holders {
            lines += policies_of(text, name, documents);
        }
        Ok(lines)
    }

    /// The smallest extent that any of the documents leaves.
    fn cell(
        standing: &Standing,
        name: &str,
        policy: Option<&Compiled>,
        action: Action,
    ) -> &'static str {
        if standing.documents().is_empty() && !standing.is_whole() {
            return "no";
        }
        let own = standing
            .documents()
            .iter()
            .map(|document| match document.allows() {
                true => document.extent(action, name),
                false => Extent::Nothing,
            });
        let mends = standing.is_whole() && action == Action::PutBucketPolicy;
        let of_bucket = policy
            .filter(|_| action.of_bucket() && !mends)
            .map(|policy| match policy.extent(action, name) {
                // What a bucket's policy does not allow is not thereby taken from whoever holds the tenant.
                Extent::Nothing if standing.is_whole() => Extent::Part,
                extent => extent,
            });
        match own.chain(of_bucket).min().unwrap_or(Extent::Whole) {
            Extent::Whole => "yes",
            Extent::Part => "some",
            Extent::Nothing => "no",
        }
    }
}

fn policies_of(text: &mut String, name: &str, documents: &[String]) -> usize {
    for document in documents {
        let one_line: Vec<&str> = document.split_whitespace().collect();
        let _ = writeln!(text, "\n  policy of {name}: {}", one_line.join(" "));
    }
    documents.len()
}

const fn state(suspended: bool) -> &'static str {
    if suspended { "  (suspended)" } else { "" }
}
