//! Whether health checks make sense together: children that are there, no circles, no deeper than Route 53 allows.

use std::collections::BTreeMap;

use crate::model::health_check::{HealthCheck, Kind};
use crate::model::{Id, Limits};
use crate::problem::{Problem, Problems, nearest};

pub fn health_checks(checks: &BTreeMap<Id, HealthCheck>, limits: Limits, problems: &mut Problems) {
    for check in checks.values() {
        for child in children(check) {
            match checks.get(child) {
                None => {
                    let remedy = match nearest(child, checks.keys().map(|id| &**id)) {
                        Some(meant) => format!("did you mean {meant:?}?"),
                        None => "define it, or take it away".to_string(),
                    };
                    let what = format!("{:?} counts health check {child:?}, which no file defines", check.id);
                    problems.push(Problem::warning(check.at.clone(), what, "it counts as healthy", remedy));
                }
                Some(other)
                    if matches!(other.kind, Kind::Calculated { .. })
                        && limits == Limits::Route53
                        && child != &check.id =>
                {
                    let what = format!("{:?} counts {child:?}, which is calculated too", check.id);
                    let remedy = "name the checks that it counts, or set limits = \"none\"";
                    problems.push(Problem::error(check.at.clone(), what, "Route 53 does not allow it", remedy));
                }
                Some(_) => {}
            }
        }
    }
    circles(checks, problems);
}

fn children(check: &HealthCheck) -> &[Id] {
    match &check.kind {
        Kind::Calculated { children, .. } => children,
        _ => &[],
    }
}

/// Reports each circle once, with its path. Without recursion: how deep checks nest is the file's choice.
fn circles(checks: &BTreeMap<Id, HealthCheck>, problems: &mut Problems) {
    // False while the walk is below a check, true when it has left it.
    let mut left: BTreeMap<&str, bool> = BTreeMap::new();
    for start in checks.values() {
        if left.contains_key(&*start.id) {
            continue;
        }
        left.insert(&start.id, false);
        let mut way = vec![(start, 0)];
        while let Some((check, child)) = way.last_mut() {
            let check = *check;
            let Some(id) = children(check).get(*child) else {
                left.insert(&check.id, true);
                way.pop();
                continue;
            };
            *child += 1;
            let Some(next) = checks.get(id) else { continue };
            match left.get(&*next.id) {
                Some(true) => {}
                None => {
                    left.insert(&next.id, false);
                    way.push((next, 0));
                }
                Some(false) => {
                    let circle = way.iter().skip_while(|(on_way, _)| on_way.id != next.id);
                    let path =
                        circle.map(|(on_way, _)| &*on_way.id).chain([&*next.id]).collect::<Vec<_>>().join(" -> ");
                    let what = format!("health checks count each other in a circle: {path}");
                    let remedy = "take one of them out of another's children";
                    problems.push(Problem::error(check.at.clone(), what, "none of them would have a verdict", remedy));
                }
            }
        }
    }
}
