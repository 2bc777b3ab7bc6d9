//! Flags of `serve` in place of settings.

use std::net::SocketAddr;

use super::Config;

/// Flags that win over settings, at the start and at each reload.
#[derive(Clone, Default)]
pub struct Flags {
    pub upstream: Vec<SocketAddr>,
    pub seed: Option<u64>,
    pub no_probes: bool,
}

impl Flags {
    pub fn set(&self, config: &mut Config) {
        if !self.upstream.is_empty() {
            config.upstream = self.upstream.clone();
        }
        config.seed = self.seed.or(config.seed);
        config.health.control.probes &= !self.no_probes;
    }
}
