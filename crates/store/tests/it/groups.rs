//! Groups of persons that are shown under an agreement: one near another that was shown is withheld, by every gate and for good.

use crate::agreements::{Two, asking};
use agreement::{Agreement, Op, Side};
use ledger::Kind;
use statement::{Aggregate, Cohort, Release, Sums};
use store::OpenStatement;
use vault::{AgreementStep, VaultError};

/// A group of these persons, each with one row.
fn cohort(measure: &str, persons: impl Iterator<Item = u64>) -> Cohort {
    let mut cohort = Cohort {
        measure: measure.into(),
        shape: 1,
        persons: 0,
        people: Sums::new(3),
        rows: Sums::new(3),
    };
    for person in persons {
        cohort.persons += 1;
        cohort
            .people
            .add(person.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        cohort.rows.add(person.wrapping_mul(0xd134_2543_de82_ef95));
    }
    cohort
}

fn watched(agreement: &Agreement) -> Agreement {
    let mut watched = agreement.clone();
    watched.ops = [Op::Aggregate].into();
    watched.aggregate = Some(Aggregate {
        entity: "nin".into(),
        min_group: 3,
        rounding: 1,
        dominance: None,
        differencing: true,
        privacy: None,
    });
    watched
}

async fn release(
    statement: &OpenStatement,
    cohorts: Vec<Cohort>,
    node: &sim::Node,
) -> Result<Vec<bool>, VaultError> {
    let release = Release { table: 0, cohorts };
    let vault = &node.vault;
    vault.release_cohorts(statement.grant(), &release).await
}

#[tokio::test(start_paused = true)]
async fn a_group_near_one_that_was_shown_is_withheld_by_every_gate_and_for_good() {
    let two = Two::open().await;
    let agreement = watched(&two.agreement);
    two.begin_all(&agreement).await;
    let mut again = agreement.clone();
    again.retention_days = 5;
    two.begin_all(&again).await;
    let node = &two.rig.node;
    let session = two.session(&agreement).await;
    let statement = two.ask(&session, &asking(&agreement)).await.unwrap();
    assert!(statement.shown().unwrap()[0].terms.cohorts.is_some());
    let from = two.rig.next_index().await;
    let asked = vec![
        cohort("", 0..20),
        cohort("", 1..20),
        cohort("income", 1..20),
        cohort("", 3..20),
        cohort("", 0..20),
        cohort("", 2..22),
    ];
    let shown = release(&statement, asked, node).await.unwrap();
    assert_eq!(shown, [true, false, true, true, true, true]);
    let entries = two.rig.entries(from).await;
    assert_eq!(entries.len(), 1);
    let (_, entry) = &entries[0];
    assert_eq!((entry.kind, entry.rows), (Kind::Release, Some(5)));
    assert_eq!(entry.link, Some(statement.shown().unwrap()[0].entry));
    assert!(entry.reason.as_deref().unwrap().starts_with("1 groups"));
    // What is all known already is shown without an entry more.
    let from = two.rig.next_index().await;
    let known = vec![cohort("", 3..20), cohort("income", 1..20)];
    assert_eq!(
        release(&statement, known, node).await.unwrap(),
        [true, true]
    );
    assert_eq!(two.rig.entries(from).await.len(), 0);

    // Under another agreement about the same table, to the same consumer.
    let session = two.session(&again).await;
    let statement = two.ask(&session, &asking(&again)).await.unwrap();
    let near = vec![cohort("", 4..20), cohort("", 40..60)];
    let shown = release(&statement, near, node).await.unwrap();
    assert_eq!(shown, [false, true]);

    // At another gate over the same catalog, which holds nothing in memory, and behind the back of this one.
    let other = two.rig.world.start().unwrap();
    two.rig.world.unseal(&other, [0, 1]).await.unwrap();
    let database = format!("agr_{}", again.id());
    let sign = statement::Sign::Password {
        user: two.fund.access_key.clone(),
        password: two.fund.secret.clone(),
        token: None,
    };
    let signed = other.vault.sql_sign_in(sign, &database, None).await;
    let statement::Signed::In { session, .. } = signed.unwrap() else {
        panic!("a password asks for nothing more");
    };
    let there = other
        .store
        .begin_statement(session.id, &asking(&again))
        .await;
    let there = there.unwrap();
    let asked = vec![cohort("", 41..60), cohort("", 70..90)];
    assert_eq!(release(&there, asked, &other).await.unwrap(), [false, true]);
    let asked = vec![cohort("", 71..90), cohort("", 100..120)];
    assert_eq!(
        release(&statement, asked, node).await.unwrap(),
        [false, true]
    );
    // So many that they fill several rows.
    let many = |from: u64| (from..from + 120).map(|at| cohort("many", at * 100..at * 100 + 10));
    for from in [0, 120, 240] {
        let shown = release(&statement, many(from).collect(), node)
            .await
            .unwrap();
        assert!(shown.into_iter().all(|shown| shown));
    }
    let near = many(130).take(5).map(|mut near| {
        near.people.add(1);
        near.rows.add(1);
        near.persons += 1;
        near
    });
    let near: Vec<Cohort> = near.collect();
    for (at, gate) in [(&statement, node), (&there, &other)] {
        let shown = release(at, near.clone(), gate).await.unwrap();
        assert_eq!(shown, [false; 5]);
    }
}

#[tokio::test(start_paused = true)]
async fn groups_are_released_under_a_watched_agreement_only() {
    let two = Two::active().await;
    let session = two.session(&two.agreement).await;
    let statement = two.ask(&session, &asking(&two.agreement)).await.unwrap();
    let vault = &two.rig.node.vault;
    let release = Release {
        table: 0,
        cohorts: vec![cohort("", 0..20)],
    };
    let refused = vault.release_cohorts(statement.grant(), &release).await;
    assert!(refused.is_err(), "it is not watched");
    let agreement = watched(&two.agreement);
    two.begin_all(&agreement).await;
    let session = two.session(&agreement).await;
    let statement = two.ask(&session, &asking(&agreement)).await.unwrap();
    let beyond = Release {
        table: 1,
        ..release.clone()
    };
    assert!(
        vault
            .release_cohorts(statement.grant(), &beyond)
            .await
            .is_err()
    );
    let step = AgreementStep::Revoke(Side::Provider);
    two.step(&agreement, step).await.unwrap();
    assert!(
        vault
            .release_cohorts(statement.grant(), &release)
            .await
            .is_err()
    );
}
