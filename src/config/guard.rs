//! The settings that guard against abuse.

use super::{Setting, Value, Wrong, name_in, networks, number, one_of};
use crate::snapshot::rate_limit::{Kind, Mode, PER_SECOND_MAX, WINDOW_MAX};
use crate::snapshot::settings::UDP_PAYLOAD_ROUTE53;

/// The least that still holds a question, its EDNS and an address.
const UDP_MIN: i64 = 128;

/// One in so many.
const ONE_IN_MAX: i64 = 1000;

#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    setting!("udp_max_without_cookie = 512", |config, value, _| config.settings.udp_max_without_cookie =
        number(value, UDP_MIN, i64::from(UDP_PAYLOAD_ROUTE53))? as u16),
    setting!("rate_limit = \"on\"", |config, value, _| config.settings.rate_limit.mode =
        one_of(value, &[("off", Mode::Off), ("dry-run", Mode::DryRun), ("on", Mode::On)])?),
    setting!("rate_limit_answers = 20", |config, value, _| config.settings.rate_limit.per_second[Kind::Answer as usize] = rate(value)?),
    setting!("rate_limit_referrals = 20", |config, value, _| config.settings.rate_limit.per_second[Kind::Referral as usize] = rate(value)?),
    setting!("rate_limit_no_data = 20", |config, value, _| config.settings.rate_limit.per_second[Kind::NoData as usize] = rate(value)?),
    setting!("rate_limit_no_name = 20", |config, value, _| config.settings.rate_limit.per_second[Kind::NoName as usize] = rate(value)?),
    setting!("rate_limit_errors = 20", |config, value, _| config.settings.rate_limit.per_second[Kind::Error as usize] = rate(value)?),
    setting!("rate_limit_all = 1000", |config, value, _| config.settings.rate_limit.per_second[Kind::All as usize] = rate(value)?),
    setting!("rate_limit_window_seconds = 15", |config, value, _| config.settings.rate_limit.window = number(value, 1, WINDOW_MAX.into())? as u16),
    setting!("rate_limit_slip = 2", |config, value, _| config.settings.rate_limit.slip = number(value, 0, ONE_IN_MAX)? as u16),
    setting!("rate_limit_leak = 0", |config, value, _| config.settings.rate_limit.leak = number(value, 0, ONE_IN_MAX)? as u16),
    setting!("rate_limit_ipv4_prefix = 24", |config, value, _| config.settings.rate_limit.ipv4_prefix = number(value, 0, 32)? as u8),
    setting!("rate_limit_ipv6_prefix = 56", |config, value, _| config.settings.rate_limit.ipv6_prefix = number(value, 0, 64)? as u8),
    setting!("rate_limit_exempt = [\"192.0.2.0/24\"]", |config, value, _| config.settings.rate_limit.exempt = networks(value)?),
];

fn rate(value: &Value<'_>) -> Result<u16, Wrong> {
    Ok(number(value, 0, PER_SECOND_MAX.into())? as u16)
}
