//! `serve --no-probes`: what a server asks nothing of never sees a connection, and other checkers are heard.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::failover::wait_until;
use crate::sockets::{program, run};

const ZONE: &str = "www 1 IN A 192.0.2.1 ; AWS healthCheckId=\"shop\"\n";

/// A server, and what its endpoint and its Prometheus see.
struct Lab {
    child: Child,
    folder: tempfile::TempDir,
    admin: String,
    log: Arc<Mutex<String>>,
    endpoint: TcpListener,
    prometheus: TcpListener,
}

impl Lab {
    fn start(settings: &str, flags: &[&str]) -> Lab {
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let (endpoint, prometheus) = (listen(), listen());
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        for listener in [&endpoint, &prometheus] {
            listener.set_nonblocking(true).expect("a listener that does not wait");
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
        fs::write(folder.path().join("zones/shop.example.zone"), ZONE).expect("a zone");
        let checks = format!(
            "[health_check.shop]\ntype = \"TCP\"\nip_address = \"127.0.0.1\"\nport = {}\nrequest_interval = 1\n\
             [health_check.orders]\ntype = \"CLOUDWATCH_METRIC\"\nprometheus_url = \"http://127.0.0.1:{}\"\n\
             query = \"up\"\ncomparison_operator = \"LessThanThreshold\"\nthreshold = 1\nperiod = 1\n\
             insufficient_data_health_status = \"Unhealthy\"\n",
            port(&endpoint),
            port(&prometheus)
        );
        fs::write(folder.path().join("zones/health-checks.toml"), checks).expect("health checks");
        let mut lab = Lab {
            child: program(folder.path()).arg("--version").stdout(Stdio::null()).spawn().expect("the program"),
            folder,
            admin: String::new(),
            log: Arc::default(),
            endpoint,
            prometheus,
        };
        lab.set(settings);
        lab.serve(flags);
        lab
    }

    fn set(&self, settings: &str) {
        let settings = format!("limits = \"none\"\nhealth_observation_seconds = 1\n{settings}");
        fs::write(self.folder.path().join("fingerpost.toml"), settings).expect("settings");
    }

    /// Ends the server, and starts it again.
    fn serve(&mut self, flags: &[&str]) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut command = program(self.folder.path());
        command.args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(flags);
        self.child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program");
        let stderr = self.child.stderr.take().expect("its stderr");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let admin = lines.find_map(|line| Some(line.split_once("admin port on ")?.1.to_string()));
        self.admin = admin.expect("an admin port");
        let log = self.log.clone();
        std::thread::spawn(move || lines.for_each(|line| *log.lock().expect("the log") += &format!("{line}\n")));
    }

    /// SIGHUP: the settings are read again.
    fn reload(&self) {
        let sent = Command::new("kill").args(["-s", "HUP", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = run(self.folder.path(), &[arguments, &["--admin", &self.admin]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn list(&self) -> Value {
        serde_json::from_str(&self.says(&["health", "list", "--json"])).expect("JSON")
    }

    fn check(&self, id: &str) -> Value {
        let list = self.list();
        let checks = list["health_checks"].as_array().expect("checks");
        checks.iter().find(|check| check["id"] == id).expect("the check").clone()
    }

    /// Whether a connection came to the endpoint or to Prometheus.
    fn is_asked(&self) -> bool {
        [&self.endpoint, &self.prometheus].iter().any(|listener| match listener.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                false
            }
        })
    }

    fn logged(&self, what: &str) -> bool {
        self.log.lock().expect("the log").contains(what)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn without_probes_nothing_is_asked_and_other_checkers_are_heard() {
    let mut lab = Lab::start("", &["--no-probes"]);
    let list = lab.list();
    assert_eq!(list["probes"], false, "{list}");
    let (shop, orders) = (lab.check("shop"), lab.check("orders"));
    assert_eq!((&shop["healthy"], &orders["healthy"]), (&true.into(), &false.into()), "as they are initially");
    assert_eq!((&shop["next_probe"], &orders["next_probe"]), (&Value::Null, &Value::Null));
    lab.says(&["health", "set", "orders", "up"]);
    assert_eq!(lab.check("orders")["healthy"], true);
    lab.says(&["health", "observe", "shop", "--as", "lima", "down"]);
    assert_eq!(lab.check("shop")["healthy"], false);
    // Longer than new checks wait for their first probe: what lima said grows old after a second.
    wait_until("it is stale", || lab.check("shop")["stale"] == true);
    let shop = lab.check("shop");
    assert_eq!(shop["healthy"], false, "the last verdict stands: {shop}");
    let since = shop["stale_since"].as_str().expect("a time").to_string();
    assert!(lab.says(&["health"]).contains("unhealthy, stale"));
    wait_until("the log says so", || lab.logged(&format!("shop is unhealthy, stale since {since}")));

    lab.serve(&["--no-probes"]);
    let shop = lab.check("shop");
    assert_eq!((&shop["healthy"], &shop["stale"], &shop["stale_since"]), (&false.into(), &true.into(), &since.into()));
    assert!(!lab.is_asked());
}

#[test]
fn probes_begin_and_end_on_sighup_and_the_flag_wins() {
    let mut lab = Lab::start("probes = false\n", &[]);
    assert_eq!(lab.list()["probes"], false);
    assert!(!lab.is_asked());
    lab.set("");
    lab.reload();
    wait_until("it probes", || lab.is_asked());
    assert_eq!(lab.list()["probes"], true);
    lab.set("probes = false\n");
    lab.reload();
    wait_until("it probes no more", || lab.list()["probes"] == false);

    lab.set("");
    lab.serve(&["--no-probes"]);
    lab.set("[checker.paris]\nsource = \"127.0.0.1\"\n");
    lab.reload();
    let shop = || serde_json::from_str::<Value>(&lab.says(&["health", "show", "shop", "--json"])).expect("JSON");
    wait_until("the settings are read", || shop()["checkers"][0]["checker"] == "paris");
    assert_eq!((&lab.list()["probes"], &shop()["next_probe"]), (&false.into(), &Value::Null));
}

/// route53.md 3.5: what nobody has told anything yet, without a server too.
#[test]
fn rule_3_5_an_alarm_that_nobody_told_anything_stands_as_its_status_says() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    let (mut zone, mut checks, mut tests) = (String::new(), String::new(), String::new());
    for (name, address) in [("healthy", "192.0.2.1"), ("unhealthy", "192.0.2.2"), ("last-known-status", "192.0.2.1")] {
        let word: String = name.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
        zone += &format!(
            "{name} 1 IN A 192.0.2.1 ; AWS routing=\"FAILOVER\" failover=\"PRIMARY\" identifier=\"1\" healthCheckId=\"{name}\"\n\
             {name} 1 IN A 192.0.2.2 ; AWS routing=\"FAILOVER\" failover=\"SECONDARY\" identifier=\"2\"\n"
        );
        checks += &format!(
            "[health_check.{name}]\ntype = \"CLOUDWATCH_METRIC\"\ninsufficient_data_health_status = \"{word}\"\n\
             alarm_identifier = {{ region = \"eu-west-1\", name = \"{name}\" }}\n"
        );
        tests += &format!("[[test]]\nask = \"{name}.shop.example A\"\nexpect = [\"{address}\"]\n");
    }
    fs::write(folder.path().join("zones/shop.example.zone"), zone).expect("a zone");
    fs::write(folder.path().join("zones/health-checks.toml"), checks).expect("health checks");
    fs::write(folder.path().join("zones/shop.test.toml"), tests).expect("routing tests");
    let says = |arguments: &[&str]| {
        let output = run(folder.path(), arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    for (name, address) in [("healthy", "192.0.2.1"), ("unhealthy", "192.0.2.2"), ("last-known-status", "192.0.2.1")] {
        for command in ["odds", "explain"] {
            let said = says(&[command, &format!("{name}.shop.example")]);
            let last = said.lines().rfind(|line| line.contains("192.0.2.")).expect("an answer");
            assert!(last.contains(address), "{command} {name}: {said}");
        }
    }
    says(&["test"]);
}
