//! Groups: the record sets of one name and type that a policy chooses from.

use std::sync::Arc;

use super::image::{NodeAt, SetAt};
use crate::model::Id;
use crate::model::record_set::Routing;
use crate::problem::At;
use crate::wire::name::Name;
use crate::wire::rtype::Type;

/// All record sets of one name and type. What they were said to be; the policy made of it is the fold's.
pub struct Group {
    pub node: NodeAt,
    pub rtype: Type,
    pub members: Box<[Alternative]>,
}

/// One record set of a group: a member, as the policy counts them.
pub struct Alternative {
    pub identifier: Option<Id>,
    pub routing: Routing,
    pub health_check: Option<Id>,
    pub body: Body,
    pub at: At,
}

pub enum Body {
    /// Rendered records of its own.
    Set(SetAt),
    Alias {
        target: Target,
        evaluate_target_health: bool,
    },
}

/// Where an alias leads.
#[derive(Clone)]
pub enum Target {
    /// A node of the same zone.
    Here(NodeAt),
    /// A name of the same zone that has no records.
    Missing(Arc<Name>),
    /// A name outside the zone.
    Elsewhere(Arc<Name>),
}

impl Group {
    /// The policy's word, in zone files and in `explain`.
    pub fn policy_word(&self) -> &'static str {
        self.members.first().map_or("simple", |member| member.routing.word())
    }
}

impl Alternative {
    /// The identifier, or what stands for it where there is none.
    pub fn label(&self) -> &str {
        self.identifier.as_deref().unwrap_or("-")
    }

    /// What its health follows: the target of an alias that evaluates it.
    pub fn followed(&self) -> Option<&Target> {
        match &self.body {
            Body::Alias { target, evaluate_target_health: true } => Some(target),
            _ => None,
        }
    }
}
