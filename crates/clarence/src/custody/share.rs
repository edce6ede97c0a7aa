//! `clarence share split`, `join`, `words`, `from-words` and `show`.

use super::kinds::{self, Any, bytes_of, write_new};
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::show;
use charter::officers::{self, Joined, Joining};
use charter::{Custody, OfficerShare, files, paper};
use host::Host;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use words::PartyName;

fn share_error(error: impl ToString) -> Failure {
    Failure::usage(error).named("share")
}

pub fn split(share: &Path, names: &[String], need: u8, out: &Path, host: &Host) -> Outcome {
    let Any::Share(share) = kinds::read(share)? else {
        return Err(share_error(
            "this is an officer's part; only a party's whole share can be split",
        ));
    };
    let names = names
        .iter()
        .map(|name| PartyName::parse(name).map_err(share_error))
        .collect::<Result<Vec<_>, _>>()?;
    let parts = officers::split(&share, need, &names, host).map_err(share_error)?;
    host::files::make_folder(out, 0o700).map_err(|error| {
        let what = format!("{} could not be made: {error}", out.display());
        Failure::new(Exit::General, what)
    })?;
    let path_of = |part: &OfficerShare| out.join(format!("{}.clarence", part.officer()));
    let taken = parts.iter().map(path_of).find(|path| path.exists());
    if let Some(path) = taken {
        let what = format!("{} is there already; nothing was written", path.display());
        return Err(Failure::new(Exit::Conflict, what));
    }
    let mut written = Vec::new();
    for part in &parts {
        write_new(&path_of(part), part.to_text().as_bytes())?;
        written.push(json!({ "officer": part.officer().to_string(), "file": path_of(part) }));
    }
    let text = format!(
        "{need} of {} parts give the share of {} back; each was tried with the others. Give each officer its own, then destroy the share.",
        parts.len(),
        share.party()
    );
    let data = json!({ "party": share.party().to_string(), "need": need, "parts": written });
    Ok(Answer { data, text })
}

pub fn join(paths: &[PathBuf], out: &Path) -> Outcome {
    let mut joining = Joining::default();
    let mut still = (0, 0);
    for path in paths {
        let Any::Part(part) = kinds::read(path)? else {
            let what = format!("{} is a whole share, not an officer's part", path.display());
            return Err(share_error(what));
        };
        match joining.add(part) {
            Ok(Joined::Waiting { have, need }) => still = (have, need),
            Ok(Joined::Complete(share)) => {
                write_new(out, share.to_text().as_bytes())?;
                let text = format!("The share of {} is in {}.", share.party(), out.display());
                let data = json!({ "party": share.party().to_string(), "share": out });
                return Ok(Answer { data, text });
            }
            Err(error) => {
                let what = format!("{}: {error}", path.display());
                return Err(Failure::new(Exit::Auth, what).named("share"));
            }
        }
    }
    let (have, need) = still;
    Err(share_error(format!(
        "{have} of {need} parts are given; nothing was written"
    )))
}

pub fn words(path: &Path) -> Outcome {
    let text = match kinds::read(path)? {
        Any::Share(share) => paper::of_share(&share),
        Any::Part(part) => paper::of_part(&part),
    };
    Ok(Answer {
        data: json!({ "words": text.as_str() }),
        text: text.to_string(),
    })
}

pub fn from_words(path: &Path, like: &Path, out: &Path) -> Outcome {
    let bytes = bytes_of(path)?;
    let text =
        std::str::from_utf8(&bytes).map_err(|_| share_error("the words are not plain text"))?;
    let paper_error = |error: paper::PaperError| Failure::usage(error).named("paper");
    let read = paper::read(text).map_err(paper_error)?;
    let made = match known(like)? {
        Known::Custody(custody) => read.into_share(&custody).map(Any::Share),
        Known::Part(part) => read.into_part(part.split()).map(Any::Part),
    };
    let made = made.map_err(paper_error)?;
    write_new(out, made.to_text().as_bytes())?;
    Ok(Answer {
        data: json!({ "share": out }),
        text: format!("The words are right; the share is in {}.", out.display()),
    })
}

enum Known {
    Custody(Box<Custody>),
    Part(Box<OfficerShare>),
}

fn known(like: &Path) -> Result<Known, Failure> {
    if like.join(files::CUSTODY_FILE_NAME).exists() {
        let custody = files::load_custody(like).map_err(share_error)?;
        return Ok(Known::Custody(Box::new(custody)));
    }
    Ok(match kinds::read(like)? {
        Any::Share(share) => Known::Custody(Box::new(share.custody().clone())),
        Any::Part(part) => Known::Part(Box::new(part)),
    })
}

pub fn show(path: &Path) -> Outcome {
    let (kind, custody, rows) = match kinds::read(path)? {
        Any::Share(share) => (
            "share",
            share.custody().clone(),
            json!({ "party": share.party().to_string() }),
        ),
        Any::Part(part) => {
            let split = part.split();
            let names: Vec<String> = split
                .officers
                .iter()
                .map(|of| of.name.to_string())
                .collect();
            let rows = json!({
                "party": split.party.to_string(),
                "officer": part.officer().to_string(),
                "officers": names,
                "officers_needed": split.need,
                "split": split.id.to_string(),
            });
            ("part", split.custody.clone(), rows)
        }
    };
    let mut data = rows;
    data["kind"] = Value::from(kind);
    data["cloud"] = Value::from(custody.cloud().to_string());
    data["cloud_name"] = Value::from(custody.cloud_name());
    data["ceremony"] = Value::from(custody.ceremony().to_string());
    data["epoch"] = Value::from(custody.epoch());
    data["shares_needed"] = Value::from(custody.threshold());
    let labels = [
        "kind",
        "party",
        "officer",
        "officers_needed",
        "split",
        "cloud",
        "cloud_name",
        "ceremony",
        "epoch",
        "shares_needed",
    ];
    let rows: Vec<(&str, String)> = labels.map(|name| (name, show::text(&data, name))).into();
    let text = show::fields(&rows);
    Ok(Answer { data, text })
}
