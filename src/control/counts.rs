//! What is counted, to be shown as metrics.

use crate::health::finding::Outcome;

/// What was counted since the start.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub probes_healthy: u64,
    pub probes_unhealthy: u64,
    /// Questions for metrics, with and without a value for an answer.
    pub readings: u64,
    pub readings_missing: u64,
    pub turns: u64,
    /// How long probes took, and how late they began.
    pub latency: Histogram,
    pub late: Histogram,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Histogram {
    pub buckets: [u64; LATENCY_BOUNDS.len() + 1],
    pub sum: u64,
}

/// Upper bounds of the histograms' buckets, in microseconds; the last bucket is beyond them.
pub const LATENCY_BOUNDS: [u32; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];

impl Counts {
    pub(super) fn probe(&mut self, outcome: &Outcome) {
        match outcome.is_healthy() {
            true => self.probes_healthy += 1,
            false => self.probes_unhealthy += 1,
        }
        self.latency.count(outcome.latency.total);
        self.late.count(outcome.latency.late);
    }
}

impl Histogram {
    fn count(&mut self, micros: u32) {
        let bucket = LATENCY_BOUNDS.iter().position(|&bound| micros <= bound).unwrap_or(LATENCY_BOUNDS.len());
        self.buckets[bucket] += 1;
        self.sum += u64::from(micros);
    }
}
