//! Scenarios: `tests/scenarios/*.scn`, commands, `----`, what came back. `UPDATE=1 cargo test` rewrites what came back.
//!
//! | command | what it does |
//! |---|---|
//! | `zone ORIGIN` | takes the lines below it, up to `----` or the next such command, as that zone's file |
//! | `file NAME` | the same for any other file of the folders of zones and of geography (`*.csv`) |
//! | `check ID …` | defines health checks, of which it does not matter what they would ask |
//! | `place ROW` | adds a row to `places.csv`, in its usual columns |
//! | `setting KEY=VALUE` | changes a setting |
//! | `clock TIME` | reads the zones at this time, as `20261203100000`; without it no signature has ended |
//! | `resolver none` | no resolver is configured for names outside |
//! | `down ID`, `up ID`, `auto ID` | forces the verdict on a health check, or no longer does |
//! | `problems` | what is wrong with the files as they stand |
//! | `odds NAME TYPE …` | the exact odds of whole answers, as `odds --answers` prints them: `--from ADDRESS|NETWORK`, `--vpc ID`, `--listener ADDRESS:PORT`, `--json` |
//! | `explain NAME TYPE …` | every step, likewise; also `--seed N`, which is 1 where nothing is said |
//! | `dig NAME TYPE …` | asks: `+do`, `+edns`, `+bufsize=N`, `+tcp`, `+nsid`, `+subnet=NETWORK`, `+cookie=HEX`, `from=ADDRESS`, `at=ADDRESS:PORT` |
//!
//! A paragraph is a block; `#` lines say what it shows. The world lasts from block to block. It is a folder like any
//! operator's, read as the server reads it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use fingerpost::snapshot::settings::Settings;
use fingerpost::tell::{self, Request};
use fingerpost::wire::name::Name;
use fingerpost::wire::rdata;
use fingerpost::wire::rtype::Type;
use ipnet::IpNet;

use crate::folders::{Counts, Folders};
use crate::message::{self, Ask, Edns, Reply};
use crate::server::{Server, Transport};
use crate::{settings, text};

const PLACES: &str = "network,continent,country,subdivision,latitude,longitude,region\n";

pub struct World {
    folders: Folders,
    settings: Settings,
    clock: Option<u32>,
    resolver: bool,
    forced: BTreeMap<String, bool>,
    server: Option<Server>,
    counts: Counts,
}

impl World {
    fn new() -> World {
        let (folders, settings) = (Folders::default(), settings::quiet());
        let (clock, resolver, forced) = (None, true, BTreeMap::new());
        World { folders, settings, clock, resolver, forced, server: None, counts: Counts::new() }
    }

    fn server(&mut self) -> &mut Server {
        self.server.get_or_insert_with(|| {
            let (mut server, counts) = self.folders.serve(self.settings.clone());
            self.counts = counts;
            server.force(&self.forced);
            let Server { snapshot, problems, .. } = &mut server;
            if let Some(now) = self.clock {
                snapshot.zones.numbers().for_each(|zone| snapshot.image(zone).check_signatures(now, problems));
            }
            snapshot.check_outside(&|_| self.resolver, problems);
            problems.sort();
            server
        })
    }

    /// Carries out the commands of a block; returns what came back.
    fn play(&mut self, commands: &[&str]) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = commands;
        let tells = |command: &&&str| command.starts_with("odds ") || command.starts_with("explain ");
        let several = commands.iter().filter(tells).count() > 1;
        while let Some((&command, others)) = rest.split_first() {
            rest = others;
            let (word, argument) = command.split_once(' ').unwrap_or((command, ""));
            if several && tells(&&command) {
                writeln!(out, "> {command}").expect("strings take all");
            }
            match word {
                "#" | "" => {}
                "zone" | "file" => {
                    let next = |line: &&str| line.starts_with("zone ") || line.starts_with("file ");
                    let (lines, others) = rest.split_at(rest.iter().position(next).unwrap_or(rest.len()));
                    rest = others;
                    let name = if word == "zone" {
                        format!("{}.zone", argument.trim_end_matches('.'))
                    } else {
                        argument.to_string()
                    };
                    self.file(&name, &format!("{}\n", lines.join("\n")));
                    self.tell(&name, &mut out);
                }
                "check" => {
                    for id in argument.split_whitespace() {
                        let lines =
                            format!("[health_check.{id}]\ntype = \"TCP\"\nip_address = \"192.0.2.1\"\nport = 53\n");
                        self.add("health-checks.toml", "", &lines);
                    }
                }
                "place" => self.add("places.csv", PLACES, &format!("{argument}\n")),
                "down" | "up" | "auto" => {
                    match word {
                        "auto" => self.forced.remove(argument),
                        _ => self.forced.insert(argument.to_string(), word == "up"),
                    };
                    self.server = None;
                }
                "clock" => {
                    self.clock = Some(rdata::stamp::read(argument.as_bytes()).ok_or("a time is YYYYMMDDHHmmSS")?);
                    self.server = None;
                }
                "resolver" => (self.resolver, self.server) = (argument != "none", None),
                "setting" => {
                    settings::change(&mut self.settings, argument)?;
                    self.server = None;
                }
                "problems" => {
                    let lines = self.server().problem_lines();
                    out.push_str(if lines.is_empty() { "none\n" } else { "" });
                    lines.iter().for_each(|line| out.push_str(&format!("{line}\n")));
                }
                "dig" => self.dig(argument, &mut out)?,
                "odds" => self.odds(argument, &mut out)?,
                "explain" => self.explain(argument, &mut out)?,
                _ => return Err(format!("there is no command {word:?}")),
            }
        }
        Ok(out)
    }

    fn file(&mut self, name: &str, text: &str) {
        self.folders.files.insert(name.to_string(), text.to_string());
        self.server = None;
    }

    /// Adds to a file that begins with `head`.
    fn add(&mut self, name: &str, head: &str, lines: &str) {
        let file = self.folders.files.entry(name.to_string()).or_insert_with(|| head.to_string());
        file.push_str(lines);
        self.server = None;
    }

    /// What was read of a file, and what is wrong with it.
    fn tell(&mut self, name: &str, out: &mut String) {
        let problems = self.server().problem_lines();
        if let Some(&(records, sets)) = self.counts.get(name) {
            write!(out, "{records} records").expect("strings take all");
            if sets > 0 {
                write!(out, ", {sets} record sets").expect("strings take all");
            }
            out.push('\n');
        }
        let place = format!("{name}:");
        for line in problems.iter().filter(|line| line.starts_with(&place)) {
            writeln!(out, "{line}").expect("strings take all");
        }
    }

    fn odds(&mut self, argument: &str, out: &mut String) -> Result<(), String> {
        let asked = Asked::read(argument)?;
        match tell::odds(&self.server().snapshot, &asked.request) {
            Ok(told) => out.push_str(&printed(&told, tell::Odds::answers_text, asked.json)),
            Err(refused) => writeln!(out, "{refused}").expect("strings take all"),
        }
        Ok(())
    }

    fn explain(&mut self, argument: &str, out: &mut String) -> Result<(), String> {
        let asked = Asked::read(argument)?;
        let snapshot = &self.server().snapshot;
        let folder = snapshot.zones.numbers().next().and_then(|zone| Path::new(&*snapshot.image(zone).file).parent());
        let folder = folder.map(|folder| format!("{}/", folder.display())).unwrap_or_default();
        match tell::explain(snapshot, &asked.request, asked.seed) {
            // The folder has another name each time.
            Ok(told) => out.push_str(&printed(&told, tell::Explanation::text, asked.json).replace(&folder, "")),
            Err(refused) => writeln!(out, "{refused}").expect("strings take all"),
        }
        Ok(())
    }

    fn dig(&mut self, argument: &str, out: &mut String) -> Result<(), String> {
        let mut words = argument.split_whitespace();
        let (name, qtype) = (words.next().unwrap_or_default(), words.next().unwrap_or("A"));
        let name = Name::parse_absolute(name).map_err(|error| format!("{name}: {error}"))?;
        let qtype = Type::parse(qtype).ok_or_else(|| format!("{qtype} is no type"))?;
        let mut ask = Ask::new(&name, qtype);
        let mut source = IpAddr::from([198, 51, 100, 7]);
        let (mut transport, mut listener) = (Transport::Udp, None);
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let bad = || format!("{word} can't be understood");
            let edns = |ask: &mut Ask| ask.edns.get_or_insert(Edns { size: 1232, ..Edns::default() }).clone();
            match key {
                "+tcp" => transport = Transport::Tcp,
                "at" => listener = Some(value.parse().map_err(|_| bad())?),
                "from" => source = value.parse().map_err(|_| bad())?,
                "+edns" => ask.edns = Some(edns(&mut ask)),
                "+do" => ask.edns = Some(Edns { dnssec: true, ..edns(&mut ask) }),
                "+bufsize" => ask.edns = Some(Edns { size: value.parse().map_err(|_| bad())?, ..edns(&mut ask) }),
                "+nsid" | "+subnet" | "+cookie" | "+keepalive" => {
                    let option = match key {
                        "+nsid" => (3, Vec::new()),
                        "+subnet" => (8, client_subnet(value.parse().map_err(|_| bad())?)),
                        "+cookie" => (10, text::bytes(value)?),
                        _ => (11, Vec::new()),
                    };
                    let mut with = edns(&mut ask);
                    with.options.push(option);
                    ask.edns = Some(with);
                }
                _ => return Err(bad()),
            }
        }
        match self.server().ask_at(listener.as_ref(), &ask.packet(), transport, source) {
            None => writeln!(out, "{name} {qtype}: silence").expect("strings take all"),
            Some(packet) => write!(out, "{name} {qtype}: {}", shown(&Reply::read(&packet)?)).expect("strings take all"),
        }
        Ok(())
    }
}

/// A question as the command line takes it.
struct Asked {
    request: Request,
    seed: u64,
    json: bool,
}

impl Asked {
    fn read(argument: &str) -> Result<Asked, String> {
        let (mut plain, mut from, mut vpc, mut seed, mut json) = (Vec::new(), None, None, 1, false);
        let mut listener = None;
        let mut words = argument.split_whitespace();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word {
                "--from" => from = Some(value()?),
                "--vpc" => vpc = Some(value()?),
                "--listener" => {
                    listener = Some(value()?.parse().map_err(|_| "a listener is an address and port".to_string())?);
                }
                "--seed" => seed = value()?.parse().map_err(|_| "a seed is a number".to_string())?,
                "--json" => json = true,
                _ => plain.push(word),
            }
        }
        let (name, rtype) = match plain.as_slice() {
            [name] => (name, "A"),
            [name, rtype] => (name, *rtype),
            _ => return Err(format!("{argument:?} is not NAME and TYPE")),
        };
        let request = Request::read(name, rtype, from, vpc).map_err(|refused| refused.to_string())?;
        Ok(Asked { request: Request { listener, ..request }, seed, json })
    }
}

/// As a terminal without colours shows it, or as one JSON object.
fn printed<T: serde::Serialize>(told: &T, text: impl FnOnce(&T) -> String, json: bool) -> String {
    match json {
        true => serde_json::to_string_pretty(told).expect("plain data") + "\n",
        false => anstream::adapter::strip_str(&text(told)).to_string(),
    }
}

fn client_subnet(network: IpNet) -> Vec<u8> {
    let (family, address) = match network.addr() {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let kept = usize::from(network.prefix_len().div_ceil(8));
    [&[0, family, network.prefix_len(), 0][..], &address[..kept]].concat()
}

/// A reply as people read it: the header's flags, then a line for each record.
fn shown(reply: &Reply) -> String {
    let mut text = reply.rcode.to_string();
    for (flag, name) in [(message::AA, " aa"), (message::TC, " tc"), (message::RA, " ra")] {
        if reply.has(flag) {
            text.push_str(name);
        }
    }
    text.push('\n');
    for (title, section) in ["answer", "authority", "additional"].into_iter().zip(&reply.sections) {
        for rr in section {
            let data = rdata::show(rr.rtype, &rr.rdata);
            let line = format!("{title:<10}  {} {} {} {data}", rr.owner, rr.ttl, rr.rtype);
            writeln!(text, "{}", line.trim_end()).expect("strings take all");
        }
    }
    for (code, data) in reply.edns.iter().flat_map(|edns| &edns.options) {
        writeln!(text, "{:<10}  {}", text::option_name(*code), shown_option(*code, data)).expect("strings take all");
    }
    text
}

fn shown_option(code: u16, data: &[u8]) -> String {
    match (code, data) {
        (3, _) => String::from_utf8_lossy(data).into_owned(),
        (8, [0, family, source, scope, address @ ..]) => {
            let mut bytes = address.to_vec();
            bytes.resize(if *family == 1 { 4 } else { 16 }, 0);
            let address = match <[u8; 4]>::try_from(&bytes[..]) {
                Ok(bytes) => IpAddr::from(bytes),
                Err(_) => IpAddr::from(<[u8; 16]>::try_from(&bytes[..]).expect("16 bytes")),
            };
            format!("{address}/{source}, scope {scope}")
        }
        (15, [high, low, said @ ..]) => {
            let said = String::from_utf8_lossy(said);
            let code = u16::from_be_bytes([*high, *low]);
            if said.is_empty() { format!("{code}") } else { format!("{code}, {said}") }
        }
        (11, [high, low]) => format!("{} tenths of a second", u16::from_be_bytes([*high, *low])),
        _ => crate::random_zones::hex(data),
    }
}

/// The commands of each block of a file, without what came back.
pub fn blocks(file: &str) -> Vec<Vec<&str>> {
    let paragraphs = file.split("\n\n").map(|part| part.trim_matches('\n')).filter(|part| !part.is_empty());
    paragraphs.map(|part| part.lines().take_while(|line| *line != "----").collect()).collect()
}

fn played(file: &str) -> Result<String, String> {
    let mut world = World::new();
    let mut parts = Vec::new();
    for commands in blocks(file) {
        let title = commands.join("\n");
        if commands.iter().all(|line| line.starts_with('#')) {
            parts.push(format!("{title}\n"));
            continue;
        }
        let out = world.play(&commands).map_err(|what| format!("{what}, in\n{title}"))?;
        parts.push(format!("{title}\n----\n{out}"));
    }
    Ok(parts.join("\n"))
}

#[test]
fn scenarios_come_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let files = text::files(&folder, "scn");
    assert!(files.len() > 10, "only {} scenarios", files.len());
    for path in files {
        let file = fs::read_to_string(&path).expect("a scenario");
        assert!(file.starts_with("# "), "{} doesn't say what it shows", path.display());
        let now = played(&file).unwrap_or_else(|what| panic!("{}: {what}", path.display()));
        text::expect(&path, &file, &now);
    }
}
