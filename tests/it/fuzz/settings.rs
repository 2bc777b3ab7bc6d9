//! Any text as `fingerpost.toml`: nothing panics, every problem has its place, and with settings that have no error the
//! server answers and keeps to them, and the control plane runs.

use std::path::Path;

use fingerpost::config::Config;
use fingerpost::control::{Control, Event, Kept};
use fingerpost::moment::Moment;
use fingerpost::wire::cookie::Secrets;
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::Type;

use super::seeds;
use crate::message::{Ask, Edns, Reply};
use crate::server::{Server, Transport, load};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (config, problems) = Config::read(text, "fingerpost.toml", Path::new("/etc/fingerpost"));
    seeds::all_inside(&problems, bytes);
    if problems.errors() > 0 {
        return;
    }
    let secrets = Secrets { current: [1; 16], previous: None };
    let settings = config.settings_on("a-host.example", Some(secrets));
    let limit = settings.udp_payload_max;
    assert!((512..=4096).contains(&limit), "{limit}");
    let text =
        format!("$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nbig TXT {}\n", "\"0123456789\" ".repeat(400));
    let (zone, _) = load("example.", &text);
    let mut server = Server::new(vec![zone], settings).limited();
    let name = Name::parse_absolute("big.example.").expect("a name");
    for (rtype, options) in [(Type::TXT, vec![(3, vec![]), (10, vec![1; 8])]), (Type::ANY, vec![])] {
        let edns = Some(Edns { size: 65_535, dnssec: true, options, ..Edns::default() });
        let packet = Ask { edns, ..Ask::new(&name, rtype) }.packet();
        for transport in [Transport::Udp, Transport::Tcp, Transport::Https] {
            let Some(reply) = server.ask(&packet, transport) else { continue };
            Reply::read(&reply).unwrap_or_else(|what| panic!("{what}"));
            assert!(transport != Transport::Udp || reply.len() <= usize::from(limit), "{} bytes", reply.len());
        }
    }
    assert!(!config.health.control.checkers.is_empty());
    let mut control = Control::new(config.health.control, Kept::default(), 1, Moment(1000));
    assert!(control.handle(Event::Tick, Moment(1000)).is_ok());
}

pub fn seeds() -> Vec<Vec<u8>> {
    let documents = ["docs/config.md", "docs/encrypted.md", "docs/health.md"];
    documents.iter().flat_map(|document| seeds::blocks(document)).collect()
}
