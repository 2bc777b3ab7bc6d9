//! Health checks in both languages, and what is said about wrong ones.

use super::*;
use crate::model::health_check::{Follows, InsufficientData, Metric, MissingData};

fn toml(text: &str, limits: Limits) -> (BTreeMap<Id, HealthCheck>, Vec<String>) {
    let mut problems = Problems::default();
    let checks = read_toml("h".into(), text.as_bytes(), limits, &mut problems);
    (checks, problems.iter().map(|problem| problem.to_string()).collect())
}

#[test]
fn a_dump_and_toml_say_the_same() {
    let from_toml = toml(
        r#"
[health_check.blue-http]
type = "HTTP"
ip_address = "192.0.2.1"
resource_path = "health"
request_interval = 10
[health_check.tls]
type = "HTTPS_STR_MATCH"
fully_qualified_domain_name = "www.example.com"
search_string = "fine"
inverted = true
[health_check.both]
type = "CALCULATED"
child_health_checks = ["blue-http", "tls"]
health_threshold = 2
[health_check.metric]
type = "CLOUDWATCH_METRIC"
alarm_identifier = { region = "eu-west-1", name = "orders" }
insufficient_data_health_status = "Unhealthy"
[health_check.switch]
type = "RECOVERY_CONTROL"
routing_control_arn = "arn:x"
disabled = true
"#,
        Limits::Route53,
    );
    let dump = r#"{"HealthChecks": [
 {"Id": "blue-http", "CallerReference": "x", "HealthCheckVersion": 1, "HealthCheckConfig": {"IPAddress": "192.0.2.1", "Port": 80,
  "Type": "HTTP", "ResourcePath": "/health", "RequestInterval": 10, "FailureThreshold": 3, "MeasureLatency": false,
  "Inverted": false, "Disabled": false, "EnableSNI": false}},
 {"Id": "tls", "HealthCheckConfig": {"Type": "HTTPS_STR_MATCH", "FullyQualifiedDomainName": "www.example.com",
  "SearchString": "fine", "Inverted": true, "Regions": null}},
 {"Id": "both", "HealthCheckConfig": {"Type": "CALCULATED", "ChildHealthChecks": ["blue-http", "tls"], "HealthThreshold": 2,
  "EnableSNI": false, "MeasureLatency": false}},
 {"Id": "metric", "HealthCheckConfig": {"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": {"Region": "eu-west-1", "Name": "orders"},
  "InsufficientDataHealthStatus": "Unhealthy"}, "CloudWatchAlarmConfiguration": {"Period": 60}},
 {"Id": "switch", "HealthCheckConfig": {"Type": "RECOVERY_CONTROL", "RoutingControlArn": "arn:x", "Disabled": true}}],
 "Marker": "", "IsTruncated": false, "MaxItems": "100"}"#;
    let mut problems = Problems::default();
    let from_json = read_json("h".into(), dump.as_bytes(), Limits::Route53, &mut problems);
    let problems: Vec<_> = problems.iter().map(|problem| problem.to_string()).collect();
    assert_eq!((from_toml.1, problems), (vec![], vec![]));
    let bare = |checks: &BTreeMap<Id, HealthCheck>| {
        let nowhere = At { file: "".into(), line: 0, column: 0, length: 0 };
        checks.values().map(|check| HealthCheck { at: nowhere.clone(), ..check.clone() }).collect::<Vec<_>>()
    };
    assert_eq!(bare(&from_toml.0), bare(&from_json));
    let Kind::Endpoint(tls) = &from_json["tls"].kind else { panic!() };
    assert_eq!((tls.port, tls.enable_sni, tls.request_interval, tls.failure_threshold), (443, true, 30, 3));
    assert_eq!((tls.resource_path.as_str(), from_json["tls"].kind.word()), ("/", "HTTPS_STR_MATCH"));
    assert_eq!((from_json["both"].at.line, from_toml.0["both"].at.line), (7, 12));
}

#[test]
fn logic_becomes_thresholds() {
    for (text, children, threshold, inverted) in [
        ("all = ['a', 'b']", 2, 2, false),
        ("any = ['a', 'b']", 2, 1, false),
        ("not = 'a'", 1, 1, true),
        ("not = 'a'\ninverted = true", 1, 1, false),
        ("at_least = 2\nof = ['a', 'b', 'c']", 3, 2, false),
        ("type = 'CALCULATED'\nany = ['a']\ninverted = true", 1, 1, true),
    ] {
        let (checks, problems) = toml(&format!("[health_check.x]\n{text}\n"), Limits::Route53);
        assert_eq!(problems, [""; 0], "{text}");
        let Kind::Calculated { children: said, threshold: needed } = &checks["x"].kind else { panic!("{text}") };
        assert_eq!((said.len(), *needed, checks["x"].inverted), (children, threshold, inverted), "{text}");
    }
}

#[test]
fn problems_name_their_place() {
    let ip = "type = 'HTTP'\nip_address = '127.0.0.1'";
    for (text, place, said) in [
        ("type = 'HTPP'", "2:8", "did you mean \"HTTP\"?"),
        ("ip_address = '192.0.2.1'", "1:15", "has no type"),
        ("type = 'HTTP'", "1:15", "no endpoint"),
        ("type = 'HTTP'\nip_adress = '192.0.2.1'", "3:1", "did you mean \"ip_address\"?"),
        ("type = 'HTTP'\nip_address = '192.0.2.256'", "3:14", "not an address"),
        ("type = 'TCP'\nip_address = '192.0.2.1'", "1:15", "no default port"),
        (
            "type = 'TCP'\nip_address = '192.0.2.1'\nport = 1\nfully_qualified_domain_name = 'x'",
            "5:31",
            "take one of the two",
        ),
        (&format!("{ip}\nport = 65536"), "4:8", "1 to 65535"),
        (&format!("{ip}\nport = '80'"), "4:8", "write a number"),
        (&format!("{ip}\nrequest_interval = 20"), "4:20", "10 and 30"),
        (&format!("{ip}\nfailure_threshold = 11"), "4:21", "1 to 10"),
        (&format!("{ip}\nsearch_string = 'x'"), "4:17", "HTTP_STR_MATCH"),
        (&format!("{ip}\nregions = ['us-east-1']"), "4:11", "too few"),
        (&format!("{ip}\nregions = ['us-east-9', 'us-west-1', 'us-west-2']"), "4:12", "did you mean \"us-east-1\"?"),
        (&format!("{ip}\nhealth_threshold = 1"), "4:1", "no effect"),
        (&format!("{ip}\nall = ['x']"), "4:1", "calculated"),
        ("type = 'HTTP_STR_MATCH'\nip_address = '192.0.2.1'", "1:15", "make the type HTTP"),
        ("type = 'CALCULATED'\nchild_health_checks = ['a']", "1:15", "health_threshold"),
        ("all = ['a']\nany = ['b']", "1:15", "all and any stand together"),
        ("all = ['a', 'a']", "2:7", "twice"),
        ("all = []", "2:7", "names no health check"),
        ("of = ['a']", "1:15", "at_least = 2"),
        ("all = ['a']\nat_least = 1", "3:12", "cannot stand with all"),
        ("type = 'CLOUDWATCH_METRIC'", "1:15", "follows no alarm"),
        (&format!("{QUERY}\nprometheus_url = '127.0.0.1:9090'"), "5:18", "neither http:// nor https://"),
        (&format!("{QUERY}\nprometheus_url = 'https://a:b@c'"), "5:18", "a password has no place in it"),
        (&format!("{QUERY}\nprometheus_url = 'http://c/?query=x'"), "5:18", "a key of its own"),
        (QUERY, "1:1", "prometheus_url"),
        (
            &format!("{QUERY}\ncomparison_operator = 'GreaterThanTreshold'"),
            "5:23",
            "did you mean \"GreaterThanThreshold\"?",
        ),
        (&format!("{QUERY}\nthreshold = 'x'"), "5:13", "write a number"),
        (&format!("{QUERY}\nthreshold = nan"), "5:13", "not a number to compare with"),
        (&format!("{QUERY}\nevaluation_periods = 0"), "5:22", "1 to 100"),
        (&format!("{QUERY}\ntreat_missing_data = 'bad'"), "5:22", "write missing or ignore"),
        (
            &format!("{QUERY}\nalarm_identifier = {{ region = 'r', name = 'n' }}"),
            "3:9",
            "a check follows one of the two",
        ),
        (&format!("{QUERY}\ninsufficient_data_health_status = 'Sick'"), "5:35", "write Healthy or Unhealthy"),
        (&format!("{ip}\nquery = 'x'"), "4:1", "no effect"),
        (&format!("{ip}\nvalidate_certificate = true"), "4:1", "no effect"),
        ("type = 'RECOVERY_CONTROL'", "1:1", "routing_control_arn"),
    ] {
        let (_, problems) = toml(&format!("[health_check.x]\n{text}\n"), Limits::Route53);
        let wanted = format!("h:{place}: ");
        assert!(
            problems.iter().any(|one| one.starts_with(&wanted) && one.contains(said)),
            "{text}: {place} {problems:?}"
        );
    }
}

const QUERY: &str = "type = 'CLOUDWATCH_METRIC'\nquery = 'up'\nperiod = 10";

#[test]
fn a_metric_may_follow_a_prometheus_query() {
    let least = "type = 'CLOUDWATCH_METRIC'\nprometheus_url = 'http://127.0.0.1:9090/prom/'\nquery = 'up'\n\
                 comparison_operator = 'LessThanThreshold'\nthreshold = 1";
    let most = "period = 10\nevaluation_periods = 3\ntreat_missing_data = 'breaching'\n\
                insufficient_data_health_status = 'Healthy'";
    let query = |text: &str| {
        let (checks, problems) = toml(&format!("[health_check.x]\n{text}\n"), Limits::Route53);
        assert_eq!(problems, [""; 0], "{text}");
        let Kind::Metric(Metric { follows: Follows::Query(query), insufficient_data }) = checks["x"].kind.clone()
        else {
            panic!("{text}")
        };
        (query, insufficient_data, checks["x"].asks())
    };
    let (plain, insufficient_data, asks) = query(least);
    assert_eq!(asks, "alarm while up at http://127.0.0.1:9090/prom is less than 1");
    assert_eq!((plain.period, plain.evaluation_periods, plain.missing), (60, 1, MissingData::Missing));
    assert_eq!(insufficient_data, InsufficientData::LastKnownStatus);
    let (full, insufficient_data, asks) = query(&format!("{least}.5\n{most}"));
    assert_eq!(asks, "alarm while up at http://127.0.0.1:9090/prom is less than 1.5, 3 times in a row");
    assert_eq!((full.period, full.evaluation_periods, full.missing), (10, 3, MissingData::Breaching));
    assert_eq!((full.threshold, insufficient_data), (1.5, InsufficientData::Healthy));
}

#[test]
fn a_certificate_may_have_to_be_valid() {
    for (line, expected) in
        [("", None), ("validate_certificate = true", Some(true)), ("validate_certificate = false", Some(false))]
    {
        let (checks, problems) =
            toml(&format!("[health_check.x]\ntype = 'HTTPS'\nip_address = '127.0.0.1'\n{line}\n"), Limits::Route53);
        assert_eq!(problems, [""; 0]);
        let Kind::Endpoint(endpoint) = &checks["x"].kind else { panic!() };
        assert_eq!(endpoint.validate_certificate, expected);
    }
}

#[test]
fn a_lab_may_lift_the_limits() {
    let text = "[health_check.x]\ntype = 'HTTP'\nip_address = '127.0.0.1'\nrequest_interval = 1\nfailure_threshold = 20\nregions = ['here']\n";
    assert_eq!(toml(text, Limits::None).1, [""; 0]);
    assert_eq!(toml(text, Limits::Route53).1.len(), 4);
}

/// route53.md 3.3.1, 3.3.10, 3.3.11, 3.3.12 and 3.7.4: types, and what a check has where nothing is said.
#[test]
fn what_is_not_said_is_as_route_53_has_it() {
    for (word, more, port, enable_sni) in [
        ("HTTP", "", 80, false),
        ("HTTP_STR_MATCH", "search_string = 'x'", 80, false),
        ("HTTPS", "", 443, true),
        ("HTTPS_STR_MATCH", "search_string = 'x'", 443, true),
        ("TCP", "port = 25", 25, false),
    ] {
        let text = format!("[health_check.x]\ntype = '{word}'\nip_address = '192.0.2.1'\n{more}\n");
        let (checks, problems) = toml(&text, Limits::Route53);
        assert_eq!((problems, checks["x"].kind.word()), (vec![], word));
        let Kind::Endpoint(endpoint) = &checks["x"].kind else { panic!("{word}") };
        assert_eq!((endpoint.port, endpoint.enable_sni), (port, enable_sni), "{word}");
        assert_eq!((endpoint.request_interval, endpoint.failure_threshold, endpoint.measure_latency), (30, 3, false));
        assert_eq!((checks["x"].inverted, checks["x"].disabled, endpoint.resource_path.as_str()), (false, false, "/"));
    }
    for (text, word) in [
        ("type = 'CALCULATED'\nchild_health_checks = ['a']\nhealth_threshold = 1", "CALCULATED"),
        ("type = 'CLOUDWATCH_METRIC'\nalarm_identifier = { region = 'eu-west-1', name = 'n' }", "CLOUDWATCH_METRIC"),
        ("type = 'RECOVERY_CONTROL'\nrouting_control_arn = 'arn:x'", "RECOVERY_CONTROL"),
    ] {
        let (checks, problems) = toml(&format!("[health_check.x]\n{text}\n"), Limits::Route53);
        assert_eq!((problems, checks["x"].kind.word()), (vec![], word));
    }
}

/// route53.md 3.3.2 and 3.3.11: a path begins with a slash, may have a query, and has 255 characters like the text.
#[test]
fn paths_and_texts() {
    let check = |more: &str| {
        let text = format!("[health_check.x]\ntype = 'HTTP_STR_MATCH'\nip_address = '192.0.2.1'\n{more}\n");
        let (checks, problems) = toml(&text, Limits::Route53);
        let path = checks.get("x").and_then(|check| match &check.kind {
            Kind::Endpoint(endpoint) => Some(endpoint.resource_path.clone()),
            _ => None,
        });
        (path, problems.len())
    };
    let text = "search_string = 'x'\n";
    for (path, expected) in [("/a", "/a"), ("a", "/a"), ("", "/"), ("/a?b=c&d", "/a?b=c&d"), ("?b", "/?b")] {
        assert_eq!(check(&format!("{text}resource_path = '{path}'")), (Some(expected.into()), 0));
    }
    for (length, problems) in [(255, 0), (256, 1)] {
        let long = "x".repeat(length);
        assert_eq!(check(&format!("{text}resource_path = '{long}'")).1, problems, "a path of {length}");
        assert_eq!(check(&format!("search_string = '{long}'")).1, problems, "a text of {length}");
    }
    assert_eq!(check("search_string = ''").1, 1);
}

/// route53.md 3.3.7, 3.3.8 and 3.3.9: an address, of any kind in a lab, or a name; TCP takes one of the two.
#[test]
fn endpoints_are_addresses_or_names() {
    for (text, problems) in [
        ("type = 'HTTP'\nip_address = '10.1.2.3'", 0),
        ("type = 'HTTP'\nip_address = '127.0.0.1'", 0),
        ("type = 'HTTP'\nip_address = '169.254.1.1'", 0),
        ("type = 'HTTP'\nip_address = '::1'", 0),
        ("type = 'HTTP'\nfully_qualified_domain_name = 'a.example'", 0),
        ("type = 'HTTP'\nip_address = '192.0.2.1'\nfully_qualified_domain_name = 'a.example'", 0),
        ("type = 'HTTP'", 1),
        ("type = 'TCP'\nport = 1\nip_address = '192.0.2.1'", 0),
        ("type = 'TCP'\nport = 1\nfully_qualified_domain_name = 'a.example'", 0),
        ("type = 'TCP'\nport = 1\nip_address = '192.0.2.1'\nfully_qualified_domain_name = 'a.example'", 1),
    ] {
        assert_eq!(toml(&format!("[health_check.x]\n{text}\n"), Limits::Route53).1.len(), problems, "{text}");
    }
}

/// route53.md 3.3.12, 3.3.14, 3.4.1, 3.4.2 and 3.6: numbers and lists end where Route 53's do.
#[test]
fn numbers_and_lists_have_limits() {
    let http = "type = 'HTTP'\nip_address = '192.0.2.1'";
    let regions = |count: usize| {
        let all = REGIONS.iter().take(count).map(|region| format!("'{region}'")).collect::<Vec<_>>();
        format!("{http}\nregions = [{}]", all.join(", "))
    };
    let calculated = |children: usize, threshold: u32| {
        let children = (0..children).map(|number| format!("'c{number}'")).collect::<Vec<_>>().join(", ");
        format!("type = 'CALCULATED'\nchild_health_checks = [{children}]\nhealth_threshold = {threshold}")
    };
    let switch = "type = 'RECOVERY_CONTROL'\nrouting_control_arn = 'arn:x'";
    for (text, problems) in [
        (format!("{http}\nrequest_interval = 10"), 0),
        (format!("{http}\nrequest_interval = 30"), 0),
        (format!("{http}\nrequest_interval = 11"), 1),
        (format!("{http}\nfailure_threshold = 1"), 0),
        (format!("{http}\nfailure_threshold = 10"), 0),
        (format!("{http}\nfailure_threshold = 0"), 1),
        (format!("{http}\nfailure_threshold = 11"), 1),
        (format!("{switch}\nrequest_interval = 10"), 1),
        (format!("{switch}\nfailure_threshold = 3"), 1),
        (format!("{switch}\nmeasure_latency = true"), 1),
        (regions(8), 0),
        (regions(3), 0),
        (regions(2), 1),
        (calculated(256, 0), 0),
        (calculated(256, 256), 0),
        (calculated(1, 257), 1),
        (calculated(257, 1), 1),
    ] {
        let said = toml(&format!("[health_check.x]\n{text}\n"), Limits::Route53).1;
        assert_eq!(said.len(), problems, "{}: {said:?}", text.chars().take(90).collect::<String>());
    }
}
