//! Health checks in both languages, and what is said about wrong ones.

use super::*;

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

#[test]
fn a_lab_may_lift_the_limits() {
    let text = "[health_check.x]\ntype = 'HTTP'\nip_address = '127.0.0.1'\nrequest_interval = 1\nfailure_threshold = 20\nregions = ['here']\n";
    assert_eq!(toml(text, Limits::None).1, [""; 0]);
    assert_eq!(toml(text, Limits::Route53).1.len(), 4);
}
