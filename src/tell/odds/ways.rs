//! The ways that the choices behind an answer can fall, as a graph. A choice that several ways lead to stands in it once,
//! so the ways are never counted one by one.

use std::collections::BTreeMap;

use super::{TooMuch, Work, choice};
use crate::answer::{Answer, Chooser, Item, Junction, NameAt, Upstream};
use crate::dice::odds::Share;
use crate::policy::{Choice, MemberSet, Policy, Seen};
use crate::snapshot::zones::ZoneNumber;

/// The graph. Its nodes are choices, its ends are answers.
#[derive(Default)]
pub struct Ways {
    nodes: Vec<Node>,
    /// The nodes; each stands behind all those that it leads to.
    finished: Vec<usize>,
    root: Option<Next>,
}

struct Node {
    choices: Vec<(Choice, Share)>,
    /// What each choice leads to.
    next: Vec<Next>,
}

#[derive(Clone, Copy)]
enum Next {
    Node(usize),
    End(usize),
}

impl Ways {
    /// Explores the graph. `play` lets the chooser decide one whole answer; `end` numbers the answer that it came to.
    pub fn explore(
        work: &mut Work<'_>,
        mut play: impl FnMut(&mut Player, &mut Answer),
        mut end: impl FnMut(&Answer, &mut Work<'_>) -> Result<usize, TooMuch>,
    ) -> Result<Ways, TooMuch> {
        let mut player = Player::default();
        let mut found = Answer::new();
        let (mut finished, mut root) = (Vec::new(), None);
        while root.is_none() {
            player.begin();
            play(&mut player, &mut found);
            work.spend(1)?;
            let next = match player.known_from_here {
                Some(node) => Next::Node(node),
                None => Next::End(end(&found, work)?),
            };
            root = player.settle(next, &mut finished);
        }
        Ok(Ways { nodes: player.nodes, finished, root })
    }

    /// How likely each of so many ends is.
    pub fn shares(&self, ends: usize) -> Option<Vec<Share>> {
        let mut of_nodes = vec![Share::ZERO; self.nodes.len()];
        let mut of_ends = vec![Share::ZERO; ends];
        let mut add = |of_nodes: &mut Vec<Share>, next: Next, share: Share| {
            let sum = match next {
                Next::Node(node) => of_nodes.get_mut(node)?,
                Next::End(end) => of_ends.get_mut(end)?,
            };
            *sum = sum.plus(share)?;
            Some(())
        };
        add(&mut of_nodes, self.root?, Share::ONE)?;
        for &number in self.finished.iter().rev() {
            let node = self.nodes.get(number)?;
            let reached = *of_nodes.get(number)?;
            for (&(_, share), &next) in node.choices.iter().zip(&node.next) {
                add(&mut of_nodes, next, reached.times(share)?)?;
            }
        }
        Some(of_ends)
    }
}

/// All that the rest of an answer depends on, where a choice is due.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    zone: ZoneNumber,
    group: u32,
    level: usize,
    chased: Option<NameAt>,
    items: Vec<Item>,
    names: Vec<u8>,
    upstream: Option<Upstream>,
}

impl Place {
    fn of(at: &Junction<'_>) -> Place {
        Place {
            zone: at.zone,
            group: at.group,
            level: at.level,
            chased: at.chased,
            items: at.answer.items.clone(),
            names: at.answer.names().to_vec(),
            upstream: at.answer.upstream,
        }
    }
}

/// Decides each choice so that the whole graph is seen: the last one moves first, and what is known is not seen twice.
#[derive(Default)]
pub struct Player {
    nodes: Vec<Node>,
    known: BTreeMap<Place, usize>,
    /// The nodes from the first to the one that moves.
    path: Vec<usize>,
    position: usize,
    /// The choice that comes next, where the path ends before it.
    arrived: Option<Place>,
    /// The node at which everything that follows was known; nothing that is chosen after that counts.
    known_from_here: Option<usize>,
}

impl Player {
    fn begin(&mut self) {
        self.position = 0;
        self.known_from_here = None;
    }

    /// Notes what the choices just made lead to, and moves on. Returns what the first choice leads to after the last.
    fn settle(&mut self, mut next: Next, finished: &mut Vec<usize>) -> Option<Next> {
        while let Some(&number) = self.path.last() {
            let node = self.nodes.get_mut(number)?;
            node.next.push(next);
            if node.next.len() < node.choices.len() {
                return None;
            }
            self.path.pop();
            finished.push(number);
            next = Next::Node(number);
        }
        Some(next)
    }
}

impl Chooser for Player {
    fn arrive(&mut self, at: &Junction<'_>) {
        if self.position == self.path.len() && self.known_from_here.is_none() {
            self.arrived = Some(Place::of(at));
        }
    }

    fn choose(&mut self, policy: &Policy, healthy: MemberSet, seen: &Seen<'_>) -> Choice {
        if self.known_from_here.is_some() {
            return Choice::Nobody;
        }
        if let Some(place) = self.arrived.take() {
            if let Some(&node) = self.known.get(&place) {
                self.known_from_here = Some(node);
                return Choice::Nobody;
            }
            self.known.insert(place, self.nodes.len());
            self.path.push(self.nodes.len());
            self.nodes.push(Node { choices: choices(policy, healthy, seen), next: Vec::new() });
        }
        let node = self.path.get(self.position).and_then(|&number| self.nodes.get(number));
        self.position += 1;
        node.and_then(|node| node.choices.get(node.next.len())).map_or(Choice::Nobody, |&(choice, _)| choice)
    }

    fn spin(&mut self) -> u32 {
        0
    }
}

fn choices(policy: &Policy, healthy: MemberSet, seen: &Seen<'_>) -> Vec<(Choice, Share)> {
    let odds = policy.odds(healthy, seen);
    let several = matches!(policy, Policy::Multivalue(_));
    match odds.choices {
        Some(choices) if choices.is_empty() => vec![(Choice::Nobody, Share::ONE)],
        Some(choices) => choices.into_iter().map(|(members, share)| (choice(members, several), share)).collect(),
        // All members are played together; the ledger counts how likely each one is to be drawn.
        None => {
            let all = odds.members.iter().map(|&(member, _)| member).collect();
            vec![(Choice::Several(all), Share::ONE)]
        }
    }
}
