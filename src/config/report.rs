//! The settings of who is told what this server's checkers come to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use toml::de::DeValue;

use super::{OBSERVATION_MAX, Value, Wrong, number, text, wrong};

/// Others who are told; ours.
const RECEIVERS_MAX: usize = 16;

/// Names of checkers are shown in lists; a slash and the name of one of several may follow.
const NAME_MAX: usize = 64;

/// A third of the time for which a receiver believes it by default, so that one may go astray.
const EVERY: Duration = Duration::from_secs(20);

/// Another server that is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is called here.
    pub name: Box<str>,
    /// Its admin port, without a slash at the end.
    pub url: Box<str>,
    /// What this server is called there.
    pub name_there: Box<str>,
    pub token: Option<Token>,
    /// All is told again within this time.
    pub every: Duration,
}

/// Where the bearer token stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Variable(Box<str>),
    File(PathBuf),
}

/// `[report.NAME]` tables.
pub(super) fn reports(value: &Value<'_>, folder: &Path) -> Result<Vec<Report>, Wrong> {
    let DeValue::Table(table) = value.get_ref() else {
        return wrong(value, "receivers are tables, like [report.lima]");
    };
    if table.len() > RECEIVERS_MAX {
        return wrong(value, format!("there are {} receivers, and {RECEIVERS_MAX} at most", table.len()));
    }
    let mut receivers: Vec<_> = table.iter().collect();
    receivers.sort_by_key(|(name, _)| name.span().start);
    receivers.into_iter().map(|(name, value)| report(name.get_ref(), value, folder)).collect()
}

fn report(name: &str, value: &Value<'_>, folder: &Path) -> Result<Report, Wrong> {
    let DeValue::Table(table) = value.get_ref() else {
        return wrong(value, "a receiver is a table, like { url = \"http://192.0.2.1:5380\", as = \"paris\" }");
    };
    let (mut url, mut name_there, mut token, mut every) = (None, None, None, EVERY);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "url" => url = Some(address(value)?),
            "as" => name_there = Some(short(value)?),
            "every_seconds" => every = Duration::from_secs(number(value, 1, OBSERVATION_MAX)? as u64),
            "token_variable" | "token_file" if token.is_some() => {
                return wrong(value, "there are two tokens here, say one");
            }
            "token_variable" => token = Some(Token::Variable(text(value)?.into())),
            "token_file" => token = Some(Token::File(folder.join(text(value)?))),
            other => {
                let what =
                    format!("a receiver has no {other}, only url, as, token_variable or token_file, and every_seconds");
                return Err(Wrong { span: key.span(), what });
            }
        }
    }
    match (url, name_there) {
        (Some(url), Some(name_there)) => Ok(Report { name: name.into(), url, name_there, token, every }),
        (None, _) => wrong(value, "it has no url, so nobody knows where it is"),
        (_, None) => wrong(value, "as is missing, the name under which that one knows this server"),
    }
}

fn short(value: &Value<'_>) -> Result<Box<str>, Wrong> {
    match text(value)? {
        name if name.len() > NAME_MAX => {
            wrong(value, format!("the name has {} bytes, not 1 to {NAME_MAX}", name.len()))
        }
        name => Ok(name.into()),
    }
}

fn address(value: &Value<'_>) -> Result<Box<str>, Wrong> {
    let said = text(value)?;
    let uri = said.parse::<Uri>().ok();
    let authority = uri.as_ref().and_then(Uri::authority).map_or("", |authority| authority.as_str());
    match uri.as_ref().and_then(Uri::scheme_str) {
        Some("http" | "https") if authority.contains('@') => wrong(value, "a password has no place in an address"),
        Some("http" | "https") if !authority.is_empty() && !said.contains('?') => Ok(said.trim_end_matches('/').into()),
        _ => wrong(value, format!("\"{said}\" is not an address of an admin port, like http://192.0.2.1:5380")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Report, Token};
    use crate::config::Config;

    fn read(text: &str) -> (Vec<Report>, Vec<String>) {
        let (config, problems) = Config::read(text, "f", Path::new("/etc"));
        (config.health.reports, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn receivers_are_read() {
        let text = "[report.lima]\nurl = \"http://192.0.2.1:5380/\"\nas = \"paris\"\n\
                    [report.cairo]\nurl = \"https://cairo.example/dns\"\nas = \"p\"\ntoken_file = \"t\"\nevery_seconds = 5\n";
        let (reports, problems) = read(text);
        assert_eq!(problems, [""; 0]);
        let said: Vec<_> = reports.iter().map(|one| (&*one.name, &*one.url, &*one.name_there)).collect();
        assert_eq!(said, [("lima", "http://192.0.2.1:5380", "paris"), ("cairo", "https://cairo.example/dns", "p")]);
        assert_eq!((reports[0].token.clone(), reports[0].every.as_secs()), (None, 20));
        assert_eq!((reports[1].token.clone(), reports[1].every.as_secs()), (Some(Token::File("/etc/t".into())), 5));
    }

    #[test]
    fn receivers_that_cannot_be_are_told() {
        for (text, expected) in [
            ("report = 1", "f:1:10: error: report: receivers are tables, like [report.lima]"),
            ("[report.a]\nas = \"p\"", "f:1:1: error: report: it has no url"),
            ("[report.a]\nurl = \"http://a\"", "f:1:1: error: report: as is missing"),
            ("[report.a]\nurl = \"a:5380\"", "f:2:7: error: report: \"a:5380\" is not an address of an admin port"),
            ("[report.a]\nurl = \"http://u:p@a\"", "f:2:7: error: report: a password has no place"),
            ("[report.a]\ntoken = \"x\"", "f:2:1: error: report: a receiver has no token, only url"),
            ("[report.a]\ntoken_file = \"x\"\ntoken_variable = \"X\"", "report: there are two tokens here"),
            ("[report.a]\nevery_seconds = 0", "f:2:17: error: report: this is not a whole number from 1 to 86400"),
        ] {
            let (_, problems) = read(text);
            assert!(problems.len() == 1 && problems[0].contains(expected), "{text}: {problems:?}");
        }
    }
}
