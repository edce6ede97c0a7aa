//! `clarence charter`: keys of parties, drafts, signatures, checks, amendments.

use super::args::{CharterVerb, Draft};
use super::read;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::show;
use charter::approval::files as disk;
use charter::approval::{Bearer, KeyFile, PublicFile};
use charter::law::{Chain, Jurisdiction, Member};
use charter::{Deed, Terms};
use host::{Host, files};
use serde_json::json;
use std::path::Path;

pub fn charter(asked: &CharterVerb, host: &Host) -> Outcome {
    match asked {
        CharterVerb::Key { party, patron, out } => {
            let (bearer, stem) = match (party, patron) {
                (Some(name), _) => (Bearer::Party(read::party(name)?), name),
                (None, Some(name)) => (Bearer::Patron(read::party(name)?), name),
                (None, None) => return Err(Failure::usage("give --party or --patron")),
            };
            new_key(bearer, stem, out, host)
        }
        CharterVerb::Draft(draft) => write_draft(draft),
        CharterVerb::Sign { file, key } => sign(file, key),
        CharterVerb::Check(asked) => check(&read::chain(&asked.file, &asked.then)?),
        CharterVerb::Amend { charter, next, out } => {
            let before = read::in_force(&charter.charter, &charter.then)?;
            amend(&before, next, out)
        }
    }
}

/// A new key in its two files.
pub fn new_key(bearer: Bearer, stem: &str, out: &Path, host: &Host) -> Outcome {
    let key = KeyFile::generate(bearer, host).map_err(|e| Failure::new(Exit::General, e))?;
    let (secret, public) = disk::write_keys(out, stem, &key)?;
    let fingerprint = key.key().public().id().to_string();
    let text = show::fields(&[
        ("key of", key.bearer().to_string()),
        ("fingerprint", fingerprint.clone()),
        ("secret key", secret.display().to_string()),
        ("public key", public.display().to_string()),
    ]);
    let data = json!({
        "bearer": key.bearer().to_string(),
        "fingerprint": fingerprint,
        "secret_key": secret,
        "public_key": public,
    });
    Ok(Answer { data, text })
}

fn member(path: &Path, patron: bool) -> Result<Member, Failure> {
    let public: PublicFile = disk::load_public(path)?;
    let name = match public.bearer() {
        Bearer::Party(name) if !patron => name.clone(),
        Bearer::Patron(name) if patron => name.clone(),
        other => {
            let wanted = if patron { "the patron" } else { "a party" };
            let message = format!("{} is the key of {other}, not of {wanted}", path.display());
            return Err(Failure::usage(message));
        }
    };
    Ok(Member {
        name,
        key: public.key().clone(),
    })
}

fn write_draft(draft: &Draft) -> Outcome {
    read::check_count(draft.parties.len())?;
    let mut parties = Vec::new();
    for path in &draft.parties {
        parties.push(member(path, false)?);
    }
    let place = Jurisdiction::parse(&draft.jurisdiction)
        .ok_or_else(|| Failure::usage("a jurisdiction has 2 to 32 of a-z, 0-9 and '-'"))?;
    let patron = member(&draft.patron, true)?;
    let bad = |e: charter::law::TermsError| Failure::usage(e).named("charter");
    let mut terms = Terms::usual(
        &draft.cloud,
        &draft.purpose,
        draft.threshold,
        &place,
        parties,
        patron,
    )
    .map_err(bad)?;
    if let Some(condition) = &draft.sovereignty {
        terms = terms.with_sovereignty(condition).map_err(bad)?;
    }
    disk::write_new(&draft.out, &terms.to_text(), 0o644)?;
    paper(&Deed::unsigned(terms), &draft.out)
}

/// What a paper is and who has signed it.
fn paper(deed: &Deed, path: &Path) -> Outcome {
    let terms = deed.terms();
    let signed: Vec<String> = deed.signatures().iter().map(|s| s.by.to_string()).collect();
    let awaited: Vec<String> = (terms.parties().iter().chain([terms.patron()]))
        .filter(|member| !signed.contains(&member.name.to_string()))
        .map(|member| member.name.to_string())
        .collect();
    let digest = terms.digest().to_string();
    let text = show::fields(&[
        ("file", path.display().to_string()),
        ("number", terms.number().to_string()),
        ("digest", digest.clone()),
        ("signed by", signed.join(", ")),
        ("not signed by", awaited.join(", ")),
    ]);
    let data = json!({
        "file": path,
        "number": terms.number(),
        "charter_digest": digest,
        "signed_by": signed,
        "not_signed_by": awaited,
    });
    Ok(Answer { data, text })
}

fn sign(file: &Path, key: &Path) -> Outcome {
    let mut deed = read::deed(file)?;
    let key = disk::load_key(key)?;
    let (Bearer::Party(name) | Bearer::Patron(name)) = key.bearer() else {
        let message = format!(
            "this is the key of {}; charters are signed by parties and the patron",
            key.bearer()
        );
        return Err(Failure::usage(message));
    };
    let known = deed.terms().member(name).map(|member| &member.key);
    // In an amendment a party may sign with the key it had before, which is not in the new text.
    if deed.terms().number() == 1 && known != Some(key.key().public()) {
        let message = format!("the charter does not name {name} with this key");
        return Err(Failure::new(Exit::Auth, message).named("charter"));
    }
    deed.sign(name, key.key())
        .map_err(|e| read::bad_charter(file, e))?;
    files::write_durable(file, deed.to_text().as_bytes(), 0o644)
        .map_err(|e| Failure::new(Exit::General, format!("{}: {e}", file.display())))?;
    paper(&deed, file)
}

fn check(chain: &Chain) -> Outcome {
    let charter = chain.in_force();
    let (number, patron) = charter.terms().map_or((1, None), |terms| {
        (terms.number(), Some(terms.patron().name.to_string()))
    });
    let parties: Vec<&str> = charter
        .parties()
        .iter()
        .map(words::PartyName::as_str)
        .collect();
    let version = if charter.terms().is_some() { 2 } else { 1 };
    let text = show::fields(&[
        (
            "charter",
            format!("holds, version {version}, number {number}"),
        ),
        ("digest", charter.digest().to_string()),
        ("founded with", chain.founding().to_string()),
        ("cloud", charter.cloud_name().to_owned()),
        ("parties", parties.join(", ")),
        ("patron", patron.clone().unwrap_or_default()),
        ("sovereignty", charter.sovereignty().to_string()),
        (
            "opens with",
            format!("any {} of {} shares", charter.threshold(), parties.len()),
        ),
    ]);
    let data = json!({
        "version": version,
        "number": number,
        "charter_digest": charter.digest().to_string(),
        "founding_digest": chain.founding().to_string(),
        "cloud_name": charter.cloud_name(),
        "parties": parties,
        "patron": patron,
        "sovereignty": charter.sovereignty().to_string(),
        "threshold": charter.threshold(),
    });
    Ok(Answer { data, text })
}

fn amend(before: &charter::Charter, next: &Path, out: &Path) -> Outcome {
    let Some(terms) = before.terms() else {
        let message = "a charter of version 1 names no keys, so nobody can sign a change to it";
        return Err(Failure::new(Exit::Unsupported, message));
    };
    let changed = read::deed(next)?;
    let next = changed
        .terms()
        .clone()
        .amending(terms.number(), before.digest());
    disk::write_new(out, &next.to_text(), 0o644)?;
    paper(&Deed::unsigned(next), out)
}
