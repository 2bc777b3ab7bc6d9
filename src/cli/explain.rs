//! `fingerpost explain`

use clap::Args;

use fingerpost::io::sys;
use fingerpost::tell::{self, Explanation};

use super::ask::Question;

/// One answer, with every step that led to it
///
/// Exit code 0, also where the answer is REFUSED; 1: the zone asked has errors; 2: the question makes no sense.
#[derive(Args)]
pub struct Explain {
    #[command(flatten)]
    question: Question,
    /// Throw the dice as they fell for this seed [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Explain {
    pub fn run(self) -> anyhow::Result<u8> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => {
                // Short enough to be typed again.
                let mut bytes = [0; 4];
                sys::random(&mut bytes)?;
                u32::from_ne_bytes(bytes).into()
            }
        };
        let more = [("seed", seed.to_string())];
        self.question.ask(
            "explain",
            &more,
            |snapshot, request| tell::explain(snapshot, request, seed),
            Explanation::text,
        )
    }
}
