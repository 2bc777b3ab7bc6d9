//! When a changed setting takes effect, and which settings two files set differently.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeValue;

use super::{Config, settings};

/// When a change of a setting takes effect. Each row of the table of settings has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// As soon as the file is read again (SIGHUP).
    AtOnce,
    /// With the load that follows, unless that is refused.
    AtLoad,
    /// At the next start.
    AtStart,
}

/// What a file says, setting by setting: the value without its place and form.
pub(super) type Said = BTreeMap<&'static str, String>;

impl Config {
    /// Every setting, an example of it, and when a change takes effect.
    pub fn all_settings() -> impl Iterator<Item = (&'static str, &'static str, Effect)> {
        settings().map(|setting| (setting.name, setting.example, setting.effect))
    }

    /// The settings that the file sets otherwise than the file of `before`, in the order of the table.
    pub fn changes(&self, before: &Config) -> Vec<(&'static str, Effect)> {
        let names: BTreeSet<_> = self.said.keys().chain(before.said.keys()).copied().collect();
        let changed = |name: &&str| self.said.get(name) != before.said.get(name);
        Config::all_settings()
            .filter(|(name, ..)| names.get(name).is_some_and(changed))
            .map(|(name, _, effect)| (name, effect))
            .collect()
    }
}

/// A value as text, the same one however it is written.
pub(super) fn plain(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.to_string(),
            Err(_) => number.to_string(),
        },
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| plain(item.get_ref())).collect();
            format!("[{}]", items.join(","))
        }
        DeValue::Table(table) => {
            let fields = table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())));
            let fields: BTreeMap<_, _> = fields.collect();
            format!("{fields:?}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn changes(before: &str, after: &str) -> Vec<&'static str> {
        let read = |text| Config::read(text, "f", Path::new("")).0;
        read(after).changes(&read(before)).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_setting_is_changed_by_its_value_and_not_by_its_place() {
        for (before, after, changed) in [
            ("", "", &[][..]),
            ("workers = 1\nany = \"full\"", "# more\nany = 'full'\nworkers = 0x1", &[]),
            (
                "report = { lima = { url = \"http://a\", as = \"p\" } }",
                "[report.lima]\nas=\"p\"\nurl=\"http://a\"",
                &[],
            ),
            ("", "workers = 1", &["workers"]),
            ("seccomp = false", "", &["seccomp"]),
            ("any = \"full\"\nworkers = 1", "any = \"rfc8482\"\nworkers = 2", &["workers", "any"]),
            ("access = { deny = [\"192.0.2.1\"] }", "access = { deny = [\"192.0.2.2\"] }", &["access"]),
        ] {
            assert_eq!(changes(before, after), changed, "{before} {after}");
        }
    }

    #[test]
    fn the_manual_lists_what_takes_effect_at_the_next_start() {
        let manual = include_str!("../../docs/config.md");
        let (_, list) = manual.split_once("\n## When a change takes effect\n").expect("the section");
        let (list, _) = list.split_once("\n## ").expect("its end");
        let of = |heading: &str| -> BTreeSet<&str> {
            let (_, rest) = list.split_once(heading).expect(heading);
            let rest = rest.split_once("\n\n").map_or(rest, |(rest, _)| rest);
            rest.split('`').skip(1).step_by(2).collect()
        };
        for (heading, effect) in [("- **at the next start**:", Effect::AtStart), ("- **at once**:", Effect::AtOnce)] {
            let listed = of(heading.trim_end());
            let listed: BTreeSet<_> = listed.into_iter().collect();
            let rows: BTreeSet<_> =
                Config::all_settings().filter(|(.., its)| *its == effect).map(|(name, ..)| name).collect();
            assert_eq!(listed, rows, "{heading}");
        }
    }
}
