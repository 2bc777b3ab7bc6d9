//! A stable word for each kind of problem, for programs that read what `check` reports.
//!
//! A problem made with [`Problem::code`](super::Problem::code) has that word. Otherwise the first phrase of the table that its text holds
//! decides, and where there is none, the kind of file.

use super::Problem;

/// A phrase of a problem's text, and the code of problems with it. The first row that fits holds.
const PHRASES: &[(&str, &str)] = &[
    // Files.
    ("is not UTF-8", "not-utf8"),
    ("not UTF-8", "not-utf8"),
    ("not TOML here", "syntax"),
    ("the file is empty", "empty-file"),
    ("cannot be included", "include-not-readable"),
    ("files include each other", "include-too-deep"),
    ("the file includes itself", "include-itself"),
    // Keys and values of JSON, TOML and settings.
    ("there is no setting called", "unknown-setting"),
    ("is not a key of", "unknown-key"),
    // References.
    ("no file defines health check", "unknown-health-check"),
    (", which no file defines", "unknown-health-check"),
    ("no file defines collection", "unknown-collection"),
    (" has no location ", "unknown-location"),
    ("is not a region of", "unknown-region"),
    ("there is no region", "unknown-region"),
    // Routing and groups.
    ("has no default location", "no-default-location"),
    ("all weights of", "all-weights-zero"),
    ("has no health check", "primary-without-health-check"),
    ("finds a failure within", "ttl-outlasts-detection"),
    ("ignores the health of", "ignores-target-health"),
    ("has no identifier", "no-identifier"),
    ("disagree about its routing", "mixed-routing"),
    ("and plainly in", "mixed-routing"),
    ("there is nothing to fail over to", "failover-alone"),
    // Aliases.
    ("aliases lead in a circle", "alias-circle"),
    ("aliases lie too deep", "alias-too-deep"),
    (", which is not there", "alias-target-missing"),
    ("has no aliases of type", "alias-type"),
    // Health checks.
    ("count each other in a circle", "health-check-circle"),
    ("which is calculated too", "calculated-child-calculated"),
    ("the health check has no endpoint", "health-check-without-endpoint"),
    // Zones.
    ("is named like a wildcard", "wildcard-zone"),
    ("has NS records", "wildcard-ns"),
    ("'s word for ", "other-servers-type"),
    ("is an alias, as Route 53 has them", "other-servers-type"),
    ("is here without its records", "hosted-zone-without-records"),
    ("this file has a HostedZone itself", "hosted-zone-twice"),
    ("the file has no HostedZone", "hosted-zone-missing"),
    ("a private zone without VPCs", "private-zone-without-vpcs"),
    ("only a private zone belongs to VPCs", "public-zone-with-vpcs"),
    // Zone contents.
    ("at its apex", "no-soa-or-ns"),
    ("is too large", "too-large"),
    ("with the same data", "duplicate-record"),
    ("has records with different TTLs", "ttl-mismatch"),
    ("has a CNAME and other data", "cname-and-other-data"),
    (" SOA records", "several-soa"),
    ("but is not the top of the zone", "soa-below-apex"),
    ("has no address here", "missing-glue"),
    ("is never answered", "never-answered"),
    ("lies outside the zone", "out-of-zone"),
    ("the NSEC3 chain of", "nsec3-iterations"),
    ("but neither NSEC nor NSEC3 records", "no-denial-chain"),
    (" is never closed", "not-closed"),
    ("the record ends too soon", "record-too-short"),
    ("is more than the record can take", "record-too-long"),
    (" AWS comment", "aws-comment"),
    // Routing tests.
    ("the test expects nothing", "test-expects-nothing"),
    // What fits many: only where nothing above does.
    ("no TTL is given", "no-ttl"),
    ("has no TTL", "no-ttl"),
    ("has no owner", "no-owner"),
    ("not a type of", "unknown-type"),
    ("a record type", "unknown-type"),
    ("Route 53 allows", "quota"),
    ("is not served", "not-served"),
    ("goes on", "dump-cut-short"),
    ("follow one policy", "mixed-routing"),
    ("are masked", "host-bits"),
    ("is said twice", "duplicate"),
    (" twice", "duplicate"),
    ("stands beside", "contradiction"),
    ("cannot stand", "contradiction"),
    ("cannot be read", "not-readable"),
    (" is missing", "missing-value"),
    (" has no ", "missing-value"),
    (" is empty", "missing-value"),
    ("is too long", "too-long"),
    (" is not ", "bad-value"),
    (" is no ", "bad-value"),
];

/// The kind of file, by the end of its name.
const FILES: &[(&str, &str)] = &[
    (".test.toml", "routing-test"),
    ("health-checks.toml", "health-check"),
    ("health-checks.json", "health-check"),
    ("health-check-tags.json", "health-check-tag"),
    ("cidr-collections.toml", "cidr-collection"),
    ("cidr-collections.json", "cidr-collection"),
    ("vpcs.toml", "vpc"),
    (".toml", "settings"),
    (".json", "record-set"),
    (".csv", "geography"),
    (".mmdb", "geography"),
];

/// What the rest are: zone files, and what they include.
const ZONE_FILE: &str = "zone-file";

pub(super) fn of(problem: &Problem) -> &'static str {
    if !problem.code.is_empty() {
        return problem.code;
    }
    let said = |phrase: &str| [&problem.what, &problem.why].into_iter().any(|text| text.contains(phrase));
    let by_phrase = PHRASES.iter().find(|(phrase, _)| said(phrase));
    let by_file = || FILES.iter().find(|(end, _)| problem.at.file.ends_with(end));
    by_phrase.or_else(by_file).map_or(ZONE_FILE, |(_, code)| code)
}

#[cfg(test)]
pub(super) mod testing {
    pub fn phrases() -> &'static [(&'static str, &'static str)] {
        super::PHRASES
    }

    pub fn files() -> &'static [(&'static str, &'static str)] {
        super::FILES
    }
}
