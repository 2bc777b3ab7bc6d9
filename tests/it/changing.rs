//! What is changed in place is as if it had been made afresh: a flip, another version of a zone.

use std::sync::Arc;

use fingerpost::dice::{Dice, Seeded};
use fingerpost::geo::Geography;
use fingerpost::health::verdicts::Verdicts;
use fingerpost::model::{Limits, Shared, ZoneData};
use fingerpost::moment::Moment;
use fingerpost::policy::MemberSet;
use fingerpost::problem::Problems;
use fingerpost::route53::health_checks;
use fingerpost::snapshot::{self, Parts, Settings, Snapshot, ZoneImage};
use fingerpost::wire::hash::HashKey;

use crate::server::load;

const CHECKS: u32 = 12;
const NAMES: u32 = 30;
const ORIGINS: [&str; 3] = ["a.test.", "b.test.", "plain.test."];

/// A zone whose groups go by checks and follow each other through aliases: down, across, and in circles.
fn zone(origin: &str, dice: &mut Seeded) -> ZoneData {
    let mut text = "@ 60 IN SOA ns host 1 2 3 4 5\n@ 60 IN NS ns.example.\nalone 60 IN A 192.0.2.9\n".to_string();
    for name in (0..dice.roll(NAMES)).filter(|_| origin != "plain.test.") {
        for member in 0..1 + dice.roll(3) {
            let check = match dice.roll(3) {
                0 => String::new(),
                _ => format!(" healthCheckId=\"c{}\"", dice.roll(CHECKS)),
            };
            let steering = format!("; AWS routing=\"WEIGHTED\" weight=1 identifier=\"m{member}\"{check}\n");
            let target = match dice.roll(6) {
                0 | 1 => format!("n{}.{} Z1 true", dice.roll(NAMES), ORIGINS[dice.roll(2) as usize]),
                2 => format!("n{} $self true", dice.roll(NAMES)),
                3 => "elsewhere.example. Z1 true".to_string(),
                _ => {
                    text.push_str(&format!("n{name} 60 IN A 192.0.2.{member} {steering}"));
                    continue;
                }
            };
            text.push_str(&format!("n{name} 60 AWS ALIAS A {target} {steering}"));
        }
    }
    let (zone, problems) = load(origin, &text);
    assert_eq!(problems.errors(), 0, "{:?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>());
    zone
}

fn image(zone: &ZoneData) -> Arc<ZoneImage> {
    Arc::new(snapshot::build(zone, &HashKey::new([5; 4]), &Settings::modern(), &mut Problems::default()))
}

fn shared() -> Shared {
    let checks = (0..CHECKS - 2).map(|number| {
        format!("[health_check.c{number}]\ntype = 'RECOVERY_CONTROL'\nrouting_control_arn = 'arn:{number}'\n")
    });
    let counting = (CHECKS - 2..CHECKS).map(|number| {
        format!(
            "[health_check.c{number}]\ntype = 'CALCULATED'\nchild_health_checks = ['c0', 'c1']\nhealth_threshold = 1\n"
        )
    });
    let text: String = checks.chain(counting).collect();
    let mut problems = Problems::default();
    let health_checks = health_checks::read_toml("h".into(), text.as_bytes(), Limits::Route53, &mut problems);
    assert_eq!((health_checks.len(), problems.errors()), (CHECKS as usize, 0));
    Shared { health_checks, ..Shared::default() }
}

/// For each zone the healthy members of its groups, with their policy's word.
fn candidates(snapshot: &Snapshot) -> Vec<Vec<(&'static str, MemberSet)>> {
    let of = |zone| {
        let groups = 0..snapshot.image(zone).groups.len() as u32;
        groups
            .map(|group| snapshot.candidates(zone, group))
            .map(|(policy, healthy)| (policy.kind().word(), healthy))
            .collect()
    };
    snapshot.zones.numbers().map(of).collect()
}

#[test]
fn a_flip_or_another_version_of_a_zone_is_as_if_all_were_made_afresh() {
    for seed in 0..40 {
        let dice = &mut Seeded::new(seed);
        let mut images: Vec<_> = ORIGINS.iter().map(|origin| image(&zone(origin, dice))).collect();
        let mut problems = Problems::default();
        let empty = Snapshot::of(&[], shared(), Geography::empty(), Settings::modern(), &mut problems);
        let parts = Parts { key: HashKey::new([5; 4]), ..parts_of(&empty, &images) };
        let mut changed = Snapshot::new(parts);
        for step in 0..30 {
            let before = changed.clone();
            if dice.roll(5) == 0 {
                let number = dice.roll(ORIGINS.len() as u32) as usize;
                let new = image(&zone(ORIGINS[number], dice));
                changed = changed.with_zone(&images[number], new.clone()).expect("the zone is there");
                assert!(changed.with_zone(&images[number], new.clone()).is_none(), "it is gone");
                images[number] = new;
            } else {
                let mut verdicts = (*changed.verdicts).clone();
                for _ in 0..1 + dice.roll(2) {
                    let check = format!("c{}", dice.roll(CHECKS));
                    verdicts.force(&check, Some(dice.roll(2) == 0), Moment(step)).expect("a check");
                }
                changed = changed.with_verdicts(Arc::new(verdicts));
                let told = changed.steered_otherwise(&before).count();
                let pairs = candidates(&changed).concat().into_iter().zip(candidates(&before).concat());
                let differ = pairs.filter(|(now, before)| now != before).count();
                assert!(told <= differ, "{seed}, {step}: {told} told, {differ} differ");
            }
            let whole = Snapshot::new(parts_of(&changed, &images));
            assert_eq!(candidates(&changed), candidates(&whole), "{seed}, {step}");
            // As after a reload: what was loaded knows nothing yet, and takes over what was known before.
            let mut verdicts = Verdicts::new(&changed.shared.health_checks);
            let fresh = Parts { verdicts: Arc::new(verdicts.clone()), ..parts_of(&changed, &images) };
            verdicts.continue_from(&changed.verdicts, Moment(step));
            let taken_over = Snapshot::new(fresh).with_verdicts(Arc::new(verdicts));
            assert_eq!(candidates(&taken_over), candidates(&whole), "{seed}, {step}, loaded again");
        }
    }
}

fn parts_of(snapshot: &Snapshot, images: &[Arc<ZoneImage>]) -> Parts {
    Parts {
        settings: snapshot.settings.clone(),
        key: snapshot.key,
        images: images.to_vec(),
        geography: snapshot.geography.clone(),
        shared: snapshot.shared.clone(),
        verdicts: snapshot.verdicts.clone(),
    }
}
