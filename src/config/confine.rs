//! The settings of what the process gives up once its ports are bound.

use super::{Setting, boolean, name_in, text};

/// What the process gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confine {
    /// Who it becomes, if it is root.
    pub user: Option<Box<str>>,
    pub landlock: bool,
    pub seccomp: bool,
    pub core_dumps: bool,
}

impl Default for Confine {
    fn default() -> Confine {
        Confine { user: None, landlock: true, seccomp: true, core_dumps: false }
    }
}

#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    setting!(AtStart, "user = \"nobody\"", |config, value, _| config.confine.user = Some(text(value)?.into())),
    setting!(AtStart, "landlock = true", |config, value, _| config.confine.landlock = boolean(value)?),
    setting!(AtStart, "seccomp = true", |config, value, _| config.confine.seccomp = boolean(value)?),
    setting!(AtStart, "core_dumps = false", |config, value, _| config.confine.core_dumps = boolean(value)?),
];
