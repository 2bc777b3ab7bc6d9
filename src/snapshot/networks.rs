//! Groups that go by the client's place, although the geography has no network: every client is at the same unknown
//! place then.

use super::Snapshot;
use crate::model::record_set::Routing;
use crate::model::zone::Visibility;
use crate::problem::{Problem, Problems};

impl Snapshot {
    /// Adds an error if the geography knows no network and groups of public zones need one. In a private zone, the
    /// region of the VPC is the client's place.
    pub fn check_networks(&self, problems: &mut Problems) {
        if self.geography.networks() > 0 {
            return;
        }
        let (mut groups, mut zones, mut first) = (0, 0, None);
        for &zone in self.zones.steered() {
            let image = self.image(zone);
            let placed = image.groups.iter().filter_map(|group| {
                let member = group.members.first()?;
                let by_place = matches!(
                    member.routing,
                    Routing::Latency { .. } | Routing::Geolocation(_) | Routing::Geoproximity { .. }
                );
                by_place.then_some(&member.at)
            });
            let before = groups;
            for at in placed.filter(|_| image.visibility == Visibility::Public) {
                groups += 1;
                first = first.or(Some(at));
            }
            zones += usize::from(groups > before);
        }
        let Some(first) = first else { return };
        let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let what = format!(
            "the geography has no network, and {} of latency, geolocation or geoproximity records in {} need one",
            count(groups, "group"),
            count(zones, "zone"),
        );
        let why =
            format!("every client has the same unknown place; the geography is that of {}", self.geography.origin());
        let remedy = "put places.csv or a database into that folder, or name no folder and use the built-in geography";
        problems.push(Problem::error(first.clone(), what, why, remedy).code("no-geography"));
    }
}
