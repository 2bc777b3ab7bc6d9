//! Health checks as operators define them: Route 53's `HealthCheckConfig`, and a few fields of our own.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::Id;
use crate::problem::At;

#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    pub id: Id,
    /// What people call it. Ids of Route 53's say nothing.
    pub name: Option<Box<str>>,
    pub kind: Kind,
    pub inverted: bool,
    /// A disabled check isn't probed and counts as healthy, turned round when it is inverted.
    pub disabled: bool,
    pub at: At,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Endpoint(Endpoint),
    /// Healthy while at least `threshold` children are.
    Calculated {
        children: Vec<Id>,
        threshold: u32,
    },
    Metric(Metric),
    /// A switch: `RECOVERY_CONTROL`.
    Switch {
        routing_control_arn: String,
    },
}

/// A check that asks an endpoint over the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub protocol: Protocol,
    pub ip_address: Option<IpAddr>,
    pub fully_qualified_domain_name: Option<String>,
    pub port: u16,
    pub resource_path: String,
    pub search_string: Option<String>,
    pub enable_sni: bool,
    /// Ours: whether the certificate must be valid; where nothing is said, `health_validate_certificates` decides.
    pub validate_certificate: Option<bool>,
    pub measure_latency: bool,
    pub request_interval: u32,
    pub failure_threshold: u32,
    /// Checker regions as Route 53 names them; kept, and shown.
    pub regions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http,
    Https,
    Tcp,
}

/// `CLOUDWATCH_METRIC`: healthy while an alarm is OK.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub follows: Follows,
    pub insufficient_data: InsufficientData,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Follows {
    /// An alarm of CloudWatch's: somebody tells how it stands.
    Alarm { region: String, name: String },
    /// An alarm of our own: a Prometheus is asked, and what it says compared.
    Query(MetricQuery),
}

/// What is asked, and what makes an alarm of it. The fields are those of CloudWatch's alarms.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricQuery {
    /// Where Prometheus is; its API lies below, at `/api/v1/query`.
    pub url: String,
    pub query: String,
    pub comparison: Comparison,
    pub threshold: f64,
    /// Seconds from one question to the next.
    pub period: u32,
    /// So many values in a row must be beyond the threshold.
    pub evaluation_periods: u32,
    pub missing: MissingData,
}

/// A value that compares so with the threshold is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a period without a value counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingData {
    /// Nothing; where no period has a value, there is not enough data.
    #[default]
    Missing,
    /// A reason to leave the alarm as it is.
    Ignore,
    Breaching,
    NotBreaching,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsufficientData {
    Healthy,
    Unhealthy,
    LastKnownStatus,
}

impl HealthCheck {
    /// Its name, if it has one, and its id.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.id),
            None => self.id.to_string(),
        }
    }

    /// What it asks, in a line: `http://192.0.2.1:80/health`.
    pub fn asks(&self) -> String {
        match &self.kind {
            Kind::Endpoint(endpoint) => endpoint.to_string(),
            Kind::Calculated { children, threshold } => format!("{threshold} of {}", children.join(", ")),
            Kind::Metric(Metric { follows: Follows::Alarm { region, name }, .. }) => {
                format!("alarm {name} in {region}")
            }
            Kind::Metric(Metric { follows: Follows::Query(query), .. }) => query.to_string(),
            Kind::Switch { routing_control_arn } => routing_control_arn.clone(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { protocol, ip_address, fully_qualified_domain_name: name, port, resource_path, .. } = self;
        let scheme = match protocol {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Tcp => "tcp",
        };
        write!(f, "{scheme}://")?;
        match (ip_address, name) {
            (Some(address), _) => write!(f, "{}", SocketAddr::new(*address, *port))?,
            (None, name) => write!(f, "{}:{port}", name.as_deref().unwrap_or_default())?,
        }
        if *protocol != Protocol::Tcp {
            f.write_str(resource_path)?;
        }
        if let (Some(_), Some(name)) = (ip_address, name) {
            write!(f, " as {name}")?;
        }
        match &self.search_string {
            Some(search) => write!(f, " with {search:?}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for MetricQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MetricQuery { url, query, comparison, threshold, evaluation_periods, .. } = self;
        write!(f, "alarm while {query} at {url} is {} {threshold}", comparison.words())?;
        match evaluation_periods {
            1 => Ok(()),
            many => write!(f, ", {many} times in a row"),
        }
    }
}

impl Comparison {
    /// Whether a value is on the bad side.
    pub fn is_breached(self, value: f64, threshold: f64) -> bool {
        match self {
            Comparison::Greater => value > threshold,
            Comparison::GreaterOrEqual => value >= threshold,
            Comparison::Less => value < threshold,
            Comparison::LessOrEqual => value <= threshold,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Comparison::Greater => "greater than",
            Comparison::GreaterOrEqual => "at least",
            Comparison::Less => "less than",
            Comparison::LessOrEqual => "at most",
        }
    }
}

impl Kind {
    /// Route 53's name for the type of check.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Endpoint(Endpoint { protocol: Protocol::Tcp, .. }) => "TCP",
            Kind::Endpoint(Endpoint { protocol: Protocol::Http, search_string: None, .. }) => "HTTP",
            Kind::Endpoint(Endpoint { protocol: Protocol::Http, .. }) => "HTTP_STR_MATCH",
            Kind::Endpoint(Endpoint { protocol: Protocol::Https, search_string: None, .. }) => "HTTPS",
            Kind::Endpoint(Endpoint { protocol: Protocol::Https, .. }) => "HTTPS_STR_MATCH",
            Kind::Calculated { .. } => "CALCULATED",
            Kind::Metric(_) => "CLOUDWATCH_METRIC",
            Kind::Switch { .. } => "RECOVERY_CONTROL",
        }
    }
}
