//! How a statement goes on and ends: whether its grant still holds, and the entries that close it.

use super::StatementGrant;
use super::places::Basis;
use crate::Vault;
use crate::error::VaultError;
use crate::secrets::Secrets;
use authn::Caller;
use statement::Ended;

fn no_basis_any_more() -> VaultError {
    VaultError::Revoked(
        "the agreement that the statement stood on was suspended, revoked or has ended; what it showed before is on the ledger".into(),
    )
}

impl Vault {
    /// Whether a statement may go on: its holder is still who they were, and the node is open.
    pub async fn statement_holds(&self, grant: &StatementGrant) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        let seat = self.seat(grant.session)?;
        let caller = self.sql_caller(&secrets, &seat, grant.digest).await?;
        let credential = caller.credential();
        let over = credential.suspended
            || credential
                .not_after
                .is_some_and(|end| end <= self.host.now())
            || credential.standing != grant.standing
            || secrets.judged.is_revoked(&grant.standing);
        if over {
            return Err(VaultError::Revoked(
                "what you may do was changed while the statement ran; what it showed before is on the ledger".into(),
            ));
        }
        let ended = grant.agreements().any(|id| secrets.ended.has(id))
            || grant.ends().is_some_and(|end| end <= self.host.now());
        match ended {
            true => Err(no_basis_any_more()),
            false => Ok(()),
        }
    }

    /// The same, and that each of its agreements is in force by what is on record now. What holds may be asked for each
    /// range; this is asked when a statement begins, and of all that run several times a second.
    pub async fn statement_stands(&self, grant: &StatementGrant) -> Result<(), VaultError> {
        self.statement_holds(grant).await?;
        let secrets = self.secrets()?;
        for table in grant.tables() {
            let Basis::Agreed(agreed) = &table.basis else {
                continue;
            };
            let consumer = table.who.tenant.id;
            if !self.still_in_force(&secrets, consumer, agreed.id()).await? {
                return Err(no_basis_any_more());
            }
        }
        Ok(())
    }

    /// The caller of one write of a statement.
    pub async fn statement_caller(&self, grant: &StatementGrant) -> Result<Caller, VaultError> {
        self.statement_holds(grant).await?;
        let secrets = self.secrets()?;
        let seat = self.own_seat(grant.session)?;
        self.sql_caller(&secrets, &seat, grant.digest).await
    }

    /// Before a byte of a granted statement leaves: for tables that name persons it may have been anybody, until the
    /// statement's end says whom.
    pub(super) async fn perhaps_everybody(
        &self,
        secrets: &Secrets,
        grant: &StatementGrant,
    ) -> Result<(), VaultError> {
        self.mark_open(secrets, grant).await
    }

    /// Writes down how a statement ended: exactly what left, and whom it concerned. All is durable when this returns.
    pub async fn close_statement(
        &self,
        grant: &StatementGrant,
        ended: &Ended,
    ) -> Result<(), VaultError> {
        let count = grant.tables().len();
        if ended.bytes.len() != count || ended.whom.len() != count {
            return Err(VaultError::Usage(
                "the end of a statement says something about each of its tables".into(),
            ));
        }
        self.close_tables(grant, ended).await?;
        for (table, bytes) in grant.tables().iter().zip(&ended.bytes) {
            if table.receipt.is_some() {
                self.meter.left(table.who.tenant.id, *bytes);
            }
        }
        Ok(())
    }
}
