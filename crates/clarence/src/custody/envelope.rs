//! `clarence share identity`, `seal` and `open`.

use super::kinds::{self, bytes_of, write_new};
use crate::exit::{Answer, Exit, Failure, Outcome};
use charter::envelope::{self, Identity, Recipient};
use host::Host;
use serde_json::json;
use std::path::Path;
use zeroize::Zeroizing;

fn key_error(error: impl ToString) -> Failure {
    Failure::usage(error).named("envelope")
}

pub fn identity(out: &Path, host: &Host) -> Outcome {
    let identity = Identity::generate(host);
    let recipient = identity.recipient().map_err(key_error)?;
    let text = Zeroizing::new(format!(
        "# recipient: {recipient}\n{}\n",
        *identity.to_text()
    ));
    write_new(out, text.as_bytes())?;
    Ok(Answer {
        data: json!({ "identity": out, "recipient": recipient.to_string() }),
        text: format!("{recipient}\n"),
    })
}

/// Reads the first key of a file, as age programs write them: comments begin with `#`.
pub fn read_identity(path: &Path) -> Result<Identity, Failure> {
    let bytes = bytes_of(path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let line = key_line(text)
        .ok_or_else(|| key_error(format!("{} has no identity in it", path.display())))?;
    Identity::parse(line).map_err(|error| key_error(format!("{}: {error}", path.display())))
}

fn key_line(text: &str) -> Option<&str> {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
}

fn read_recipient(given: &str) -> Result<Recipient, Failure> {
    if given.starts_with("age1") {
        return Recipient::parse(given).map_err(key_error);
    }
    let bytes = bytes_of(Path::new(given))?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let line = key_line(text).unwrap_or_default();
    Recipient::parse(line).map_err(|error| key_error(format!("{given}: {error}")))
}

pub fn seal(share: &Path, to: &[String], out: &Path, host: &Host) -> Outcome {
    let recipients = to
        .iter()
        .map(|given| read_recipient(given))
        .collect::<Result<Vec<_>, _>>()?;
    let text = kinds::read(share)?.to_text();
    let sealed = envelope::seal(&recipients, text.as_bytes(), host).map_err(key_error)?;
    write_new(out, &sealed)?;
    Ok(Answer {
        data: json!({ "envelope": out, "recipients": recipients.len() }),
        text: format!("{} is sealed in {}.", share.display(), out.display()),
    })
}

pub fn open(envelope: &Path, identity: &Path, out: &Path) -> Outcome {
    let identity = read_identity(identity)?;
    let bytes = bytes_of(envelope)?;
    let plain = envelope::open(&identity, &bytes).map_err(|error| {
        let failure = Failure::new(Exit::Auth, format!("{}: {error}", envelope.display()));
        failure.named("envelope")
    })?;
    write_new(out, &plain)?;
    Ok(Answer {
        data: json!({ "share": out }),
        text: format!(
            "What was in {} is in {}.",
            envelope.display(),
            out.display()
        ),
    })
}
