//! The commands that tell, as a shell sees them: what they print, where, and the codes they end with.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::sockets;

const APEX: &str = "$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";

const STEERED: &str = "\
www A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=3 identifier=\"blue\" healthCheckId=\"blue\"
www A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"green\"
out AWS ALIAS A lb.example.net. Z1 true
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| fs::write(folder.path().join("zones").join(file), text).expect("written");
    fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    write("example.com.zone", &format!("{APEX}{STEERED}"));
    write(
        "inside.zone",
        &format!("; AWS hostedzone name=\"example.com\" private=true vpcs=\"vpc-1\"\n{APEX}www A 10.0.0.1\n"),
    );
    write("broken.example.zone", &format!("{APEX}www A 192.0.2\n"));
    write("health-checks.toml", "[health_check.blue]\ntype = \"TCP\"\nip_address = \"192.0.2.1\"\nport = 80\n");
    write("vpcs.toml", "[vpc.vpc-1]\nregion = \"eu-west-1\"\nnetworks = [\"10.0.0.0/8\"]\n");
    folder
}

/// Code, stdout and stderr.
fn run(folder: &Path, arguments: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    let output = command.current_dir(folder).args(arguments.split(' ')).output().expect("the program");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn odds_print_one_object() {
    let folder = folder();
    let odds = |arguments: &str| -> Value {
        let (code, out, said) = run(folder.path(), &format!("odds {arguments} --json"));
        assert_eq!(code, Some(0), "{arguments}: {said}");
        serde_json::from_str(&out).expect("one object")
    };
    let record = |data: &str| json!({"name": "www.example.com.", "type": "A", "ttl": 60, "data": data});
    let blue = json!({"share": "3/4", "name": "www.example.com.", "type": "A", "ttl": 60, "data": "192.0.2.1"});
    let told = odds("www.example.com");
    assert_eq!(
        (&told["name"], &told["type"], &told["rcode"]),
        (&json!("www.example.com."), &json!("A"), &json!("NOERROR"))
    );
    assert_eq!(told["records"][0], blue);
    assert_eq!(told["answers"][1], json!({"share": "1/4", "rcode": "NOERROR", "records": [record("192.0.2.2")]}));
    assert_eq!(odds("www.example.com. A --down blue")["answers"][0]["records"], json!([record("192.0.2.2")]));
    assert_eq!(odds("www.example.com --vpc vpc-1")["answers"][0]["records"], json!([record("10.0.0.1")]));
    assert_eq!(odds("www.example.com --from 10.1.2.3")["answers"][0]["records"], json!([record("10.0.0.1")]));
    assert_eq!(odds("www.example.com --from 198.51.100.7/24")["records"][0]["share"], "3/4");
    assert_eq!(odds("out.example.com")["records"][0]["upstream"], "lb.example.net.");
    assert_eq!(odds("nowhere.example")["rcode"], "REFUSED");
    assert_eq!(
        odds("none.example.com TYPE65280")["answers"],
        json!([{"share": "1", "rcode": "NXDOMAIN", "records": []}])
    );
}

#[test]
fn codes_tell_what_was_wrong() {
    let folder = folder();
    for (arguments, code, told) in [
        ("odds www.example.com --down bleu", 2, "did you mean \"blue\"?"),
        ("odds www.example.com --up blue --down blue", 2, "both up and down"),
        ("explain www.example.com --vpc vpc-2", 2, "no VPC is called \"vpc-2\", did you mean \"vpc-1\"?"),
        ("explain www.example.com --from here", 2, "neither an address"),
        ("explain www.example.com AXFR", 2, "AXFR is not a question"),
        ("odds a..b", 2, "\"a..b\" is not a name"),
        ("odds www.broken.example", 1, "zones/broken.example.zone:5:7: "),
        ("odds www.example.com", 0, ""),
        ("explain www.example.com --server 127.0.0.1:1", 2, "no server answers on its admin port"),
    ] {
        let (found, _, said) = run(folder.path(), arguments);
        assert_eq!((found, said.contains(told)), (Some(code), true), "{arguments}: {said}");
    }
}

#[test]
fn explain_tells_every_step_and_throws_the_same_dice_for_a_seed() {
    let folder = folder();
    let explain = |more: &str| run(folder.path(), &format!("explain www.example.com --down blue --seed 7{more}"));
    let (code, out, _) = explain("");
    assert_eq!(code, Some(0));
    assert_eq!(
        out.lines().collect::<Vec<_>>(),
        [
            "client  127.0.0.1 by its address",
            "zone    example.com. of zones/example.com.zone",
            "group   www.example.com. A, weighted, 2 members",
            "out     blue   blue unhealthy since 0s: forced",
            "choose  green  the only candidate",
            "ttl     60 s, its own",
            "scope   everybody fares alike",
            "answer  60 A 192.0.2.2",
        ]
    );
    let told: Value = serde_json::from_str(&explain(" --json").1).expect("one object");
    assert_eq!((&told["rcode"], &told["answer"][0]["data"]), (&json!("NOERROR"), &json!("192.0.2.2")));
    assert_eq!(told["steps"][3]["check"], "blue");
    let thrown = || run(folder.path(), "explain www.example.com --seed 2026").1;
    assert!(thrown().contains("(seed 2026)"));
    assert_eq!(thrown(), thrown());
}

#[test]
fn routing_tests_pass_or_say_what_is_so_instead() {
    let folder = folder();
    let file = folder.path().join("zones/a.test.toml");
    assert_eq!(run(folder.path(), "test").0, Some(0));
    fs::write(&file, "[[test]]\nask = \"www.example.com\"\ndown = [\"blue\"]\nexpect = [\"192.0.2.2\"]\n")
        .expect("written");
    let (code, out, said) = run(folder.path(), "test");
    assert_eq!(
        (code, out.as_str(), said.contains("1 test passed, 0 failed")),
        (Some(0), "www.example.com  ok\n", true)
    );
    fs::write(&file, "[[test]]\nask = \"www.example.com\"\nexpect = [\"192.0.2.2\"]\n").expect("written");
    let (code, out, _) = run(folder.path(), "test zones/a.test.toml");
    assert_eq!(
        (code, out.contains("zones/a.test.toml:3:10: error: 3/4 of the answers are 192.0.2.1")),
        (Some(1), true),
        "{out}"
    );
    assert_eq!(run(folder.path(), "test nowhere.test.toml").0, Some(2));
    let samples = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (code, out, _) = run(samples, "test");
    assert_eq!(code, Some(0), "{out}");
}

/// Where the server wants a token, whoever asks it needs one; what it answers is what the folders answer.
#[test]
fn a_running_server_tells_what_its_folders_do() {
    const TOKEN: (&str, &str) = ("FINGERPOST_ADMIN_TOKEN", "as long as a token has to be, and longer");
    let zone = format!("{APEX}{STEERED}");
    let checks = "[health_check.blue]\ntype = \"TCP\"\nip_address = \"192.0.2.1\"\nport = 80\ndisabled = true\n";
    let server =
        sockets::Server::of(&[("zones/example.com.zone", &zone), ("zones/health-checks.toml", checks)], &[TOKEN]);
    let (folder, admin) = (server.folder(), server.admin());
    let ask = |arguments: &str, token: Option<&str>| {
        let mut command = sockets::program(folder);
        command.args(arguments.split(' ')).env_remove(TOKEN.0).envs(token.map(|token| (TOKEN.0, token)));
        let output = command.output().expect("the program");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for question in ["odds www.example.com", "explain www.example.com --seed 5", "odds out.example.com --json"] {
        let (code, offline, said) = ask(question, None);
        assert_eq!(code, Some(0), "{said}");
        let (code, online, said) = ask(&format!("{question} --server {admin}"), Some(TOKEN.1));
        assert_eq!((code, online), (Some(0), offline), "{said}");
        for wrong in [None, Some("guessed")] {
            let (code, online, said) = ask(&format!("{question} --server {admin}"), wrong);
            assert_eq!((code, online.as_str()), (Some(2), ""), "{said}");
            assert!(said.contains(&admin) && said.contains("FINGERPOST_ADMIN_TOKEN"), "{said}");
        }
    }
    let (code, _, said) = ask(&format!("odds www.example.com --vpc vpc-9 --server {admin}"), Some(TOKEN.1));
    assert_eq!((code, said.contains("no VPC is called \"vpc-9\"")), (Some(2), true), "{said}");
}
