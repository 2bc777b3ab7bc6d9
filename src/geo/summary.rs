//! What a geography was made from, in a line.

use super::geography::Geography;
use crate::moment::rfc3339;

const DAY: u64 = 86_400;

/// The times of the oldest and the newest database, in seconds since 1970.
pub type Built = (u64, u64);

impl Geography {
    /// When the oldest and the newest database were made. None without a database that says so.
    pub fn built(&self) -> Option<Built> {
        let times = || self.databases.iter().map(|database| database.built).filter(|&built| built > 0);
        times().min().zip(times().max())
    }

    /// The age of the databases at a time, in seconds since 1970: `182 days`, or `30 to 182 days`.
    pub fn age(&self, now: u64) -> Option<String> {
        let days = |built: u64| now.saturating_sub(built) / DAY;
        let (oldest, newest) = self.built()?;
        Some(match (days(newest), days(oldest)) {
            (1, 1) => "1 day".to_string(),
            (newest, oldest) if newest == oldest => format!("{oldest} days"),
            (newest, oldest) => format!("{newest} to {oldest} days"),
        })
    }

    /// Where its files come from, how many networks and databases there are, and how old those are.
    pub fn summary(&self, now: u64) -> String {
        let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let (networks, databases) = (count(self.networks, "network"), count(self.databases.len(), "database"));
        let date = |built: u64| rfc3339(built.saturating_mul(1000)).chars().take(10).collect::<String>();
        let made = self.built().map(|(oldest, newest)| match date(oldest) == date(newest) {
            true => format!(" of {}", date(oldest)),
            false => format!(" of {} to {}", date(oldest), date(newest)),
        });
        let age = self.age(now).map(|age| format!(" ({age} old)"));
        let mut titles: Vec<&str> = self.databases.iter().filter_map(|database| database.title.as_deref()).collect();
        titles.dedup();
        let titles = if titles.is_empty() { String::new() } else { format!(": {}", titles.join("; ")) };
        let (made, age) = (made.unwrap_or_default(), age.unwrap_or_default());
        format!("geography: {}, {networks}, {databases}{made}{age}{titles}", self.origin())
    }
}
