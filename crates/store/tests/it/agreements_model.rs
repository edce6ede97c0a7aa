//! Agreements against a model of them, over random requests.

use crate::agreements::{SIGNS, Two, asking, of};
use crate::statements::{asked, sign_in};
use agreement::{Agreement, Side, State, Word};
use ledger::Kind;
use statement::{Session, Use};
use vault::AgreementStep;

/// What should be so of one agreement, said without the vault.
struct Model {
    agreement: Agreement,
    state: State,
    turn: u32,
}

impl Model {
    fn lets(
        &self,
        who: usize,
        purpose: Option<&str>,
        columns: &[&str],
        table: &str,
        now: u64,
    ) -> bool {
        let under = |purpose: &str| purpose == "social" || purpose == "social.pensions";
        who == 1
            && self.state == State::Active
            && self.agreement.not_before.0 <= now
            && now < self.agreement.not_after.0
            && purpose.is_none_or(under)
            && columns.iter().all(|column| *column == "nin")
            && table == "tax"
    }
}

/// No agreement, no byte: requests of random identities with random purposes, columns and tables, while agreements come and go.
/// `CLARENCE_LONG` makes it 100,000 of them.
#[tokio::test(start_paused = true)]
async fn nothing_is_granted_without_an_agreement_in_force() {
    let rounds = match std::env::var_os("CLARENCE_LONG") {
        Some(_) => 100_000,
        None => 3000,
    };
    let two = Two::open().await;
    let stranger = two.rig.node.client("customs").await.unwrap();
    let clients = [two.rig.client.clone(), two.fund.clone(), stranger];
    let mut seed = 0x5eed_0004_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % 1_000_003).unwrap() % below
    };
    let mut models: Vec<Model> = Vec::new();
    let mut sessions: Vec<(usize, usize, Session)> = Vec::new();
    let (mut granted, mut refused, mut made) = (0, 0, 0_u32);
    for round in 0..rounds {
        let now = two.rig.node.host.now();
        if models.len() < 3 || next(40) == 0 {
            // A new one in the place of an old one, as far as chance will have it.
            let mut agreement = two.agreement.clone();
            made += 1;
            agreement.retention_days = 1 + made;
            let begins = [0, 0, 0, 600_000][next(4)];
            agreement.not_before = now.plus(begins as u64);
            agreement.not_after = now.plus(begins as u64 + 600_000 + 600_000 * next(9) as u64);
            let vault = &two.rig.node.vault;
            vault.agreement_propose(&agreement.encode()).await.unwrap();
            let mut state = State::Proposed;
            for sign in SIGNS.into_iter().take([3, 3, 3, 3, 2, 0][next(6)]) {
                state = two.sign(&agreement, Word::Agree, sign).await.unwrap();
            }
            if next(6) > 0
                && let Ok(active) = two.step(&agreement, AgreementStep::Activate).await
            {
                assert_eq!(state, State::ConsumerSigned);
                state = active;
            }
            let model = Model {
                agreement,
                state,
                turn: 0,
            };
            let at = match models.len() < 3 {
                true => models.len(),
                false => next(3),
            };
            sessions.retain(|(_, of, _)| *of != at);
            match models.get_mut(at) {
                Some(old) => *old = model,
                None => models.push(model),
            }
            continue;
        }
        let at = next(3);
        match next(30) {
            0 => {
                let step = AgreementStep::Suspend(Side::Consumer);
                let done = two.step(&models[at].agreement, step).await;
                assert_eq!(done.is_ok(), models[at].state == State::Active);
                if let Ok(state) = done {
                    models[at].state = state;
                    models[at].turn += 1;
                }
            }
            1 => {
                for sign in SIGNS {
                    let word = Word::Resume(models[at].turn);
                    if let Ok(state) = two.sign(&models[at].agreement, word, sign).await {
                        models[at].state = state;
                    }
                }
            }
            2 if next(3) == 0 => {
                let step = AgreementStep::Revoke(Side::Provider);
                if let Ok(state) = two.step(&models[at].agreement, step).await {
                    models[at].state = state;
                }
            }
            3 => two.rig.skip(1000 * next(300) as u64),
            _ => {}
        }
        // Time alone ends them: what is over has no state of its own.
        let who = [0, 1, 1, 1, 1, 2][next(6)];
        let model = &models[at];
        let known = sessions.iter().find(|(of, to, _)| (*of, *to) == (who, at));
        let session = match known {
            Some((.., session)) => session.clone(),
            None => {
                let database = format!("agr_{}", model.agreement.id());
                let signed = sign_in(&two.rig, &clients[who], &database).await;
                assert_eq!(
                    signed.is_ok(),
                    who == 1,
                    "only its consumer has the database"
                );
                let Ok(session) = signed else {
                    refused += 1;
                    continue;
                };
                sessions.push((who, at, session.clone()));
                session
            }
        };
        let purpose = [
            None,
            Some("social"),
            Some("social.pensions"),
            Some("tax"),
            Some("unknown"),
            Some(""),
        ][next(6)];
        let columns: &[&str] = [
            &["nin"][..],
            &["nin", "income"],
            &["income"],
            &["absent"],
            &[],
        ][[0, 0, 0, 1, 2, 3, 4][next(7)]];
        let table = ["tax", "tax", "tax", "other"][next(4)];
        let mut wanted = asking(&model.agreement);
        wanted.tables[0].source = asked(of(&model.agreement, table), Use::Read).tables[0]
            .source
            .clone();
        wanted.tables[0].columns =
            Some(columns.iter().map(|column| (*column).to_owned()).collect());
        wanted.purpose = purpose.map(str::to_owned);
        let now = two.rig.node.host.now().0;
        let before = two.last_entry().await;
        let answer = two.ask(&session, &wanted).await;
        let lets = model.lets(who, purpose, columns, table, now);
        assert_eq!(
            answer.is_ok(),
            lets,
            "{round}: {:?} {purpose:?} {columns:?} {table}: {:?}",
            model.state,
            answer.err()
        );
        // The ledger has the one or the other, before anything is answered.
        let vault = &two.rig.node.vault;
        let entries = vault.last_entries(None, 8).await.unwrap();
        let kinds: Vec<Kind> = entries
            .iter()
            .filter(|entry| entry.index > before)
            .map(|entry| entry.fields.as_ref().unwrap().kind)
            .collect();
        let expected = match lets {
            true => Kind::Grant,
            false => Kind::Deny,
        };
        assert!(kinds.contains(&expected), "{round}: {kinds:?}");
        assert_eq!(kinds.contains(&Kind::Grant), lets, "{round}: {kinds:?}");
        granted += usize::from(lets);
        refused += usize::from(!lets);
        if round % 500 == 499 {
            sessions.clear(); // They last twelve hours, and the clock is moved.
        }
    }
    assert!(
        granted > rounds / 60 && refused > rounds / 2,
        "{granted} {refused}"
    );
}
