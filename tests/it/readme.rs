//! The README's tour: what it shows is what comes back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use fingerpost::io::load::{Folders, Loader};
use fingerpost::model::Limits;
use fingerpost::snapshot::Snapshot;
use fingerpost::snapshot::settings::Settings;
use fingerpost::tell::{self, Forced, Request};

/// What is shown for its form: the folder isn't there, or it serves on.
const NOT_RUN: [&str; 4] = [
    "fingerpost check --zones /srv/zones",
    "fingerpost serve --zones /srv/zones",
    "fingerpost serve --self-signed",
    "fingerpost test",
];

/// How the tour asks.
const CLIENTS: [&str; 2] = ["dig @127.0.0.1 -p 5300 +short ", "kdig @127.0.0.1 -p 5853 +tls +short "];

/// The names that the tour has to show, one for each way of routing.
const SAMPLES: [&str; 10] = [
    "www.example.com",
    "shop.example.com",
    "api.example.com",
    "geo.example.com",
    "near.example.com",
    "isp.example.com",
    "many.example.com",
    "app.example.com",
    "www.example.org",
    "intranet.corp.example",
];

/// The commands of the console blocks, each with the lines that follow it.
fn tour(readme: &str) -> Vec<(String, Vec<String>)> {
    let mut tour: Vec<(String, Vec<String>)> = Vec::new();
    for block in readme.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines() {
            match (line.strip_prefix("$ "), tour.last_mut()) {
                (Some(command), _) => {
                    let command = command.split(" #").next().unwrap_or_default().trim_end();
                    tour.push((command.to_string(), Vec::new()));
                }
                (None, Some((_, shown))) if !line.is_empty() => shown.push(line.to_string()),
                (None, _) => {}
            }
        }
    }
    tour
}

fn samples() -> Snapshot {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = Folders::find(Some(root.join("zones")), Some(root.join("geo"))).expect("the samples");
    let mut loader = Loader::new(folders, Limits::default(), Settings::modern()).expect("a loader");
    let loaded = loader.load().expect("the samples");
    assert_eq!(loaded.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    (*loaded.snapshot).clone()
}

/// Whether `dig +short` may show this: one of the answers that have a share.
fn may_dig(snapshot: &Snapshot, arguments: &str, shown: &[String]) {
    let mut words = arguments.split_whitespace();
    let name = words.next().expect("a name");
    let (mut rtype, mut from) = ("A", None);
    for word in words {
        match word.split_once('=') {
            Some(("+subnet", network)) => from = Some(network),
            None if !word.starts_with('+') => rtype = word,
            _ => panic!("{word} in dig {arguments}"),
        }
    }
    let request = Request::read(name, rtype, from, None).expect("a question");
    let answers = tell::odds(snapshot, &request).expect("odds").answers.expect("few answers");
    let mut shown = shown.to_vec();
    shown.sort();
    let fits = answers.iter().any(|answer| {
        let mut data: Vec<String> = answer.records.iter().map(|record| record.data().to_string()).collect();
        data.sort();
        data == shown
    });
    assert!(fits, "dig {arguments} never shows {shown:?}: {answers:#?}");
}

#[test]
fn the_tour_shows_what_comes_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    let samples = samples();
    let mut forced = BTreeMap::new();
    let tour = tour(&readme);
    for (command, shown) in &tour {
        if NOT_RUN.iter().any(|form| command.starts_with(form)) {
            continue;
        }
        if let Some(arguments) = CLIENTS.iter().find_map(|client| command.strip_prefix(client)) {
            let down = forced.iter().filter(|(_, state)| **state == "down").map(|(id, _): (&String, _)| id.clone());
            let world = Forced { down: down.collect(), up: Vec::new() }.onto(&samples).expect("a world");
            may_dig(&world, arguments, shown);
        } else if let Some(arguments) = command.strip_prefix("fingerpost health set ") {
            let (id, state) = arguments.split_once(' ').expect("a check and a state");
            forced.insert(id.to_string(), state);
            let word = if state == "down" { "is unhealthy, forced" } else { "is healthy and goes by itself" };
            assert!(shown.iter().all(|line| line.starts_with(&format!("{id} {word}"))), "{command}: {shown:?}");
        } else if let Some(arguments) = command.strip_prefix("fingerpost ") {
            let program = env!("CARGO_BIN_EXE_fingerpost");
            let output =
                Command::new(program).current_dir(root).args(arguments.split(' ')).output().expect("the program");
            let printed = String::from_utf8_lossy(&output.stdout);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(printed.lines().collect::<Vec<_>>(), *shown, "{command}\n{said}");
        } else {
            panic!("nobody knows how to run {command:?}");
        }
    }
    for name in SAMPLES {
        assert!(tour.iter().any(|(command, _)| command.contains(name)), "the tour doesn't ask for {name}");
    }
}
