//! `clarence tls`: the local authority and the certificates it gives out.

use crate::args::Tls;
use crate::config::Settings;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::talk::Talk;
use crate::{node, show};
use host::Host;
use serde_json::{Value, json};
use std::path::PathBuf;
use tls::folder::Listed;
use tls::{Folder, FolderError};

pub fn tls(settings: &Settings, asked: &Tls, talk: Talk) -> Outcome {
    let host = Host::real();
    let folder = Folder::in_data(&settings.places.data);
    let listed = match asked {
        Tls::Init { names } => {
            host::files::make_folder(&settings.places.data, 0o700).map_err(|e| {
                let data = settings.places.data.display();
                Failure::new(Exit::General, format!("{data} could not be made: {e}"))
            })?;
            let listed = folder.init(&node::certificate_names(settings, names)?, &host)?;
            if !settings.flag("s3.tls_local_authority") {
                talk.note("Serve with them by --tls or s3.tls_local_authority = true.");
            }
            listed
        }
        Tls::Renew { names, authority } => {
            let names = match names.as_slice() {
                [] => None,
                more => Some(node::certificate_names(settings, more)?),
            };
            folder.renew(names.as_deref(), authority.as_deref(), &host)?
        }
        Tls::Show => folder.list()?,
    };
    Ok(answer(&folder, &listed, &host))
}

/// Makes the authority for `up`, when it is asked to serve with it and there is none.
pub fn make_if_missing(settings: &Settings, talk: Talk) -> Result<(), Failure> {
    let folder = Folder::in_data(&settings.places.data);
    if !settings.flag("s3.tls_local_authority") || folder.is_there()? {
        return Ok(());
    }
    folder.init(&node::certificate_names(settings, &[])?, &Host::real())?;
    talk.note(&format!(
        "A local authority for TLS is made; clients trust it by {}.",
        folder.bundle().display()
    ));
    Ok(())
}

/// What clients have to trust, if the node serves with the local authority.
pub fn bundle(settings: &Settings) -> Option<PathBuf> {
    settings
        .flag("s3.tls_local_authority")
        .then(|| Folder::in_data(&settings.places.data).bundle())
}

fn answer(folder: &Folder, listed: &[Listed], host: &Host) -> Answer {
    let certificates: Vec<Value> = listed
        .iter()
        .map(|one| {
            json!({
                "file": one.path,
                "role": role(one),
                "algorithm": algorithm(one),
                "names": one.facts.names,
                "not_before_unix_ms": one.facts.not_before.0,
                "not_after_unix_ms": one.facts.not_after.0,
                "days_left": one.facts.days_left(host.now()),
            })
        })
        .collect();
    let rows: Vec<Vec<String>> = listed
        .iter()
        .map(|one| {
            vec![
                role(one).to_owned(),
                algorithm(one).to_owned(),
                show::time(one.facts.not_after.0),
                one.facts.days_left(host.now()).to_string(),
                one.path.display().to_string(),
                one.facts.names.join(" "),
            ]
        })
        .collect();
    let head = ["ROLE", "ALGORITHM", "GOOD UNTIL", "DAYS", "FILE", "NAMES"];
    let bundle = folder.bundle();
    let text = format!(
        "{}\nClients trust it by {}.",
        show::table(&head, &rows),
        bundle.display()
    );
    Answer {
        data: json!({
            "folder": folder.path(),
            "ca_bundle": bundle,
            "certificates": certificates,
        }),
        text,
    }
}

const fn role(one: &Listed) -> &'static str {
    if one.is_authority {
        "authority"
    } else {
        "server"
    }
}

fn algorithm(one: &Listed) -> &'static str {
    one.facts.algorithm.map_or("other", tls::Algorithm::word)
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        let exit = match &error {
            FolderError::There(_) | FolderError::Foreign(_) => Exit::Conflict,
            FolderError::Missing(_) | FolderError::Away(_) => Exit::NotFound,
            FolderError::Authority { .. } | FolderError::Identity { .. } => Exit::Usage,
            FolderError::Io { .. } => Exit::General,
        };
        Self::new(exit, error)
    }
}
