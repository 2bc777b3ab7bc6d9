//! Settings from the environment: `FINGERPOST_LISTEN` is `listen`, and wins over the file.

use std::borrow::Cow;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Config, Setting, Token, Value, Wrong, settings};
use crate::problem::{At, Problem, Problems, nearest};

/// What the names of all variables of ours begin with.
pub const PREFIX: &str = "FINGERPOST_";

/// Variables that are no settings: the token of the admin port.
const OTHERS: [&str; 1] = ["FINGERPOST_ADMIN_TOKEN"];

/// `human` and `json` are the setting `log`; any other value says which lines are logged.
const LOG: &str = "FINGERPOST_LOG";

/// A variable whose name begins with `PREFIX`. The value is none where it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub value: Option<String>,
}

/// The profile that the environment names.
pub(super) fn profile(variables: &[Variable]) -> Option<&str> {
    variables.iter().find(|one| one.name == "FINGERPOST_PROFILE")?.value.as_deref()
}

/// Applies all variables. A value that can't be is an error, and an unknown name a warning.
pub(super) fn apply(config: &mut Config, variables: &[Variable], problems: &mut Problems) {
    for variable in variables {
        let name = &*variable.name;
        let log_filter = name == LOG && !matches!(variable.value.as_deref(), Some("human" | "json"));
        if OTHERS.contains(&name) || log_filter {
            continue;
        }
        let Some(setting) = settings().find(|setting| name_of(setting) == name) else {
            if !is_token(config, name) {
                problems.push(unknown(name));
            }
            continue;
        };
        let Some(text) = &variable.value else {
            problems.push(wrong(setting, "", "its value is not UTF-8".into()));
            continue;
        };
        let read = read(setting, config, text);
        // The file's value, if there is one, changes nothing.
        config.said.insert(setting.name, format!("{PREFIX}={text}"));
        if let Err(what) = read {
            problems.push(wrong(setting, text, what));
        } else if setting.name == "access" {
            // They are about the file's table.
            config.regrets = super::Regrets::default();
        }
    }
}

/// Whether a receiver's token stands there.
fn is_token(config: &Config, name: &str) -> bool {
    let mut tokens = config.health.reports.iter().filter_map(|report| report.token.as_ref());
    tokens.any(|token| matches!(token, Token::Variable(variable) if **variable == *name))
}

fn name_of(setting: &Setting) -> String {
    format!("{PREFIX}{}", setting.name.to_ascii_uppercase())
}

fn at(length: usize) -> At {
    At { file: "environment".into(), line: 1, column: 1, length: length as u32 }
}

fn wrong(setting: &Setting, text: &str, what: String) -> Problem {
    let name = name_of(setting);
    let remedy = format!("write for example {name}={}", example(setting));
    Problem::error(at(text.chars().count()), format!("{name}: {what}"), "", remedy).excerpt(text)
}

fn unknown(name: &str) -> Problem {
    let bare = |name: &'static str| name.strip_prefix(PREFIX).unwrap_or(name);
    let known = settings().map(|setting| setting.name).chain(OTHERS.map(bare));
    let remedy = match nearest(name.strip_prefix(PREFIX).unwrap_or(name), known) {
        Some(known) => format!("did you mean {PREFIX}{}?", known.to_ascii_uppercase()),
        None => {
            format!("docs/config.md lists the settings; {PREFIX} and a setting's name in upper case is its variable")
        }
    };
    Problem::warning(at(name.len()), format!("{name} is no setting"), "so it changes nothing", remedy).excerpt(name)
}

/// A setting's example as the environment writes it: lists with commas, and no quotes outside of tables.
fn example(setting: &Setting) -> String {
    let value = setting.example.split_once(" = ").map_or("", |(_, value)| value);
    if value.starts_with('{') {
        return format!("'{value}'");
    }
    value.trim_matches(['[', ']']).replace("\", \"", ",").replace('"', "")
}

/// Reads a text as whatever the setting takes: a number or a word as TOML has them, a text, a list with commas.
fn read(setting: &Setting, config: &mut Config, text: &str) -> Result<(), String> {
    // Paths begin where the server starts.
    let mut apply = |value: &Value<'_>| (setting.read)(config, value, Path::new("")).map_err(|Wrong { what, .. }| what);
    let as_toml = format!("value = {text}");
    if let Ok(table) = DeTable::parse(&as_toml)
        && let Some(value) = table.get_ref().get("value")
        && !matches!(value.get_ref(), DeValue::String(_))
        && apply(value).is_ok()
    {
        return Ok(());
    }
    let string = |text| Spanned::new(0..0, DeValue::String(Cow::Borrowed(text)));
    let Err(as_text) = apply(&string(text)) else { return Ok(()) };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(string);
    match apply(&Spanned::new(0..0, DeValue::Array(parts.collect()))) {
        Ok(()) => Ok(()),
        Err(as_list) if setting.example.contains(" = [") => Err(as_list),
        Err(_) => Err(as_text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> (Config, Vec<String>) {
        let variable = |&(name, value): &(&str, &str)| Variable { name: name.into(), value: Some(value.into()) };
        let variables: Vec<_> = variables.iter().map(variable).collect();
        let (config, problems) = Config::read_with(text, "f", Path::new("/etc"), &variables);
        (config, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_setting_can_stand_in_the_environment() {
        for setting in settings() {
            let text = example(setting);
            let (mut by_variable, problems) = read("", &[(&name_of(setting), text.trim_matches('\''))]);
            assert_eq!(problems, [""; 0], "{}", setting.name);
            // Each is known by its own text.
            by_variable.said.clear();
            let (mut by_file, _) = Config::read(setting.example, "f", Path::new(""));
            by_file.said.clear();
            if setting.name == "access" {
                by_file.regrets = Default::default();
            }
            assert_eq!(by_variable, by_file, "{}", setting.name);
        }
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = "profile = \"modern\"\nworkers = 2\nzones = \"z\"\nlisten = \"192.0.2.1\"\nnsid = true\n";
        let (config, problems) = read(
            file,
            &[
                ("FINGERPOST_PROFILE", "route53"),
                ("FINGERPOST_WORKERS", "3"),
                ("FINGERPOST_GATE_RELOAD", "true"),
                ("FINGERPOST_LISTEN", "127.0.0.1:5300, [::1]"),
                ("FINGERPOST_NSID", "7"),
                ("FINGERPOST_LOG", "json"),
                ("FINGERPOST_ECS_FROM", "everyone"),
                ("FINGERPOST_ADMIN_TOKEN", "no setting"),
            ],
        );
        assert_eq!(problems, [""; 0]);
        assert_eq!((config.workers, config.gate_reload, config.cookies), (Some(3), true, false));
        let listen = config.listen.unwrap_or_default();
        assert_eq!(listen.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1:5300", "[::1]:53"]);
        assert_eq!(config.zones.as_deref(), Some(Path::new("/etc/z")));
        assert_eq!(config.nsid, crate::config::Identity::Text("7".into()));
        assert_eq!(config.log, crate::config::Log::Json);
        // Paths of the environment begin at the current folder.
        let (config, _) = read(file, &[("FINGERPOST_ZONES", "mine"), ("FINGERPOST_LOG", "debug")]);
        assert_eq!((config.zones.as_deref(), config.log), (Some(Path::new("mine")), crate::config::Log::Human));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_the_variable_s_name() {
        for (name, value, expected) in [
            (
                "FINGERPOST_WORKERS",
                "many",
                "FINGERPOST_WORKERS: this is not a whole number from 1 to 1024, write for example FINGERPOST_WORKERS=4",
            ),
            (
                "FINGERPOST_GATE_RELOAD",
                "yes",
                "FINGERPOST_GATE_RELOAD: this is neither true nor false, write for example",
            ),
            ("FINGERPOST_ZONES", "", "FINGERPOST_ZONES: this is empty, write for example FINGERPOST_ZONES=zones"),
            (
                "FINGERPOST_LISTEN",
                "127.0.0.1,x",
                "FINGERPOST_LISTEN: \"x\" is not an address and port, like 192.0.2.1:53, [2001:db8::1]:53, localhost:53 \
                 or :53, write for example FINGERPOST_LISTEN=127.0.0.1:5300,[::1]:5300",
            ),
            (
                "FINGERPOST_WORKER",
                "4",
                "warning: FINGERPOST_WORKER is no setting, so it changes nothing, did you mean FINGERPOST_WORKERS?",
            ),
            (
                "FINGERPOST_XYZZY_PLUGH",
                "4",
                "warning: FINGERPOST_XYZZY_PLUGH is no setting, so it changes nothing, docs/config.md",
            ),
        ] {
            let (_, problems) = read("", &[(name, value)]);
            let word = if expected.starts_with("warning: ") { "" } else { "error: " };
            let expected = format!("environment:1:1: {word}{expected}");
            assert!(problems.len() == 1 && problems[0].starts_with(&expected), "{problems:?}");
        }
        let receiver = "[report.a]\nurl = \"http://a\"\nas = \"b\"\ntoken_variable = \"FINGERPOST_TOKEN_OF_A\"";
        assert_eq!(read(receiver, &[("FINGERPOST_TOKEN_OF_A", "x")]).1, [""; 0]);
    }
}
