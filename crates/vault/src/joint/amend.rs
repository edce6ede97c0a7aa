//! Putting another charter in force. The paper itself carries the quorum of the charter before; the request about
//! it carries the digest of the paper, so that what was approved is what comes into force.

use super::acts::{Act, Then, needed};
use super::papers::Bench;
use super::{JointError, Law};
use crate::Vault;
use crate::error::VaultError;
use crate::record::joint::{self as record, AMENDMENT_PART_BYTES};
use catalog::{Mutation, Precondition};
use charter::approval::Request;
use charter::law::Deed;
use charter::who;
use std::collections::BTreeMap;
use words::limits::{AMENDMENTS_MAX, CHARTER_BYTES_MAX};

/// Most parts of one paper.
const PARTS_MAX: usize = CHARTER_BYTES_MAX / AMENDMENT_PART_BYTES + 1;

impl Vault {
    pub(super) fn amend_act(
        &self,
        bench: &Bench,
        request: &Request,
        paper: Option<&str>,
    ) -> Result<Act, JointError> {
        let Some(text) = paper else {
            let why = "amend-charter needs the amendment itself besides the request; give its file with --with";
            return Err(JointError::act("usage", why));
        };
        let deed = Deed::parse(text)?;
        let digest = deed.terms().digest();
        let approved = needed(request, "charter")?;
        if digest.to_string() != approved {
            return Err(JointError::act(
                "edited",
                format!(
                    "the charter {approved} was approved, the paper handed in is {digest}; nothing was done"
                ),
            ));
        }
        let chain = bench.law.chain.clone().then(&deed)?;
        let law = Law {
            chain,
            ..(*bench.law).clone()
        };
        check_can_live_under(&law)?;
        let (number, paper) = (deed.terms().number(), deed.to_text());
        let parts: Vec<&[u8]> = paper.as_bytes().chunks(AMENDMENT_PART_BYTES).collect();
        let count = u16::try_from(parts.len()).unwrap_or(u16::MAX);
        let mutations = (0..)
            .zip(&parts)
            .map(|(part, bytes)| Mutation::Put {
                key: record::amendment_key(number, part),
                value: record::encode_part(count, bytes).into(),
            })
            .collect();
        Ok(Act {
            digest: Some(*digest.as_bytes()),
            preconditions: vec![Precondition::Absent(record::amendment_key(number, 0))],
            mutations,
            then: Then::Amended { law, paper },
            ..Act::new("AmendCharter", format!("charter {number}, {digest}"))
        })
    }

    /// The amendments that were carried out, in order, as their papers. Needs no key.
    pub async fn amendments(&self) -> Result<Vec<(u32, String)>, VaultError> {
        let mut papers: BTreeMap<u32, (u16, Vec<u8>)> = BTreeMap::new();
        for (key, row) in self
            .rows(record::AMENDMENTS, AMENDMENTS_MAX * PARTS_MAX)
            .await?
        {
            let (number, part) = record::amendment_in(&key)?;
            let (parts, bytes) = record::decode_part(&row.value)?;
            let (next, text) = papers.entry(number).or_default();
            if part != *next || part >= parts {
                return Err(words::wire::WireError::Field("part").into());
            }
            *next += 1;
            text.extend(bytes);
        }
        let read = |(number, (_, text)): (u32, (u16, Vec<u8>))| {
            let text = String::from_utf8(text).map_err(|_| words::wire::WireError::Field("paper"));
            Ok((number, text?))
        };
        papers.into_iter().map(read).collect()
    }
}

/// Whether this cloud could go on under a charter: it could be opened, and this node and its sites are allowed.
fn check_can_live_under(law: &Law) -> Result<(), JointError> {
    let charter = law.charter();
    let Some(terms) = charter.terms() else {
        return Ok(());
    };
    if let Some(here) = &law.place
        && !terms.jurisdictions().allows(here)
    {
        return Err(JointError::act(
            "abroad",
            format!(
                "under the new charter this node, which is in {here}, would be abroad; nothing was done"
            ),
        ));
    }
    check_can_be_opened(charter, &law.holders)
}

/// Whether the holders of shares can fulfil what the charter asks for `unseal`.
pub fn check_can_be_opened(
    charter: &charter::Charter,
    holders: &[words::PartyName],
) -> Result<(), JointError> {
    let Some(unseal) = charter::verbs::find("unseal") else {
        return Ok(());
    };
    let answer = who::who_can(charter, unseal);
    if let Some(patron) = &answer.patron {
        return Err(JointError::act(
            "never-opens",
            format!(
                "the charter asks the patron {patron} for unseal, and a patron holds no share: nobody could open the cloud; nothing was done"
            ),
        ));
    }
    let all = holders.iter().cloned().collect();
    if !answer.condition.holds(&all) {
        return Err(JointError::act(
            "never-opens",
            format!(
                "the charter asks for {} to open the cloud, and its shares are held by {}; deal new shares first; nothing was done",
                answer.condition,
                holders
                    .iter()
                    .map(words::PartyName::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ));
    }
    Ok(())
}
