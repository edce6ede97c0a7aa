//! The site that holds the other half: it checks the lease anew each time, counts, and destroys the half when the
//! lease is over. Its clock may stand wrong or be set back: what counts is the latest time it ever saw.

use super::docket::FileDocket;
use super::exchange;
use super::fault::RestartError;
use super::lease;
use super::records::{HELD_BYTES_MAX, HELD_FOLDER, Held};
use charter::Charter;
use charter::approval::Order;
use host::{Host, files};
use std::path::{Path, PathBuf};
use words::{CloudId, UnixMillis, hex};

const ENDING: &str = ".half";

fn path_of(site_folder: &Path, id: &[u8; 16]) -> PathBuf {
    let name = format!("{}{ENDING}", hex::encode(id));
    site_folder.join(HELD_FOLDER).join(name)
}

/// Keeps a half, durably.
pub fn keep(site_folder: &Path, held: &Held) -> Result<(), RestartError> {
    let path = path_of(site_folder, &held.id);
    let write = || {
        files::make_folder(&site_folder.join(HELD_FOLDER), 0o700)?;
        files::write_durable(&path, &held.encode(), 0o600)
    };
    write().map_err(|error| RestartError::File {
        path: path.clone(),
        error,
    })
}

/// The half of a lease.
pub fn find(site_folder: &Path, id: &[u8; 16]) -> Result<Held, RestartError> {
    let path = path_of(site_folder, id);
    let file = |error| RestartError::File {
        path: path.clone(),
        error,
    };
    let bytes = files::read(&path, HELD_BYTES_MAX).map_err(file)?;
    let bytes = zeroize::Zeroizing::new(bytes.ok_or(RestartError::NoHalf)?);
    Held::decode(&bytes).map_err(|error| RestartError::Record { path, error })
}

/// Destroys a half: its bytes are written over in place, then the file is removed. What a disk keeps of blocks that
/// were written over, nobody can promise.
pub fn destroy(site_folder: &Path, id: &[u8; 16]) -> Result<(), RestartError> {
    let path = path_of(site_folder, id);
    let wipe = || {
        if let Some((length, _)) = files::stat(&path)? {
            let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
            files::overwrite_at(&path, 0, &zeros)?;
            files::remove(&path)?;
            files::sync_folder(&site_folder.join(HELD_FOLDER))?;
        }
        Ok(())
    };
    wipe().map_err(|error| RestartError::File {
        path: path.clone(),
        error,
    })
}

/// Whether a lease still lasts; one that does not loses its half here and now. Gives the time that counts.
pub fn look(
    site_folder: &Path,
    held: &mut Held,
    now: UnixMillis,
) -> Result<UnixMillis, RestartError> {
    let seen = FileDocket::open(site_folder)?.see(now)?;
    let seen = UnixMillis(seen.0.max(held.latest.0));
    if seen.0 >= held.ends.0 {
        destroy(site_folder, &held.id)?;
        return Err(RestartError::Over(
            sign::Stamp::from_millis(held.ends).to_string(),
        ));
    }
    if seen.0 > held.latest.0 {
        held.latest = seen;
        keep(site_folder, held)?;
    }
    Ok(seen)
}

/// Answers a node that restarts.
pub fn answer(
    site_folder: &Path,
    cloud: CloudId,
    charter: &Charter,
    question: &[u8],
    host: &Host,
) -> Result<Vec<u8>, RestartError> {
    let (id, sealed) = exchange::about(question).map_err(|_| RestartError::Stranger)?;
    let mut held = find(site_folder, &id)?;
    if held.cloud != cloud || held.id != id {
        return Err(RestartError::NoHalf);
    }
    look(site_folder, &mut held, host.now())?;
    check_lease(&held, cloud, charter)?;
    let answer = exchange::answer(&held.exchange, cloud, &id, sealed, &held.half, host)?;
    // Counted before it leaves.
    held.released = held.released.saturating_add(1);
    keep(site_folder, &held)?;
    Ok(answer)
}

/// Every signature again, by the charter in force today.
fn check_lease(held: &Held, cloud: CloudId, charter: &Charter) -> Result<(), RestartError> {
    let order = Order::parse(held.order.as_bytes())?;
    if *order.digest().as_bytes() != held.lease {
        return Err(RestartError::NoHalf);
    }
    let roll = lease::roll(charter, &held.cards)?;
    let deliberation = lease::reopen(&order, cloud, &roll)?;
    deliberation.enough()?;
    let days = lease::days(deliberation.request(), &held.node)?;
    let longest = held
        .granted
        .0
        .saturating_add(u64::from(days) * lease::DAY_MS);
    match held.ends.0 <= longest {
        true => Ok(()),
        false => Err(RestartError::NoHalf),
    }
}
