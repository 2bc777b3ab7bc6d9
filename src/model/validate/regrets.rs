//! What is legal, and will be regretted when something fails: all warnings.

use super::{Checker, Group};
use crate::model::health_check::Kind;
use crate::model::record_set::{Body, CidrLocation, Location, RecordSet, Role, Routing};

impl<'c> Checker<'c> {
    pub(super) fn regrets(&mut self, group: &Group<'c>) {
        let shown = format!("{} {}", group.name, group.rtype);
        let Some(first) = group.members.first() else { return };
        let any = |wanted: &dyn Fn(&Routing) -> bool| group.members.iter().any(|set| wanted(&set.routing));
        match &first.routing {
            Routing::Geolocation(_) if !any(&|routing| *routing == Routing::Geolocation(Location::Default)) => {
                let why = "a client whose place is not listed, or not known, gets no answer";
                self.warning(
                    &first.at,
                    format!("{shown} has no default location"),
                    why,
                    "add a record set for country *",
                );
            }
            Routing::IpBased { .. }
                if !any(&|routing| matches!(routing, Routing::IpBased { location: CidrLocation::Default, .. })) =>
            {
                let why = "a client in none of its locations gets no answer";
                self.warning(
                    &first.at,
                    format!("{shown} has no default location"),
                    why,
                    "add a record set for location *",
                );
            }
            Routing::Weighted { .. }
                if any(&|_| true) && !any(&|routing| !matches!(routing, Routing::Weighted { weight: 0 })) =>
            {
                let why = "they answer all alike, as if none were meant to stand by";
                self.warning(
                    &first.at,
                    format!("all weights of {shown} are 0"),
                    why,
                    "give the ones that should answer a weight",
                );
            }
            Routing::Failover(_) => self.failover(group, &shown),
            _ => {}
        }
        if group.members.len() > 1 {
            for set in &group.members {
                self.outlasts_detection(set, &shown);
                self.ignores_target(set, &shown);
            }
        }
    }

    fn failover(&mut self, group: &Group<'c>, shown: &str) {
        let with = |role: Role| group.members.iter().find(|set| set.routing == Routing::Failover(role));
        match (with(Role::Primary), with(Role::Secondary)) {
            (Some(primary), _) if !can_fail(primary) => {
                let (why, remedy) = match (&primary.body, group.members.len()) {
                    (_, 1) => return self.alone(primary, "secondary", shown),
                    (Body::Alias(_), _) => (
                        "it ignores its target's health, so the secondary never answers",
                        "set EvaluateTargetHealth to true, or give it a health check",
                    ),
                    (Body::Values { .. }, _) => {
                        ("it is always healthy, so the secondary never answers", "give it a health check")
                    }
                };
                self.warning(&primary.at, format!("the primary of {shown} has no health check"), why, remedy);
            }
            (Some(primary), None) => self.alone(primary, "secondary", shown),
            (None, Some(secondary)) => self.alone(secondary, "primary", shown),
            _ => {}
        }
    }

    fn alone(&mut self, set: &RecordSet, missing: &str, shown: &str) {
        let why = "there is nothing to fail over to";
        self.warning(
            &set.at,
            format!("{shown} has no {missing}"),
            why,
            format!("add the {missing}, or make it simple"),
        );
    }

    /// Resolvers keep an answer for its TTL, whatever we find out in the meantime.
    fn outlasts_detection(&mut self, set: &RecordSet, shown: &str) {
        let (Body::Values { ttl, .. }, Some(check)) = (&set.body, &set.health_check) else { return };
        let Some(detection) = self.detection(check) else { return };
        if u64::from(*ttl) > detection {
            let what = format!("{shown} has TTL {ttl}, and {check:?} finds a failure within {detection} s");
            let why = "resolvers go on with the failed answer for the TTL";
            self.warning(&set.at, what, why, format!("lower the TTL to {detection} or less"));
        }
    }

    /// Seconds from a failure to the verdict: of a check itself, or the slowest it counts.
    fn detection(&self, check: &str) -> Option<u64> {
        let endpoint = |id: &str| match &self.shared.health_checks.get(id)?.kind {
            Kind::Endpoint(endpoint) => {
                Some(u64::from(endpoint.request_interval) * u64::from(endpoint.failure_threshold))
            }
            _ => None,
        };
        match &self.shared.health_checks.get(check)?.kind {
            Kind::Calculated { children, .. } => children.iter().filter_map(|child| endpoint(child)).max(),
            _ => endpoint(check),
        }
    }

    fn ignores_target(&mut self, set: &RecordSet, shown: &str) {
        let Body::Alias(alias) = &set.body else { return };
        // Of a failover group, the primary has been spoken of, and nothing comes after the secondary.
        if can_fail(set) || matches!(set.routing, Routing::Failover(_)) {
            return;
        }
        let target = self.groups.group(&alias.name, set.rtype).map(|at| &self.groups.all[at]);
        if target.is_some_and(|target| target.members.iter().any(|set| can_fail(set))) {
            let identifier = set.identifier.as_deref().unwrap_or_default();
            let what = format!("{identifier:?} of {shown} ignores the health of {}", alias.name);
            let why = "it is chosen even when all that it leads to has failed";
            self.warning(&set.at, what, why, "set EvaluateTargetHealth to true");
        }
    }
}

/// Whether a record set can ever be unhealthy.
fn can_fail(set: &RecordSet) -> bool {
    set.health_check.is_some() || matches!(&set.body, Body::Alias(alias) if alias.evaluate_target_health)
}
