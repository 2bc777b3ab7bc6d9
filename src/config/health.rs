//! The settings of health checks.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use toml::de::DeValue;

use super::{Report, Value, Wrong, text, wrong};
use crate::control;
use crate::health::checker::{Checker, LOCAL_CHECKERS_MAX};

/// Names of checkers are shown in lists.
const NAME_MAX: usize = 64;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    pub control: control::Settings,
    /// Whether certificates must be valid where the check says nothing of it.
    pub validate_certificates: bool,
    /// Whether a name without an IPv4 address is looked up in IPv6.
    pub ipv6: bool,
    /// Who is asked about names; nobody: whom the machine asks.
    pub resolvers: Vec<SocketAddr>,
    /// Who is told what the checkers come to.
    pub reports: Vec<Report>,
}

/// `[checker.NAME]` tables, each with a `source`: an address, or one of each family.
pub(super) fn checkers(value: &Value<'_>) -> Result<Vec<Arc<Checker>>, Wrong> {
    let DeValue::Table(table) = value.get_ref() else {
        return wrong(value, "checkers are tables, like [checker.paris]");
    };
    if table.is_empty() || table.len() > LOCAL_CHECKERS_MAX {
        return wrong(value, format!("there are {} checkers, not 1 to {LOCAL_CHECKERS_MAX}", table.len()));
    }
    let mut checkers: Vec<_> = table.iter().collect();
    checkers.sort_by_key(|(name, _)| name.span().start);
    checkers.into_iter().map(|(name, value)| checker(name.get_ref(), value).map(Arc::new)).collect()
}

fn checker(name: &str, value: &Value<'_>) -> Result<Checker, Wrong> {
    if name.is_empty() || name.len() > NAME_MAX {
        return wrong(value, format!("{name:?} has {} bytes, not 1 to {NAME_MAX}", name.len()));
    }
    let DeValue::Table(table) = value.get_ref() else {
        return wrong(value, "a checker is a table, like { source = \"127.0.0.2\" }");
    };
    let mut checker = Checker { name: name.into(), ipv4: None, ipv6: None };
    for (key, value) in table {
        if key.get_ref() != "source" {
            return Err(Wrong { span: key.span(), what: format!("a checker has no {}, only source", key.get_ref()) });
        }
        match value.get_ref() {
            DeValue::Array(items) => items.iter().try_for_each(|item| source(&mut checker, item))?,
            _ => source(&mut checker, value)?,
        }
    }
    Ok(checker)
}

fn source(checker: &mut Checker, value: &Value<'_>) -> Result<(), Wrong> {
    let said = text(value)?;
    let taken = match said.parse() {
        Ok(IpAddr::V4(address)) => checker.ipv4.replace(address).is_some(),
        Ok(IpAddr::V6(address)) => checker.ipv6.replace(address).is_some(),
        Err(_) => return wrong(value, format!("\"{said}\" is not an address, like 127.0.0.2 or ::1")),
    };
    if taken { wrong(value, "a checker has one address of each family") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn read(text: &str) -> (Config, Vec<String>) {
        let (config, problems) = Config::read(text, "f", Path::new(""));
        (config, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn checkers_stand_in_the_order_of_the_file() {
        let text = "[checker.tokyo]\nsource = \"127.0.0.2\"\n[checker.paris]\nsource = [\"127.0.0.3\", \"::1\"]\n[checker.any]\n";
        let (config, problems) = read(text);
        assert_eq!(problems, [""; 0]);
        let checkers = config.health.control.checkers.iter();
        let said: Vec<_> =
            checkers.map(|one| format!("{} {:?}", one.name, one.sources().collect::<Vec<_>>())).collect();
        assert_eq!(said, ["tokyo [127.0.0.2]", "paris [127.0.0.3, ::1]", "any []"]);
        let said: Vec<_> = Config::modern().health.control.checkers.iter().map(|one| one.name.clone()).collect();
        assert_eq!(said, ["local".into()]);
    }

    #[test]
    fn checkers_that_cannot_be_are_told() {
        for (text, expected) in [
            ("checker = 1", "f:1:11: error: checker: checkers are tables, like [checker.paris]"),
            ("checker = {}", "f:1:11: error: checker: there are 0 checkers, not 1 to 16"),
            ("[checker.a]\nsauce = \"::1\"", "f:2:1: error: checker: a checker has no sauce, only source"),
            ("[checker.a]\nsource = \"x\"", "f:2:10: error: checker: \"x\" is not an address, like 127.0.0.2 or ::1"),
            (
                "[checker.a]\nsource = [\"::1\", \"::2\"]",
                "f:2:18: error: checker: a checker has one address of each family",
            ),
            ("checker = { a = 1 }", "f:1:17: error: checker: a checker is a table, like { source = \"127.0.0.2\" }"),
        ] {
            let (_, problems) = read(text);
            assert!(problems.len() == 1 && problems[0].starts_with(expected), "{text}: {problems:?}");
        }
    }
}
