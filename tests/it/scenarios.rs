//! Scenarios: `tests/scenarios/*.scn`, commands, `----`, what came back. `UPDATE=1 cargo test` rewrites what came back.
//!
//! | command | what it does |
//! |---|---|
//! | `zone ORIGIN` | takes the lines below it, up to `----` or the next `zone`, as that zone's file |
//! | `setting KEY=VALUE` | changes a setting |
//! | `problems` | what is wrong with what the zones mean (what is wrong with their text is shown where they are given) |
//! | `dig NAME TYPE …` | asks: `+do`, `+edns`, `+bufsize=N`, `+tcp`, `+nsid`, `+subnet=NETWORK`, `+cookie=HEX`, `from=ADDRESS` |
//!
//! A paragraph is a block; `#` lines say what it shows. The world lasts from block to block.

use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use fingerpost::model::ZoneData;
use fingerpost::snapshot::settings::Settings;
use fingerpost::wire::name::Name;
use fingerpost::wire::rdata;
use fingerpost::wire::rtype::Type;
use ipnet::IpNet;

use crate::message::{self, Ask, Edns, Reply};
use crate::server::{self, Server, Transport};
use crate::{settings, text};

pub struct World {
    zones: Vec<(String, ZoneData)>,
    settings: Settings,
    server: Option<Server>,
}

impl World {
    fn new() -> World {
        World { zones: Vec::new(), settings: settings::quiet(), server: None }
    }

    fn server(&mut self) -> &mut Server {
        let zones = self.zones.iter().map(|(_, zone)| zone.clone()).collect();
        self.server.get_or_insert_with(|| Server::new(zones, self.settings.clone()))
    }

    /// Carries out the commands of a block; returns what came back.
    fn play(&mut self, commands: &[&str]) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = commands;
        while let Some((&command, others)) = rest.split_first() {
            rest = others;
            let (word, argument) = command.split_once(' ').unwrap_or((command, ""));
            match word {
                "#" | "" => {}
                "zone" => {
                    let length = rest.iter().position(|line| line.starts_with("zone ")).unwrap_or(rest.len());
                    let (lines, others) = rest.split_at(length);
                    rest = others;
                    self.zone(argument, &lines.join("\n"), &mut out)?;
                }
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
                _ => return Err(format!("there is no command {word:?}")),
            }
        }
        Ok(out)
    }

    fn zone(&mut self, origin: &str, lines: &str, out: &mut String) -> Result<(), String> {
        let (zone, problems) = server::load(origin, &format!("{lines}\n"));
        let (records, sets) = (zone.records.len(), zone.record_sets.len());
        write!(out, "{records} records").expect("strings take all");
        if sets > 0 {
            write!(out, ", {sets} record sets").expect("strings take all");
        }
        out.push('\n');
        for problem in problems.iter() {
            writeln!(out, "{problem}").expect("strings take all");
        }
        self.zones.retain(|(other, _)| other != origin);
        self.zones.push((origin.to_string(), zone));
        self.server = None;
        Ok(())
    }

    fn dig(&mut self, argument: &str, out: &mut String) -> Result<(), String> {
        let mut words = argument.split_whitespace();
        let (name, qtype) = (words.next().unwrap_or_default(), words.next().unwrap_or("A"));
        let name = Name::parse_absolute(name).map_err(|error| format!("{name}: {error}"))?;
        let qtype = Type::parse(qtype).ok_or_else(|| format!("{qtype} is no type"))?;
        let mut ask = Ask::new(&name, qtype);
        let mut source = IpAddr::from([198, 51, 100, 7]);
        let mut transport = Transport::Udp;
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let bad = || format!("{word} can't be understood");
            let edns = |ask: &mut Ask| ask.edns.get_or_insert(Edns { size: 1232, ..Edns::default() }).clone();
            match key {
                "+tcp" => transport = Transport::Tcp,
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
        match self.server().ask_from(&ask.packet(), transport, source) {
            None => out.push_str("silence\n"),
            Some(packet) => out.push_str(&shown(&Reply::read(&packet)?)),
        }
        Ok(())
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
