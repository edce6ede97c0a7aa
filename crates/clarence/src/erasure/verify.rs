//! `clarence subject verify`: a receipt checked offline, from files alone.

use super::args::VerifyReceipt;
use crate::exit::{Answer, Exit, Failure, Outcome};
use crate::joint::read;
use crate::show;
use crate::talk::Talk;
use charter::{Charter, Custody, Destruction};
use ledger::erasure::{DealingSaid, subject_commitment};
use ledger::{ErasureReceipt, VerifierKeys};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use words::hex;
use words::limits::RECEIPT_BYTES_MAX;

const KEYS_BYTES_MAX: usize = 64 * 1024;

pub fn verify(asked: &VerifyReceipt, talk: Talk) -> Outcome {
    let keys = VerifierKeys::parse(&read::text(&asked.keys, KEYS_BYTES_MAX)?)
        .map_err(|e| Failure::usage(format!("{}: {e}", asked.keys.display())).named("keys"))?;
    let charter = match &asked.charter {
        Some(path) => Some(read::in_force(path, &asked.then)?),
        None => {
            talk.warn("without --charter the parties' signatures are not checked, only that the log vouches for them");
            None
        }
    };
    let text = read::text(&asked.receipt, RECEIPT_BYTES_MAX)?;
    let bad = |why: &dyn ToString| refused(&asked.receipt, why);
    let receipt = ErasureReceipt::open(text.as_bytes(), &keys).map_err(|e| bad(&e))?;
    if let (Some(subject), Some(opening)) = (&asked.subject, &asked.opening) {
        let opening: [u8; 32] = hex::decode_array(opening)
            .ok_or_else(|| Failure::usage("an opening has 64 hexadecimal digits"))?;
        if subject_commitment(&opening, subject) != receipt.subject {
            return Err(bad(
                &"it is not about that subject, or the opening is another one's",
            ));
        }
    }
    let mut counted = Vec::new();
    for dealing in &receipt.dealings {
        counted.push(Counted::of(&receipt, dealing, charter.as_ref()).map_err(|e| bad(&e))?);
    }
    check_all_there(&receipt, &counted).map_err(|e| bad(&e))?;
    report(&asked.receipt, &receipt, &counted)
}

fn refused(path: &Path, why: &dyn ToString) -> Failure {
    let message = format!("{}: {}", path.display(), why.to_string());
    Failure::new(Exit::General, message).named("receipt-bad")
}

/// One dealing, counted.
struct Counted {
    root: u32,
    custody: Custody,
    destroyed: Vec<String>,
}

impl Counted {
    fn of(
        receipt: &ErasureReceipt,
        said: &DealingSaid,
        charter: Option<&Charter>,
    ) -> Result<Self, String> {
        let text = std::str::from_utf8(&said.custody).map_err(|e| e.to_string())?;
        let custody = Custody::from_json(text).map_err(|e| e.to_string())?;
        if custody.cloud() != receipt.cloud {
            return Err("a record of custody in it is of another cloud".to_owned());
        }
        let mut destroyed = Vec::new();
        for (party, statement) in &said.destroyed {
            let statement = Destruction::parse(statement).map_err(|e| e.to_string())?;
            if statement.party() != party || destroyed.contains(&party.to_string()) {
                return Err(format!(
                    "the statement of {party} is another one's, or is there twice"
                ));
            }
            match charter {
                Some(charter) => statement.check(&custody, charter),
                None => statement.check_share(&custody),
            }
            .map_err(|e| e.to_string())?;
            destroyed.push(party.to_string());
        }
        Ok(Self {
            root: said.root,
            custody,
            destroyed,
        })
    }

    fn left(&self) -> usize {
        self.custody
            .holders()
            .len()
            .saturating_sub(self.destroyed.len())
    }

    fn opens(&self) -> bool {
        self.left() >= usize::from(self.custody.threshold())
    }

    fn data(&self) -> Value {
        json!({
            "root": self.root,
            "epoch": self.custody.epoch(),
            "ceremony": self.custody.ceremony().to_string(),
            "threshold": self.custody.threshold(),
            "shares": self.custody.holders().len(),
            "destroyed": self.destroyed,
            "opens": self.opens(),
        })
    }
}

/// Every root that led to the key must be there with every dealing, from the first on, and all dealings of a
/// root must be of one ceremony.
fn check_all_there(receipt: &ErasureReceipt, counted: &[Counted]) -> Result<(), String> {
    let mut by_root: BTreeMap<u32, Vec<&Counted>> = BTreeMap::new();
    for one in counted {
        by_root.entry(one.root).or_default().push(one);
    }
    for root in receipt.born..=receipt.last {
        let dealings = by_root.get(&root).map_or(&[][..], Vec::as_slice);
        let numbers = dealings.iter().map(|one| one.custody.epoch());
        let ceremony = dealings.first().map(|one| one.custody.ceremony());
        let whole = !dealings.is_empty()
            && numbers.eq(1..=u32::try_from(dealings.len()).unwrap_or(0))
            && dealings
                .iter()
                .all(|one| Some(one.custody.ceremony()) == ceremony);
        if !whole {
            return Err(format!("a dealing of root {root} is missing from it"));
        }
    }
    Ok(())
}

fn report(path: &Path, receipt: &ErasureReceipt, counted: &[Counted]) -> Outcome {
    let open: Vec<&Counted> = counted.iter().filter(|one| one.opens()).collect();
    let complete = receipt.moved.is_some() && open.is_empty();
    let data = json!({
        "file": path,
        "complete": complete,
        "cloud": receipt.cloud.to_string(),
        "erasure": hex::encode(&receipt.erasure),
        "tenant_id": receipt.tenant.to_string(),
        "commitment": hex::encode(&receipt.subject),
        "ordered_unix_ms": receipt.ordered.0,
        "objects": receipt.objects,
        "uploads": receipt.uploads,
        "sites": receipt.sites.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "ledger_index": receipt.order.index,
        "roots": [receipt.born, receipt.last],
        "moved_to": receipt.moved.map(|(root, _)| root),
        "dealings": counted.iter().map(Counted::data).collect::<Vec<_>>(),
    });
    let mut rows = vec![
        ("erasure", hex::encode(&receipt.erasure)),
        ("subject", hex::encode(&receipt.subject)),
        ("ordered", show::time(receipt.ordered.0)),
        ("entry", receipt.order.index.to_string()),
        ("objects", receipt.objects.to_string()),
    ];
    for one in counted {
        rows.push((
            "root",
            format!(
                "{} (dealing {}): {} of {} shares may exist, {} open it; destroyed by {}",
                one.root,
                one.custody.epoch(),
                one.left(),
                one.custody.holders().len(),
                one.custody.threshold(),
                one.destroyed.join(", "),
            ),
        ));
    }
    let text = show::fields(&rows);
    if complete {
        return Ok(Answer { data, text });
    }
    let why = match receipt.moved {
        None => "the root has not moved since the order".to_owned(),
        Some(_) => format!("{} dealings of old shares can still be opened", open.len()),
    };
    let message = format!("the receipt holds, but the erasure is not complete: {why}");
    Err(Failure::new(Exit::General, message)
        .named("not-complete")
        .suggest("each party destroys its old share (clarence share destroy), hands the statement in (clarence share attest), and the receipt is written anew")
        .finding(data, text))
}
