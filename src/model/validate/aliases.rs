//! Where aliases lead: targets that must be there, circles, and trees that are too deep.

use super::{Checker, Group};
use crate::model::record_set::{Body, RecordSet};
use crate::wire::name;
use crate::wire::rtype::Type;

/// Ours: so many aliases are followed for one answer. Route 53 documents three.
pub const ALIAS_DEPTH_MAX: usize = 8;

/// How far a walk through the aliases has come with a group.
#[derive(Clone, Copy)]
enum Walked {
    No,
    /// Its aliases are being followed: to meet it again is a circle.
    Within,
    /// So many aliases lie below it.
    Done(usize),
}

impl<'c> Checker<'c> {
    pub(super) fn aliases(&mut self) {
        let groups = self.groups;
        for set in groups.all.iter().flat_map(|group| &group.members) {
            self.target(set);
        }
        let mut walked = vec![Walked::No; groups.all.len()];
        for start in 0..groups.all.len() {
            if matches!(walked[start], Walked::No) {
                self.walk(start, &mut walked);
            }
        }
    }

    /// The target of an alias into this zone must be there, with the alias's type.
    fn target(&mut self, set: &RecordSet) {
        let Body::Alias(alias) = &set.body else { return };
        if !alias.name.is_under(&self.zone.origin) || self.groups.group(&alias.name, set.rtype).is_some() {
            return;
        }
        let plain = self.groups.plain(alias.name.wire());
        if plain.iter().any(|(rtype, _)| *rtype == set.rtype) || self.is_delegated(alias.name.wire()) {
            return;
        }
        let what =
            format!("the alias {} {} leads to {} {}, which is not there", set.name, set.rtype, alias.name, set.rtype);
        let mut others: Vec<Type> = plain.iter().map(|(rtype, _)| *rtype).collect();
        others.extend(self.groups.all.iter().filter(|group| *group.name == alias.name).map(|group| group.rtype));
        others.sort_unstable();
        let (why, remedy) = match others.as_slice() {
            [] => (
                "an alias into its own zone needs a record there".to_string(),
                format!("add {} {}", alias.name, set.rtype),
            ),
            others => {
                let types = others.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
                let why = format!("{} has {types} only, and an alias's target has the alias's type", alias.name);
                (why, "correct the alias's type or its target".to_string())
            }
        };
        self.error(&set.at, what, why, remedy);
    }

    /// Whether the name belongs to another zone, delegated away from this one.
    fn is_delegated(&self, wire: &[u8]) -> bool {
        let top = self.zone.origin.wire().len();
        let mut above = Some(wire);
        while let Some(at) = above.filter(|at| at.len() > top) {
            if self.groups.plain(at).iter().any(|(rtype, _)| *rtype == Type::NS) {
                return true;
            }
            above = name::parent(at);
        }
        false
    }

    /// The groups of this zone that a group's aliases lead to.
    fn next(&self, group: &Group<'c>, member: usize) -> Option<(usize, Option<usize>)> {
        let (at, alias) = group.members.iter().enumerate().skip(member).find_map(|(at, set)| match &set.body {
            Body::Alias(alias) => Some((at, alias)),
            Body::Values { .. } => None,
        })?;
        Some((at + 1, self.groups.group(&alias.name, group.rtype)))
    }

    /// Follows all aliases from a group, without recursion: how deep they go is the file's choice.
    fn walk(&mut self, start: usize, walked: &mut [Walked]) {
        let groups = self.groups;
        // Groups on the way, each with the member to look at next and the depth found below it.
        let mut way: Vec<(usize, usize, usize)> = vec![(start, 0, 0)];
        walked[start] = Walked::Within;
        while let Some(&mut (at, ref mut member, ref mut depth)) = way.last_mut() {
            match self.next(&groups.all[at], *member) {
                Some((following, target)) => {
                    *member = following;
                    *depth = (*depth).max(1);
                    let Some(target) = target else { continue };
                    match walked[target] {
                        Walked::No => {
                            walked[target] = Walked::Within;
                            way.push((target, 0, 0));
                        }
                        Walked::Done(below) => *depth = (*depth).max(below + 1),
                        Walked::Within => {
                            let from = way.iter().position(|(group, ..)| *group == target).unwrap_or_default();
                            let path: Vec<usize> =
                                way[from..].iter().map(|(group, ..)| *group).chain([target]).collect();
                            self.circle(&path, following - 1);
                        }
                    }
                }
                None => {
                    let depth = *depth;
                    walked[at] = Walked::Done(depth);
                    way.pop();
                    if let Some((_, _, above)) = way.last_mut() {
                        *above = (*above).max(depth + 1);
                    }
                    if depth == ALIAS_DEPTH_MAX + 1 {
                        self.too_deep(at, walked);
                    }
                }
            }
        }
    }

    fn circle(&mut self, path: &[usize], member: usize) {
        let [.., last, _] = path else { return };
        let Some(set) = self.groups.all[*last].members.get(member) else { return };
        let what = format!("aliases lead in a circle: {}", self.path(path));
        let at = &set.at;
        self.error(at, what, "no query would find an end", "let one of them lead elsewhere");
    }

    fn too_deep(&mut self, top: usize, walked: &[Walked]) {
        let mut path = vec![top];
        let mut at = top;
        while let Walked::Done(depth @ 1..) = walked[at] {
            let group = &self.groups.all[at];
            let below = group.members.iter().filter_map(|set| match &set.body {
                Body::Alias(alias) => self.groups.group(&alias.name, group.rtype),
                Body::Values { .. } => None,
            });
            let deepest =
                below.into_iter().find(|&next| matches!(walked[next], Walked::Done(below) if below + 1 == depth));
            let Some(next) = deepest else { break };
            path.push(next);
            at = next;
        }
        let what = format!("aliases lie too deep: {}", self.path(&path));
        let why = format!("{ALIAS_DEPTH_MAX} are followed for one answer; Route 53 documents three");
        if let Some(set) = self.groups.all[top].members.iter().find(|set| matches!(set.body, Body::Alias(_))) {
            let at = &set.at;
            self.error(at, what, why, "let the first lead to a later one");
        }
    }

    fn path(&self, path: &[usize]) -> String {
        /// A circle of thousands is told by its ends.
        const SHOWN_MAX: usize = 20;
        let name = |&at: &usize| format!("{} {}", self.groups.all[at].name, self.groups.all[at].rtype);
        let shown: Vec<String> = if path.len() > SHOWN_MAX {
            let (front, back) = (&path[..SHOWN_MAX / 2], &path[path.len() - SHOWN_MAX / 2..]);
            front.iter().map(name).chain(["…".to_string()]).chain(back.iter().map(name)).collect()
        } else {
            path.iter().map(name).collect()
        };
        shown.join(" -> ")
    }
}
