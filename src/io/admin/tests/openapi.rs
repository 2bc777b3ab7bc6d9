//! `openapi.json` against what the admin port really gives and takes: routes, parameters, statuses, and each field.

use std::collections::BTreeSet;

use super::*;
use crate::health::alarm::{Read, Reading};
use crate::health::finding::{Finding, Latency, Outcome};
use crate::health::tracker::Past;
use crate::io::admin::routes::READY;
use crate::io::admin::{routes, view};
use crate::moment::{Moment, parse_rfc3339};

const QUERY: &str = "
[health_check.rate]
type = \"CLOUDWATCH_METRIC\"
prometheus_url = \"http://127.0.0.1:1\"
query = \"up\"
comparison_operator = \"GreaterThanThreshold\"
threshold = 1
";

const TOKEN: &str = "0123456789abcdef";

/// The description, and what of it was seen.
struct Description {
    root: Value,
    /// Where the schemas of fields stand that some reply had.
    fields: BTreeSet<String>,
    statuses: BTreeSet<(String, String, String)>,
}

type Checked = Result<(BTreeSet<String>, BTreeSet<String>), String>;

impl Description {
    fn new() -> Description {
        let root = serde_json::from_str(include_str!("../openapi.json")).unwrap();
        Description { root, fields: BTreeSet::new(), statuses: BTreeSet::new() }
    }

    fn at(&self, pointer: &str) -> &Value {
        self.root.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
    }

    /// The place that a place refers to.
    fn resolved(&self, pointer: &str) -> String {
        match self.at(pointer).get("$ref").and_then(Value::as_str) {
            Some(to) => self.resolved(to.strip_prefix('#').unwrap()),
            None => pointer.to_string(),
        }
    }

    fn operations(&self) -> Vec<(Method, String)> {
        let paths = self.at("/paths").as_object().unwrap();
        let methods = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(|method| (method.to_uppercase().parse().unwrap(), path.clone())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(methods).collect()
    }

    fn operation(&self, method: &Method, path: &str) -> String {
        format!("/paths/{}/{}", path.replace('/', "~1"), method.as_str().to_lowercase())
    }

    /// Notes a reply. Panics where the description has no such status, or the body is not as it says.
    fn reply(&mut self, method: &Method, path: &str, status: u16, body: &Value) {
        let operation = self.operation(method, path);
        let response = format!("{operation}/responses/{status}");
        assert!(
            self.root.pointer(&response).is_some(),
            "{method} {path} gives {status}, which is not described: {body}"
        );
        self.statuses.insert((method.to_string(), path.to_string(), status.to_string()));
        let schema = format!("{}/content/application~1json/schema", self.resolved(&response));
        if self.root.pointer(&schema).is_some() {
            self.value(&schema, body);
        }
    }

    fn value(&mut self, schema: &str, value: &Value) {
        match self.check(schema, value) {
            Ok((_, fields)) => self.fields.extend(fields),
            Err(what) => panic!("{schema}: {what} in {value:#}"),
        }
    }

    /// The names of an object's fields that the schema knows, and the places of their schemas.
    fn check(&self, pointer: &str, value: &Value) -> Checked {
        let pointer = &self.resolved(pointer);
        let schema = self.at(pointer).as_object().unwrap();
        let (mut known, mut fields) = (BTreeSet::new(), BTreeSet::new());
        let wrong = |what: String| Err(format!("{pointer}: {what}: {value}"));
        for (key, rule) in schema {
            let count = || rule.as_array().map_or(0, Vec::len);
            match key.as_str() {
                "description" | "unevaluatedProperties" | "additionalProperties" => {}
                "type" => {
                    let kinds = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                    if !kinds.iter().any(|kind| is_a(value, kind.as_str().unwrap())) {
                        return wrong(format!("not of type {rule}"));
                    }
                }
                "enum" if !rule.as_array().unwrap().contains(value) => return wrong(format!("none of {rule}")),
                "enum" => {}
                "minimum" if value.as_f64() < rule.as_f64() => return wrong(format!("below {rule}")),
                "minimum" => {}
                "maxItems" if value.as_array().map_or(0, Vec::len) as u64 > rule.as_u64().unwrap() => {
                    return wrong(format!("more than {rule}"));
                }
                "maxItems" => {}
                "format" => {
                    assert_eq!(rule, "date-time");
                    if value.as_str().is_some_and(|text| parse_rfc3339(text).is_none()) {
                        return wrong("no time".into());
                    }
                }
                "required" => {
                    for field in rule.as_array().unwrap().iter().filter_map(Value::as_str) {
                        if value.get(field).is_none() {
                            return wrong(format!("no {field}"));
                        }
                    }
                }
                "properties" => {
                    for field in rule.as_object().unwrap().keys() {
                        let Some(inside) = value.get(field) else { continue };
                        let place = format!("{pointer}/properties/{field}");
                        fields.extend(self.check(&place, inside)?.1);
                        fields.insert(place);
                        known.insert(field.clone());
                    }
                }
                "items" => {
                    for one in value.as_array().into_iter().flatten() {
                        fields.extend(self.check(&format!("{pointer}/items"), one)?.1);
                    }
                }
                "allOf" => {
                    for at in 0..count() {
                        let (names, places) = self.check(&format!("{pointer}/allOf/{at}"), value)?;
                        known.extend(names);
                        fields.extend(places);
                    }
                }
                "anyOf" | "oneOf" => {
                    let tried = (0..count()).map(|at| self.check(&format!("{pointer}/{key}/{at}"), value));
                    let (fitting, not): (Vec<Checked>, Vec<Checked>) = tried.partition(Result::is_ok);
                    if fitting.is_empty() || key == "oneOf" && fitting.len() > 1 {
                        let why: Vec<_> = not.into_iter().filter_map(Result::err).collect();
                        return wrong(format!("{} of {key} fit: {}", fitting.len(), why.join("; ")));
                    }
                    for (names, places) in fitting.into_iter().flatten() {
                        known.extend(names);
                        fields.extend(places);
                    }
                }
                other => panic!("{pointer}: the test does not know {other:?}"),
            }
        }
        let closed =
            ["additionalProperties", "unevaluatedProperties"].iter().any(|key| schema.get(*key) == Some(&json!(false)));
        if closed && let Some(other) = value.as_object().into_iter().flatten().find(|(key, _)| !known.contains(*key)) {
            return wrong(format!("{:?} is not described", other.0));
        }
        Ok((known, fields))
    }

    /// The places of all fields that a schema describes.
    fn described_fields(&self, pointer: &str, into: &mut BTreeSet<String>) {
        let pointer = &self.resolved(pointer);
        for (key, rule) in self.at(pointer).as_object().unwrap() {
            match key.as_str() {
                "properties" => {
                    for field in rule.as_object().unwrap().keys() {
                        let place = format!("{pointer}/properties/{field}");
                        if into.insert(place.clone()) {
                            self.described_fields(&place, into);
                        }
                    }
                }
                "items" => self.described_fields(&format!("{pointer}/items"), into),
                "allOf" | "anyOf" | "oneOf" => {
                    (0..rule.as_array().unwrap().len())
                        .for_each(|at| self.described_fields(&format!("{pointer}/{key}/{at}"), into));
                }
                _ => {}
            }
        }
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    }
}

/// The words in backticks behind "expected".
fn expected(error: &Value) -> BTreeSet<String> {
    let error = error["error"].as_str().unwrap();
    let (_, behind) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
    behind.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

fn words<'v>(values: impl IntoIterator<Item = &'v Value>) -> BTreeSet<String> {
    values.into_iter().filter_map(Value::as_str).map(str::to_string).collect()
}

/// A value of this kind.
fn example(kind: &Value) -> Value {
    match (kind["enum"][0].as_str(), kind["type"].as_str()) {
        (Some(word), _) => word.into(),
        (None, Some("integer")) => 1.into(),
        (None, Some("boolean")) => true.into(),
        (None, Some("array")) => json!([]),
        (None, _) => "x".into(),
    }
}

/// The status and the JSON of the reply to what a client sends and then no more.
async fn exchange(admin: &Arc<Admin>, request: &[u8]) -> (u16, Value) {
    let (mut client, server) = tokio::io::duplex(4 << 20);
    client.write_all(request).await.unwrap();
    let mut reply = Vec::new();
    let (_, read) = tokio::join!(converse(admin.clone(), server), client.read_to_end(&mut reply));
    read.unwrap();
    let text = String::from_utf8(reply).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn world(folder: &std::path::Path, token: Option<&str>, limits: crate::io::admin::Limits) -> Arc<Admin> {
    let checkers = ["one", "two"]
        .map(|name| Arc::new(crate::health::checker::Checker { name: name.into(), ipv4: None, ipv6: None }));
    let settings = Settings { checkers: checkers.to_vec(), ..Settings::default() };
    admin_of(folder, token, &format!("{CHECKS}{QUERY}"), settings, limits)
}

#[test]
fn openapi_has_the_routes() {
    let mut there: Vec<_> =
        routes::ROUTES.iter().map(|(method, path, _)| (method.to_string(), path.to_string())).collect();
    let mut described: Vec<_> =
        Description::new().operations().into_iter().map(|(method, path)| (method.to_string(), path)).collect();
    there.sort();
    described.sort();
    assert_eq!(described, there);
}

#[tokio::test]
async fn openapi_has_the_parameters_and_the_fields_of_bodies_that_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let admin = world(folder.path(), None, Default::default());
    let description = Description::new();
    let mut bodies = 0;
    for (method, path) in description.operations() {
        let operation = description.at(&description.operation(&method, &path)).clone();
        let here = path.replace("{id}", "main");
        let empty = Vec::new();
        let parameters: Vec<_> = operation["parameters"].as_array().unwrap_or(&empty).iter().collect();
        assert!(parameters.iter().all(|parameter| parameter["in"] == "query"), "{path}");
        let of_path = description.at(&format!("/paths/{}", path.replace('/', "~1"))).get("parameters");
        assert_eq!(of_path.is_some(), path.contains("{id}"), "{path}");
        if ["/explain", "/odds"].contains(&&*path) {
            let (status, said) = ask(&admin, &method, &format!("{here}?nonsense=1"), "");
            let (_, known) = said["error"].as_str().unwrap().split_once("only ").unwrap();
            let known = known.split(';').next().unwrap().split(", ").map(str::to_string).collect();
            assert_eq!((status, words(parameters.iter().map(|one| &one["name"]))), (400, known), "{path}");
            let required: Vec<_> = parameters.iter().filter(|one| one["required"] == true).collect();
            assert_eq!(words(required.iter().map(|one| &one["name"])), BTreeSet::from(["name".to_string()]));
            assert_eq!(ask(&admin, &method, &here, "").0, 400, "without a name");
        } else {
            assert!(parameters.is_empty(), "{path} takes no parameters");
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema.is_null(), method == Method::GET || path == "/reload", "{path}");
        if schema.is_null() {
            continue;
        }
        bodies += 1;
        taken(&admin, &method, &here, schema, &|body| body);
        let items = &schema["properties"]["observations"]["items"];
        if !items.is_null() {
            taken(&admin, &method, &here, items, &|one| json!({ "observations": [one] }));
        }
    }
    assert_eq!(bodies, 5);
}

/// Asserts that a body takes the fields and words of its schema and no others, and misses those it requires.
fn taken(admin: &Admin, method: &Method, path: &str, schema: &Value, whole: &dyn Fn(Value) -> Value) {
    let refused = |body: Value| {
        let (status, said) = ask(admin, method, path, &whole(body).to_string());
        assert_eq!(status, 400, "{path}: {said}");
        said
    };
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(schema["additionalProperties"], false, "{path}");
    let names: BTreeSet<_> = properties.keys().cloned().collect();
    assert_eq!(expected(&refused(json!({ "nonsense": 1 }))), names, "{path}");
    let required = words(schema["required"].as_array().unwrap());
    for (field, kind) in properties {
        let others = properties.iter().filter(|(key, _)| *key != field && required.contains(*key));
        let mut body: serde_json::Map<_, _> = others.map(|(key, kind)| (key.clone(), example(kind))).collect();
        if required.contains(field) {
            let said = refused(json!(body));
            let missing = format!("the body is not what is wanted here: missing field `{field}`");
            assert!(said["error"].as_str().unwrap().starts_with(&missing), "{path}: {said}");
        }
        body.insert(field.clone(), if kind["enum"].is_array() { "nonsense".into() } else { json!({}) });
        let said = refused(json!(body));
        if let Some(all) = kind["enum"].as_array() {
            assert_eq!(expected(&said), words(all), "{path} {field}");
        }
    }
    for field in required {
        assert!(names.contains(&field), "{path} requires {field}, and does not describe it");
    }
}

#[tokio::test]
async fn openapi_has_the_statuses_and_the_fields_of_bodies_that_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut description = Description::new();
    let admin = world(folder.path(), None, Default::default());
    let observed = r#"{"checker": "paris", "healthy": false, "reason": "gone"}"#;
    let many = format!(
        r#"{{"observations": [{{"id": "nobody", "checker": "a", "healthy": true}}, {}"#,
        observed.replace('{', "{\"id\": \"blue\", ")
    ) + "]}";
    let too_many =
        json!({ "observations": vec![json!({ "id": "blue", "checker": "a", "healthy": true }); 1001] }).to_string();
    let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
    let mut requests: Vec<(&Method, &str, &str, &str, u16)> = vec![
        (&put, "/health/{id}", "green", r#"{"state": "down", "for_seconds": 600, "reason": "works"}"#, 200),
        (&put, "/health/{id}", "nobody", r#"{"state": "down"}"#, 404),
        (&put, "/health/{id}", "blue", "", 400),
        (&put, "/health/{id}/metric", "orders", r#"{"state": "ok"}"#, 200),
        (&put, "/health/{id}/metric", "nobody", r#"{"state": "ok"}"#, 404),
        (&put, "/health/{id}/metric", "blue", r#"{"state": "ok"}"#, 409),
        (&put, "/health/{id}/metric", "orders", "{}", 400),
        (&put, "/health/{id}/switch", "main", r#"{"on": false}"#, 200),
        (&put, "/health/{id}/switch", "nobody", r#"{"on": false}"#, 404),
        (&put, "/health/{id}/switch", "blue", r#"{"on": false}"#, 409),
        (&put, "/health/{id}/switch", "main", "[]", 400),
        (&post, "/health/{id}/observations", "blue", observed, 200),
        (&post, "/health/{id}/observations", "nobody", observed, 404),
        (&post, "/health/{id}/observations", "green", observed, 409),
        (&post, "/health/{id}/observations", "blue", "{", 400),
        (&post, "/observations", "", &many, 200),
        (&post, "/observations", "", "{}", 400),
        (&post, "/observations", "", &too_many, 413),
        (&post, "/reload", "", "", 200),
        (&get, "/health", "", "", 200),
        (&get, "/metrics", "", "", 200),
        (&get, "/openapi.json", "", "", 200),
        (&get, "/odds?name=www.example.com", "", "", 200),
        (&get, "/odds?name=out.example.com", "", "", 200),
        (&get, "/odds", "", "", 400),
        (&get, "/explain?name=www.example.com", "", "", 200),
        (&get, "/explain", "", "", 400),
    ];
    for id in ["blue", "green", "main", "orders", "rate"] {
        requests.push((&get, "/health/{id}", id, "", 200));
    }
    requests.push((&get, "/health/{id}", "nobody", "", 404));
    for (method, path, id, body, status) in requests {
        let (code, said) = ask(&admin, method, &path.replace("{id}", id), body);
        assert_eq!(code, status, "{method} {path} {id} {body}: {said}");
        description.reply(method, path.split('?').next().unwrap(), code, &said);
    }
    // More checkers than there is room for.
    let mut crowd = 0;
    let (code, said) = loop {
        crowd += 1;
        let body = json!({ "checker": format!("c{crowd}"), "healthy": true }).to_string();
        let (code, said) = ask(&admin, &post, "/health/blue/observations", &body);
        if code != 200 {
            break (code, said);
        }
        assert!(crowd < 1000);
    };
    assert_eq!(code, 429);
    description.reply(&post, "/health/{id}/observations", code, &said);
    // What only time brings is shown alone.
    let outcome = Outcome { finding: Finding::Answered(503), resolved: None, latency: Latency::default() };
    description.value("/components/schemas/Result", &view::past(&Past { at: Moment(5), outcome }));
    let read = Read { at: Moment(5), reading: Reading::Value(0.5), breached: Some(false), took: 7 };
    description.value("/components/schemas/Reading", &view::read(&read));

    // Questions that are refused, for which there is no thread, and that take too long.
    let seconds = Duration::from_secs;
    for (questions, status) in [
        (Questions::new(0, 0, seconds(9), 1 << 20), 429),
        (Questions::new(1, 1, seconds(9), 1 << 46), 503),
        (Questions::new(0, 1, seconds(0), 1 << 20), 504),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let admin = world(folder.path(), None, crate::io::admin::Limits { questions, ..Default::default() });
        for path in ["/explain", "/odds"] {
            let (code, said) = ask(&admin, &get, &format!("{path}?name=www.example.com"), "");
            assert_eq!(code, status, "{said}");
            description.reply(&get, path, code, &said);
        }
    }
    // Before the first load has ended.
    let waiting = crate::io::admin::waiting::reply();
    description.reply(&get, READY, waiting.status.as_u16(), &serde_json::from_slice(&waiting.body).unwrap());
    for (method, path, code, said) in on_the_wire(&description).await {
        description.reply(&method, &path, code, &said);
    }

    let mut fields = BTreeSet::new();
    for (method, path) in description.operations() {
        let responses = format!("{}/responses", description.operation(&method, &path));
        for status in description.at(&responses).as_object().unwrap().keys() {
            let seen = (method.to_string(), path.clone(), status.clone());
            assert!(status == "default" || description.statuses.contains(&seen), "never seen: {seen:?}");
            let schema =
                format!("{}/content/application~1json/schema", description.resolved(&format!("{responses}/{status}")));
            if description.root.pointer(&schema).is_some() {
                description.described_fields(&schema, &mut fields);
            }
        }
    }
    let lost: Vec<_> = fields.difference(&description.fields).collect();
    assert!(lost.is_empty(), "described, and in no reply: {lost:#?}");
}

/// What every operation replies to requests that are not heard out.
async fn on_the_wire(description: &Description) -> Vec<(Method, String, u16, Value)> {
    let (open, guarded) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = world(open.path(), None, Default::default());
    let guarded = world(guarded.path(), Some(TOKEN), Default::default());
    tokio::time::pause();
    let mut replies = Vec::new();
    for (method, path) in description.operations() {
        let line = format!("{method} {} HTTP/1.1\r\nConnection: close\r\n", path.replace("{id}", "main"));
        let host = "Host: localhost\r\n";
        let long = "x".repeat(OBSERVATIONS_BODY_MAX + 1);
        for (admin, rest, status) in [
            (&open, "\r\n".to_string(), 400),
            (&guarded, format!("{host}\r\n"), 401),
            (&open, format!("{host}Sec-Fetch-Site: cross-site\r\n\r\n"), 403),
            (&open, format!("{host}Content-Length: 9\r\n\r\n{{"), 408),
            (&open, format!("{host}Content-Length: {}\r\n\r\n{long}", long.len()), 413),
        ] {
            // Programs that start servers have no token, and ask this path.
            let status = if path == READY && status == 401 { 200 } else { status };
            let (code, said) = exchange(admin, format!("{line}{rest}").as_bytes()).await;
            assert_eq!(code, status, "{line}: {said}");
            replies.push((method.clone(), path.clone(), code, said));
        }
    }
    tokio::time::resume();
    replies
}
