//! Granting: from an approved order to two halves. The order is used up first; if something breaks afterwards a new
//! one is needed, which is the safe side.

use super::docket::FileDocket;
use super::fault::RestartError;
use super::held;
use super::lease::{self, DAY_MS};
use super::records::{Held, Own};
use charter::Charter;
use charter::approval::{Order, Resolution};
use host::Host;
use sign::Stamp;
use std::path::Path;
use tpm::{Place, Policy, Tpm};
use vault::Vault;
use words::{CloudId, SiteId, UnixMillis};
use zeroize::Zeroizing;

/// What is granted, and where it is written.
pub struct Grant<'a> {
    pub cloud: CloudId,
    pub charter: &'a Charter,
    pub node: &'a str,
    pub held_by: SiteId,
    pub site_folder: &'a Path,
    pub order: String,
    pub cards: Vec<String>,
    pub pcrs: Vec<u8>,
}

impl Grant<'_> {
    /// The verdict of the charter. The request's first appearance here begins its cool-off.
    pub fn decide(&self, host: &Host) -> Result<(Resolution, u16), RestartError> {
        let order = Order::parse(self.order.as_bytes())?;
        let roll = lease::roll(self.charter, &self.cards)?;
        let deliberation = lease::reopen(&order, self.cloud, &roll)?;
        let days = lease::days(deliberation.request(), self.node)?;
        let mut docket = FileDocket::open(self.site_folder)?;
        docket.lodge(&order.digest(), host.now())?;
        let now = Stamp::from_millis(host.now());
        let resolution = deliberation
            .resolve(now, &docket)
            .map_err(|undecided| RestartError::from(undecided.why))?;
        docket.close(resolution.digest())?;
        Ok((resolution, days))
    }

    /// Carries a resolution out: seals the own half to the TPM, leaves the other at the other site, and gives the
    /// node's record, which the caller writes. It blocks while the TPM works.
    pub fn carry_out(
        &self,
        resolution: Resolution,
        days: u16,
        vault: &Vault,
        place: &Place,
        host: &Host,
    ) -> Result<Own, RestartError> {
        let lease = *resolution.digest().as_bytes();
        let lasts = u64::from(days) * DAY_MS;
        let granted = FileDocket::open(self.site_folder)?.see(host.now())?;
        let ends = UnixMillis(granted.0.saturating_add(lasts));
        let own_half: Zeroizing<[u8; 32]> = Zeroizing::new(host.random());
        let half: Zeroizing<[u8; 32]> = Zeroizing::new(host.random());
        let id: [u8; 16] = host.random();
        let crypto = |e: charter::CryptoFault| RestartError::Machine(e.to_string());
        let key = charter::restart_key(&own_half, &half, self.cloud, &lease).map_err(crypto)?;
        let exchange = charter::exchange_key(&own_half, self.cloud, &lease).map_err(crypto)?;
        let keys = vault.keys_for_restart(&key, id)?;
        let mut tpm = Tpm::open(place, host)?;
        let clock = tpm.clock()?.clock_ms;
        let policy = Policy::new(&self.pcrs, clock.saturating_add(lasts))?;
        let blob = tpm.seal(&policy, &own_half)?;
        if tpm.unseal(&policy, &blob)? != own_half {
            return Err(RestartError::Machine(
                "the TPM gave back something else than was sealed; nothing was granted".to_owned(),
            ));
        }
        held::keep(
            self.site_folder,
            &Held {
                cloud: self.cloud,
                node: self.node.to_owned(),
                id,
                lease,
                granted,
                ends,
                latest: granted,
                released: 0,
                exchange,
                half,
                order: self.order.clone(),
                cards: self.cards.clone(),
            },
        )?;
        Ok(Own {
            cloud: self.cloud,
            node: self.node.to_owned(),
            held_by: self.held_by,
            id,
            lease,
            granted,
            ends,
            latest: granted,
            policy,
            blob,
            keys,
        })
    }
}
