//! `[access]`: who may ask, by network. Its own rules are the server's; `listener` and `zone` hold those of others.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;

use ipnet::IpNet;
use toml::de::{DeTable, DeValue};

use super::{Value, Wrong, address, networks, one_of, wrong};
use crate::problem::{Problem, Problems, Severity};
use crate::snapshot::Snapshot;
use crate::snapshot::access::{Access, Rules, Treatment};
use crate::wire::name::Name;

/// What to say of rules that are for nobody here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regrets {
    zones: Vec<(Name, Problem)>,
    listeners: Vec<(SocketAddr, Problem)>,
}

impl Regrets {
    /// `problem` makes one of a place in the file, what is wrong and why that matters.
    pub(super) fn new(value: &Value<'_>, problem: impl Fn(Range<usize>, String, &str, &str) -> Problem) -> Regrets {
        let warning =
            |span, what, why, remedy| Problem { severity: Severity::Warning, ..problem(span, what, why, remedy) };
        let mut regrets = Regrets::default();
        for (key, span) in keys(value, "zone") {
            let Ok(zone) = Name::parse_absolute(key) else { continue };
            let what = format!("access: no zone here is called {zone}");
            let told = warning(span, what, "so these rules are for nobody", "name a zone as its file does");
            regrets.zones.push((zone.to_lowercase(), told));
        }
        for (key, span) in keys(value, "listener") {
            let Ok(listener) = address::in_key(key, span.clone()) else { continue };
            let what = format!("access: nothing listens on {listener}");
            let told = warning(span, what, "so these rules are for nobody", "write the address as `listen` does");
            regrets.listeners.push((listener, told));
        }
        regrets
    }

    /// Those that are due while these zones are served at these addresses.
    pub fn due(&self, snapshot: &Snapshot, listeners: &[SocketAddr]) -> Problems {
        let mut problems = Problems::default();
        let zones = self.zones.iter().filter(|(zone, _)| !snapshot.zones.has(zone, &snapshot.key));
        let others = self.listeners.iter().filter(|(listener, _)| !listeners.contains(listener));
        let told = zones.map(|(_, problem)| problem).chain(others.map(|(_, problem)| problem));
        told.for_each(|problem| problems.push(problem.clone()));
        problems
    }
}

fn keys<'v>(value: &'v Value<'_>, table: &str) -> Vec<(&'v str, Range<usize>)> {
    let of = |value: &'v Value<'_>| value.get_ref().as_table();
    let inner = of(value).and_then(|access| access.get(table)).and_then(of);
    inner.map(|inner| inner.keys().map(|key| (key.get_ref().as_ref(), key.span())).collect()).unwrap_or_default()
}

pub(super) fn access(value: &Value<'_>) -> Result<Option<Box<Access>>, Wrong> {
    let table = table(value, "access is a table, like [access]")?;
    let (mut listeners, mut zones, mut named) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "listener" => {
                for (key, value) in
                    self::table(value, "listeners are tables, like [access.listener.\"192.0.2.53:53\"]")?
                {
                    let listener = address::in_key(key.get_ref(), key.span())?;
                    let own = self::table(value, "a listener's rules are a table")?;
                    let rules = rules(own, &["allow", "deny", "denied"], "a listener")?;
                    listeners.push((listener, rules.unwrap_or_else(|| Rules::new(&[], &[], Treatment::Refused))));
                }
            }
            "zone" => {
                for (key, value) in self::table(value, "zones are tables, like [access.zone.\"example.com\"]")? {
                    let zone = Name::parse_absolute(key.get_ref());
                    let zone =
                        zone.map_err(|error| Wrong { span: key.span(), what: format!("{}: {error}", key.get_ref()) })?;
                    let own = self::table(value, "a zone's rules are a table")?;
                    if !named.insert(zone.clone()) {
                        return Err(Wrong { span: key.span(), what: format!("{zone} has rules already") });
                    }
                    // Whoever is kept out of a zone is refused: nothing else would tell a client that it asked in vain.
                    zones.extend(rules(own, &["allow", "deny"], "a zone")?.map(|rules| (zone, rules)));
                }
            }
            _ => {}
        }
    }
    let server = rules(table, &["allow", "deny", "denied", "listener", "zone"], "access")?;
    let any = server.is_some() || !listeners.is_empty() || !zones.is_empty();
    Ok(any.then(|| Box::new(Access::new(server, listeners, zones))))
}

fn table<'v, 'a>(value: &'v Value<'a>, otherwise: &str) -> Result<&'v DeTable<'a>, Wrong> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => wrong(value, otherwise),
    }
}

/// The rules in a table; none where it names no network.
fn rules(table: &DeTable<'_>, known: &[&str], whose: &str) -> Result<Option<Rules>, Wrong> {
    if let Some(key) = table.keys().find(|key| !known.contains(&key.get_ref().as_ref())) {
        let what = format!("{whose} has no {}, only {}", key.get_ref(), known.join(", "));
        return Err(Wrong { span: key.span(), what });
    }
    let listed = |key: &str| match table.get(key) {
        None => Ok(Vec::new()),
        Some(value) => match networks(value)? {
            none if none.is_empty() => wrong(value, format!("{key} names no network; leave it out instead")),
            some => Ok(some),
        },
    };
    let (allow, deny): (Vec<IpNet>, _) = (listed("allow")?, listed("deny")?);
    let denied: BTreeSet<&IpNet> = deny.iter().collect();
    if let Some(both) = allow.iter().find(|network| denied.contains(network))
        && let Some(value) = table.get("deny")
    {
        return wrong(value, format!("{both} is in allow, too"));
    }
    let treatment = match table.get("denied") {
        Some(value) => one_of(value, &[("refuse", Treatment::Refused), ("drop", Treatment::Dropped)])?,
        None => Treatment::default(),
    };
    Ok((!allow.is_empty() || !deny.is_empty()).then(|| Rules::new(&allow, &deny, treatment)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;
    use crate::snapshot::access::{Denied, Treatment, Whose};

    fn read(text: &str) -> (Config, Vec<String>) {
        let (config, problems) = Config::read(text, "f", Path::new(""));
        (config, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn rules_are_read_for_the_server_its_listeners_and_its_zones() {
        let (config, problems) = read(
            "[access]\nallow = [\"192.0.2.0/24\", \"::1\"]\ndenied = \"drop\"\n\
             [access.listener.\"[::1]:53\"]\n[access.zone.\"Example.COM\"]\ndeny = [\"192.0.2.7\"]\n",
        );
        assert_eq!(problems, [""; 0]);
        let access = config.settings.access.expect("rules");
        let dropped = |by| Some(Denied { by, treatment: Treatment::Dropped });
        let client = |text: &str| text.parse().unwrap();
        assert_eq!(access.at_door(client("192.0.3.1"), None), dropped(Whose::Server));
        assert_eq!(access.at_door(client("192.0.2.7"), None), None);
        assert_eq!(access.at_door(client("192.0.3.1"), Some(&"[::1]:53".parse().unwrap())), None);
        let refused = Some(Denied { by: Whose::Zone(0), treatment: Treatment::Refused });
        assert_eq!(access.at_zone(client("192.0.2.7"), b"\x07example\x03com\0"), refused);
        assert_eq!(access.title(Whose::Zone(0)), "access.zone.\"example.com\"");
        for nothing in ["", "[access]\n", "[access]\ndenied = \"drop\"\n", "[access.zone.a]\n"] {
            assert_eq!(read(nothing).0.settings.access, None, "{nothing}");
        }
    }

    #[test]
    fn rules_that_cannot_be_are_told() {
        for (text, expected) in [
            ("access = 1", "f:1:10: error: access: access is a table, like [access]"),
            (
                "[access]\nalow = []",
                "f:2:1: error: access: access has no alow, only allow, deny, denied, listener, zone",
            ),
            ("[access]\nallow = []", "f:2:9: error: access: allow names no network; leave it out instead"),
            (
                "[access]\nallow = [\"192.0.2\"]",
                "f:2:10: error: access: \"192.0.2\" is not a network, like 192.0.2.0/24",
            ),
            (
                "[access]\nallow = [\"192.0.2.0/24\"]\ndeny = [\"192.0.2.1/24\"]",
                "f:3:8: error: access: 192.0.2.0/24 is in allow, too",
            ),
            ("[access]\ndenied = \"no\"", "f:2:10: error: access: \"no\" is not refuse or drop"),
            (
                "[access.listener.here]\n",
                "f:1:18: error: access: \"here\" is not an address and port, like 192.0.2.1:53, [2001:db8::1]:53, localhost:53 or :53",
            ),
            ("[access.zone.\"a..b\"]\n", "f:1:14: error: access: a..b: "),
            ("[access.zone.a]\ndenied = \"drop\"", "f:2:1: error: access: a zone has no denied, only allow, deny"),
            (
                "[access.zone.a]\ndeny = [\"192.0.2.1\"]\n[access.zone.A]\n",
                "f:1:14: error: access: a. has rules already",
            ),
        ] {
            let (_, problems) = read(text);
            assert!(problems.len() == 1 && problems[0].starts_with(expected), "{text}: {problems:?}");
        }
    }
}
