//! `[stand_in]`: addresses in place of names outside, for a lab.

use std::net::IpAddr;
use std::sync::Arc;

use toml::de::DeValue;

use super::{Value, Wrong, text, wrong};
use crate::snapshot::stand_in::{ADDRESSES_MAX, PATTERNS_MAX, StandIn, StandIns};

pub(super) fn stand_ins(value: &Value<'_>) -> Result<Arc<StandIns>, Wrong> {
    let DeValue::Table(table) = value.get_ref() else {
        return wrong(value, "stand-ins are a table, like { \"*.elb.amazonaws.com\" = [\"192.0.2.200\"] }");
    };
    if table.len() > PATTERNS_MAX {
        return wrong(value, format!("there are {} patterns, and {PATTERNS_MAX} at most", table.len()));
    }
    let mut all = Vec::with_capacity(table.len());
    for (key, value) in table {
        let pattern = key.get_ref().strip_suffix('.').unwrap_or(key.get_ref());
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"*-_.".contains(&byte);
        if pattern.is_empty() || !pattern.bytes().all(is_name) || pattern.split('.').any(str::is_empty) {
            let what = format!("\"{}\" is not a name with * for any letters, like *.example.com", key.get_ref());
            return Err(Wrong { span: key.span(), what });
        }
        let addresses = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(address).collect::<Result<Vec<_>, _>>()?,
            _ => vec![address(value)?],
        };
        if addresses.is_empty() || addresses.len() > ADDRESSES_MAX {
            return wrong(value, format!("there are {} addresses, not 1 to {ADDRESSES_MAX}", addresses.len()));
        }
        all.push(StandIn { pattern: pattern.to_ascii_lowercase().into(), addresses });
    }
    Ok(Arc::new(StandIns::new(all)))
}

fn address(value: &Value<'_>) -> Result<IpAddr, Wrong> {
    let said = text(value)?;
    match said.parse() {
        Ok(address) => Ok(address),
        Err(_) => wrong(value, format!("\"{said}\" is not an address, like 192.0.2.200 or 2001:db8::200")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    #[test]
    fn stand_ins_that_cannot_be_are_told() {
        for (text, expected) in [
            ("stand_in = 1", "f:1:12: error: stand_in: stand-ins are a table"),
            ("[stand_in]\n\"a b\" = \"::1\"", "f:2:1: error: stand_in: \"a b\" is not a name with * for any letters"),
            ("[stand_in]\n\"a..b\" = \"::1\"", "f:2:1: error: stand_in: \"a..b\" is not a name"),
            ("[stand_in]\n\"*\" = []", "f:2:7: error: stand_in: there are 0 addresses, not 1 to 100"),
            ("[stand_in]\n\"*\" = [\"x\"]", "f:2:8: error: stand_in: \"x\" is not an address, like 192.0.2.200"),
        ] {
            let (_, problems) = Config::read(text, "f", Path::new(""));
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            assert!(problems.len() == 1 && problems[0].starts_with(expected), "{text}: {problems:?}");
        }
    }
}
