//! What cannot be done, and why.

use std::fmt;

use super::TEXT_MAX;
use super::kept::SAID_MAX;
use crate::health::tracker::CHECKERS_MAX;
use crate::health::verdicts::UnknownCheck;
use crate::model::Id;

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Unknown(UnknownCheck),
    /// The check is of another type than this is for.
    Type {
        id: Id,
        is: &'static str,
        wanted: &'static str,
    },
    TextTooLong,
    TooManyCheckers,
    /// What was said before takes all the room there is.
    Full,
    /// The metric follows a query.
    Follows(Id),
    /// A checker of this server has this name.
    OwnChecker(Id),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Unknown(unknown) => unknown.fmt(f),
            Refused::Type { id, is, wanted } => {
                write!(f, "health check {id:?} is of type {is}, and this is for {wanted}")
            }
            Refused::TextTooLong => write!(f, "a reason or a checker's name has at most {TEXT_MAX} bytes"),
            Refused::TooManyCheckers => write!(f, "{CHECKERS_MAX} other checkers speak for this check already"),
            Refused::Full => write!(
                f,
                "{SAID_MAX} bytes of forced states, switches and alarms are kept already; set some that are not needed \
                 to auto"
            ),
            Refused::Follows(id) => {
                write!(f, "health check {id:?} follows a Prometheus query; force it, or take the query away")
            }
            Refused::OwnChecker(name) => {
                write!(f, "{name:?} is a checker of this server; the other needs another name")
            }
        }
    }
}

impl std::error::Error for Refused {}
