//! What a load remembers, so that the next load reads only what changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::files::{self, Stamp};
use super::passed_over::PassedOver;
use super::{Included, Rules, SHARED_FILES, origin_of};
use crate::model::zone::Visibility;
use crate::model::{Shared, Vpc};
use crate::problem::Problems;
use crate::wire::name::Name;

/// What a load remembers, so that the next one reads only what changed.
#[derive(Clone, Default)]
pub struct Seen {
    /// By file name.
    pub(super) zones: Vec<SeenZone>,
    /// A zone is made of other files than its own, or of what a link leads to: any file may matter to it.
    pub(super) entangled: bool,
    /// Zones have problems with each other, which only all together show.
    pub(super) at_odds: bool,
    pub(super) shared_stamps: Vec<Option<Stamp>>,
    pub(super) shared: Shared,
    pub(super) shared_failed: bool,
    pub(super) shared_problems: Problems,
    pub(super) rules: Rules,
    pub(super) passed_over: PassedOver,
}

/// Kept small: there may be a hundred thousand.
#[derive(Clone)]
pub(super) struct SeenZone {
    /// Its path, which the loaded zone has too; they are all in one folder.
    pub(super) file: Arc<str>,
    pub(super) stamp: Option<Stamp>,
    /// None for a zone that its file's name tells all about and that has no problems.
    pub(super) more: Option<Box<More>>,
}

#[derive(Clone)]
pub(super) struct More {
    pub(super) origin: Name,
    pub(super) visibility: Visibility,
    pub(super) vpcs: Vec<Vpc>,
    pub(super) included: Vec<Included>,
    /// The hosted zone's dump beside it.
    pub(super) hosted_zone: Option<Included>,
    pub(super) problems: Problems,
}

impl Seen {
    /// All that is wrong by now with the shared files and with zones, each by itself.
    pub fn problems(&self) -> Problems {
        let mut problems = self.shared_problems.clone();
        let more = self.zones.iter().filter_map(|zone| zone.more.as_ref());
        more.for_each(|more| problems.append(more.problems.clone()));
        problems.append(self.passed_over.problems.clone());
        problems.sort();
        problems
    }

    /// Which zone it is, by the place of its file's name among the others.
    pub fn zone(&self, place: usize) -> (Name, Visibility) {
        self.zones[place].is()
    }

    /// The files of a zone: its own, and those that its problems stand in.
    pub fn files_of(&self, origin: &Name, visibility: &Visibility) -> BTreeSet<Arc<str>> {
        let mut files = BTreeSet::new();
        for zone in &self.zones {
            let (its, seen_by) = zone.is();
            if its == *origin && seen_by == *visibility {
                files.insert(zone.file.clone());
                let problems = zone.more.iter().flat_map(|more| more.problems.iter());
                files.extend(problems.map(|problem| problem.at.file.clone()));
            }
        }
        files
    }

    /// The zones without errors, by the names of their files.
    pub fn good(&self) -> impl Iterator<Item = Good<'_>> {
        self.zones.iter().filter_map(SeenZone::good)
    }

    /// The zone of a file of this name, if it has no errors.
    pub fn good_one(&self, name: &str) -> Option<Good<'_>> {
        let at = self.zones.binary_search_by(|zone| zone.name().cmp(name)).ok()?;
        self.zones.get(at)?.good()
    }

    /// The shared files and their stamps; none where they have errors.
    pub fn good_shared(&self) -> Option<impl Iterator<Item = (&'static str, Stamp)>> {
        let files = SHARED_FILES.iter().zip(&self.shared_stamps);
        (!self.shared_failed).then(|| files.filter_map(|(name, stamp)| Some((*name, (*stamp)?))))
    }

    /// The zone of a file of this name.
    pub fn named(&self, name: &str) -> (Name, Visibility) {
        let at = self.zones.binary_search_by(|zone| zone.name().cmp(name));
        at.map_or_else(|_| (origin_of(name), Visibility::Public), |at| self.zone(at))
    }

    /// The names of all zone files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.zones.iter().map(SeenZone::name)
    }

    /// The zones that have errors: their files by name, and who they are.
    pub fn failed(&self) -> impl Iterator<Item = (&str, Name, Visibility)> {
        self.zones.iter().filter(|zone| zone.has_errors()).map(|zone| {
            let (origin, visibility) = zone.is();
            (zone.name(), origin, visibility)
        })
    }
}

/// A zone without errors, and the files that it was read from.
#[derive(Clone, Copy)]
pub struct Good<'s> {
    zone: &'s SeenZone,
    pub stamp: Stamp,
}

impl<'s> Good<'s> {
    pub fn name(&self) -> &'s str {
        self.zone.name()
    }

    /// The other files that it was read from: those it includes, and the dump of its hosted zone. A file without a stamp
    /// was looked for and not found.
    pub fn others(&self) -> impl Iterator<Item = &'s Included> {
        self.zone.more.iter().flat_map(|more| more.included.iter().chain(&more.hosted_zone))
    }

    /// Which zone it is.
    pub fn is(&self) -> (Name, Visibility) {
        self.zone.is()
    }
}

impl SeenZone {
    pub(super) fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.problems.errors() > 0)
    }

    pub(super) fn good(&self) -> Option<Good<'_>> {
        self.stamp.filter(|_| !self.has_errors()).map(|stamp| Good { zone: self, stamp })
    }

    /// The VPCs that its file tells of.
    pub(super) fn vpcs(&self) -> &[Vpc] {
        self.more.as_ref().map_or(&[], |more| &more.vpcs)
    }

    /// The stamp of the hosted zone's dump that was read with it.
    pub(super) fn hosted_zone(&self) -> Option<Stamp> {
        self.more.as_ref().and_then(|more| more.hosted_zone.as_ref()?.stamp)
    }

    pub(super) fn includes(&self) -> bool {
        self.more.as_ref().is_some_and(|more| !more.included.is_empty())
    }

    /// Which zone it is.
    pub(super) fn is(&self) -> (Name, Visibility) {
        match &self.more {
            Some(more) => (more.origin.clone(), more.visibility.clone()),
            None => (origin_of(self.name()), Visibility::Public),
        }
    }

    pub(super) fn is_current(&self, stamp: Stamp) -> bool {
        let included = self.more.as_ref().map_or(&[][..], |more| more.included.as_slice());
        self.stamp == Some(stamp) && included.iter().all(|file| files::stamp(&file.wanted) == file.stamp)
    }
}
