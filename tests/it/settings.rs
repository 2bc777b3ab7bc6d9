//! Settings as scenarios and golden packets change them: `key=value`, one at a time.

use std::path::Path;

use fingerpost::config::Config;
use fingerpost::policy::Unlisted;
use fingerpost::snapshot::settings::{AnswerOrder, Any, EcsFrom, GeoproximityFormula, Settings};
use fingerpost::wire::cookie::Secrets;

/// The modern profile without what differs from run to run.
pub fn quiet() -> Settings {
    Settings { answer_order: AnswerOrder::Fixed, ..Settings::modern() }
}

pub fn change(settings: &mut Settings, setting: &str) -> Result<(), String> {
    let (key, value) = setting.split_once('=').ok_or_else(|| format!("{setting:?} is not key=value"))?;
    let no = || format!("{key} can't be {value:?}");
    let yes = || value.parse::<bool>().map_err(|_| no());
    match key {
        "profile" => {
            *settings = match value {
                "modern" => quiet(),
                "route53" => Settings { answer_order: AnswerOrder::Fixed, ..Settings::route53() },
                _ => return Err(no()),
            }
        }
        "minimal_responses" => settings.minimal_responses = yes()?,
        "sorted_name_servers" => settings.sorted_name_servers = yes()?,
        "extended_errors" => settings.extended_errors = yes()?,
        "refused_opt" => settings.refused_opt = yes()?,
        "answer_order" => {
            settings.answer_order = match value {
                "random" => AnswerOrder::Random,
                "fixed" => AnswerOrder::Fixed,
                _ => return Err(no()),
            }
        }
        "any" => {
            settings.any = match value {
                "minimal" => Any::Minimal,
                "full" => Any::Full,
                _ => return Err(no()),
            }
        }
        // The secret of RFC 9018's test vectors, and others made of one byte.
        "cookie_secret" => {
            let secret = |text: &str| crate::text::bytes(text)?.try_into().map_err(|_| no());
            let (current, previous) = value.split_once(',').map_or((value, None), |(a, b)| (a, Some(b)));
            let previous = previous.map(secret).transpose()?;
            settings.cookie_secrets = Some(Secrets { current: secret(current)?, previous });
        }
        "nsid" => settings.nsid = Some(value.as_bytes().into()),
        "udp_payload_max" => settings.udp_payload_max = value.parse().map_err(|_| no())?,
        "udp_max_without_cookie" => settings.udp_max_without_cookie = value.parse().map_err(|_| no())?,
        "chaos_version" => settings.chaos_version = (value != "none").then(|| value.into()),
        "chaos_identity" => settings.chaos_identity = (value != "none").then(|| value.into()),
        "tcp_keepalive" => {
            settings.tcp_keepalive = match value {
                "none" => None,
                tenths => Some(tenths.parse().map_err(|_| no())?),
            }
        }
        "ecs_from" => {
            let networks: Result<Vec<_>, _> = value.split(',').map(str::parse).collect();
            settings.ecs_from = match value {
                "everyone" => EcsFrom::Everyone,
                _ => EcsFrom::Networks(networks.map_err(|_| no())?),
            }
        }
        // As fingerpost.toml has them, in one line.
        "access" | "stand_in" => {
            let (config, problems) = Config::read(setting, "setting", Path::new(""));
            if let Some(problem) = problems.iter().next() {
                return Err(problem.to_string());
            }
            match key {
                "access" => settings.access = config.settings.access,
                _ => settings.stand_ins = config.settings.stand_ins,
            }
        }
        "unlisted_location" => {
            settings.unlisted_location = match value {
                "default" => Unlisted::ToDefault,
                "wider" => Unlisted::ToWider,
                _ => return Err(no()),
            }
        }
        "geoproximity_formula" => {
            settings.geoproximity_formula = match value {
                "2026" => GeoproximityFormula::Of2026,
                "2023" => GeoproximityFormula::Of2023,
                _ => return Err(no()),
            }
        }
        _ => return Err(format!("there is no setting {key:?} in scenarios")),
    }
    Ok(())
}
