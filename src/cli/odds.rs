//! `fingerpost odds`

use clap::Args;

use fingerpost::tell::{self, Odds as Told};

use super::ask::Question;

/// The exact share of each possible answer
///
/// No sampling: every choice is played by its share, through whole trees of aliases. Exit code 0, also where the
/// answer is REFUSED; 1: the zone asked has errors; 2: the question makes no sense.
#[derive(Args)]
pub struct Odds {
    #[command(flatten)]
    question: Question,
    /// List whole answers instead of records
    #[arg(long)]
    answers: bool,
}

impl Odds {
    pub fn run(self) -> anyhow::Result<u8> {
        let text = if self.answers { Told::answers_text } else { Told::text };
        self.question.ask("odds", &[], tell::odds, text)
    }
}
