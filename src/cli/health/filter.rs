//! Which health checks are listed: `--unhealthy`, `--name GLOB`.

use clap::Args;
use fingerpost::glob;
use serde_json::Value;

#[derive(Args, Clone, Debug, Default)]
pub struct Filter {
    /// List unhealthy checks only
    #[arg(long)]
    unhealthy: bool,
    /// List checks whose name or id matches: * is any text, ? is any character, and case is ignored
    #[arg(long, value_name = "GLOB")]
    name: Option<String>,
}

impl Filter {
    pub fn is_none(&self) -> bool {
        !self.unhealthy && self.name.is_none()
    }

    /// What this asks for and the other one too.
    pub fn and(self, other: Filter) -> Filter {
        Filter { unhealthy: self.unhealthy || other.unhealthy, name: other.name.or(self.name) }
    }

    /// The list with the checks that are asked for.
    pub fn of(&self, mut list: Value) -> Value {
        if let Some(checks) = list["health_checks"].as_array_mut() {
            checks.retain(|check| self.takes(check));
        }
        list
    }

    fn takes(&self, check: &Value) -> bool {
        let named = |glob: &str| {
            let texts = [check["name"].as_str(), check["id"].as_str()];
            texts.into_iter().flatten().any(|text| matches(glob, text))
        };
        (!self.unhealthy || check["healthy"] == false) && self.name.as_deref().is_none_or(named)
    }
}

/// Whether a pattern is all of a text: `*` is any text, `?` any one character. Case is ignored.
fn matches(pattern: &str, text: &str) -> bool {
    let [pattern, text] = [pattern, text].map(|text| text.to_lowercase().chars().collect::<Vec<char>>());
    glob::matches(&pattern, &text, '*', Some('?'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (glob, text, fits) in [
            ("orders*", "Orders in Dublin", true),
            ("*dublin", "Orders in Dublin", true),
            ("o?ders*", "orders", true),
            ("orders", "orders in", false),
            ("*a*b*c", "xaxbxc", true),
            ("*a*b*c", "xaxbx", false),
            ("?", "é", true),
            ("?", "", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(glob, text), fits, "{glob} {text}");
        }
    }

    #[test]
    fn the_list_holds_what_is_asked_for() {
        let list = json!({ "health_checks": [
            { "id": "one", "name": "Orders", "healthy": true }, { "id": "two", "name": null, "healthy": false },
            { "id": "three", "name": "Orders", "healthy": false },
        ] });
        let ids = |unhealthy: bool, name: Option<&str>| {
            let shown = Filter { unhealthy, name: name.map(str::to_string) }.of(list.clone());
            let ids = shown["health_checks"].as_array().unwrap().iter().map(|check| check["id"].as_str().unwrap());
            ids.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ids(false, None), "one two three");
        assert_eq!(ids(true, None), "two three");
        assert_eq!(ids(false, Some("ORD*")), "one three");
        assert_eq!(ids(true, Some("t*")), "two three");
        assert_eq!(ids(true, Some("Orders")), "three");
    }
}
