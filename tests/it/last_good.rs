//! Last good versions of zones, as a loader keeps them for the next process: what a start serves where a file is broken.

use std::fs;
use std::path::{Path, PathBuf};

use fingerpost::io::last_good::LastGood;
use fingerpost::io::load::{Folders, Loaded, Loader};
use fingerpost::model::Limits;
use fingerpost::snapshot::Settings;
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::{Rcode, Type};

use crate::message::{Ask, Edns, Reply};
use crate::server::{Server, Transport};
use crate::sockets::ZONE;

const BROKEN: &str = "$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nwww A nonsense\n";

const EXTENDED_ERROR: u16 = 15;

struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new(files: &[(&str, &str)]) -> Lab {
        let lab = Lab { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(lab.folder.path().join("state")).expect("a folder");
        files.iter().for_each(|(name, text)| lab.write(name, text));
        lab
    }

    fn zones(&self) -> PathBuf {
        self.folder.path().join("zones")
    }

    /// Another file each time, since two versions within one tick of the clock may be of one size.
    fn write(&self, name: &str, text: &str) {
        let path = self.zones().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let next = self.folder.path().join("next");
        fs::write(&next, text).expect("a file");
        fs::rename(next, path).expect("its place");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.zones().join(name)).expect("removed");
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("state/last-good")
    }

    /// A process begins: it loads, and keeps what is good.
    fn start(&self) -> (Loader, Loaded) {
        let (mut loader, loaded) = self.look();
        loader.keep(false);
        (loader, loaded)
    }

    /// The same without keeping anything.
    fn look(&self) -> (Loader, Loaded) {
        let folders = Folders { zones: self.zones(), geo: None };
        let mut loader = Loader::new(folders, Limits::Route53, Settings::modern()).expect("a loader");
        loader.keeping_in(Some(LastGood::open(&self.folder.path().join("state")).expect("the state folder")));
        let loaded = loader.load().expect("a load");
        (loader, loaded)
    }
}

fn ask(loaded: &Loaded, name: &str, qtype: Type) -> Reply {
    let name = Name::parse_absolute(name).expect("a name");
    let edns = Some(Edns { size: 1232, ..Edns::default() });
    let packet = Ask { edns, ..Ask::new(&name, qtype) }.packet();
    let mut server = Server::of((*loaded.snapshot).clone());
    Reply::read(&server.ask(&packet, Transport::Udp).expect("a reply")).expect("a whole reply")
}

/// The response code and the data of the answer.
fn told(loaded: &Loaded, name: &str) -> (Rcode, Vec<Vec<u8>>) {
    let reply = ask(loaded, name, Type::A);
    (reply.rcode, reply.sections[0].iter().map(|record| record.rdata.clone()).collect())
}

fn address(last: u8) -> (Rcode, Vec<Vec<u8>>) {
    (Rcode::NOERROR, vec![vec![192, 0, 2, last]])
}

/// The extended error of a reply.
fn extended_error(reply: &Reply) -> Option<u16> {
    let options = &reply.edns.as_ref()?.options;
    let (_, data) = options.iter().find(|(code, _)| *code == EXTENDED_ERROR)?;
    Some(u16::from_be_bytes([data[0], data[1]]))
}

#[test]
fn a_zone_that_is_broken_at_the_start_is_served_as_it_was_last_good() {
    let with_include = format!("{ZONE}$INCLUDE parts/more\n");
    let lab = Lab::new(&[
        ("example.com.zone", ZONE),
        ("example.net.zone", &with_include),
        ("parts/more", "$INCLUDE deeper\nmore A 192.0.2.3\n"),
        ("parts/deeper", "deeper A 192.0.2.4\n"),
        (
            "example.org.json",
            "{\"ResourceRecordSets\": [{\"Name\": \"www.example.org.\", \"Type\": \"A\", \"TTL\": 5, \
          \"ResourceRecords\": [{\"Value\": \"192.0.2.9\"}]}]}",
        ),
    ]);
    lab.start();
    lab.write("example.com.zone", BROKEN);
    lab.write("parts/more", "nonsense\n");
    lab.write("parts/deeper", "nonsense\n");
    lab.write("example.org.json", "{");
    for _ in 0..2 {
        let (_, loaded) = lab.start();
        assert_eq!((loaded.kept.len(), loaded.refused.len()), (3, 0));
        assert_eq!(told(&loaded, "www.example.com"), address(2));
        assert_eq!(told(&loaded, "www.example.net"), address(2));
        assert_eq!(told(&loaded, "more.example.net"), address(3));
        assert_eq!(told(&loaded, "deeper.example.net"), address(4));
        assert_eq!(told(&loaded, "www.example.org"), address(9));
    }
    // Once it is right again, that is served, and kept.
    lab.write("example.com.zone", &ZONE.replace("192.0.2.2", "192.0.2.7"));
    assert_eq!(told(&lab.start().1, "www.example.com"), address(7));
    lab.write("example.com.zone", BROKEN);
    assert_eq!(told(&lab.start().1, "www.example.com"), address(7));
}

#[test]
fn a_zone_of_broken_shared_files_is_served_as_it_was_last_good() {
    let checked = format!("{ZONE}up A 192.0.2.5 ; AWS routing=\"MULTIVALUE\" identifier=\"a\" healthCheckId=\"one\"\n");
    let check = "[health_check.one]\ntype = \"HTTP\"\nip_address = \"127.0.0.1\"\nport = 9\n";
    let lab = Lab::new(&[("example.com.zone", &checked), ("health-checks.toml", check)]);
    lab.start();
    lab.write("health-checks.toml", "[health_check.one]\ntype = \"NONSENSE\"\n");
    let (_, loaded) = lab.start();
    assert_eq!(told(&loaded, "up.example.com"), address(5));
    assert!(loaded.snapshot.shared.health_checks.contains_key("one"), "the checks are those that were last good");
    // Where the file is gone its checks are, and so is its last good version.
    lab.remove("health-checks.toml");
    assert!(lab.start().1.snapshot.shared.health_checks.is_empty());
    lab.write("health-checks.toml", "[health_check.one]\ntype = \"NONSENSE\"\n");
    assert!(lab.start().1.snapshot.shared.health_checks.is_empty());
}

#[test]
fn a_zone_without_a_last_good_version_is_servfail_for_all_its_names() {
    let lab = Lab::new(&[
        ("example.com.zone", BROKEN),
        ("sub.example.com.zone", ZONE),
        ("example.net.zone", "@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nalias CNAME www.example.com.\n"),
        ("not..a.name.zone", ZONE),
    ]);
    let (mut loader, loaded) = lab.start();
    for name in ["example.com", "www.example.com", "a.b.example.com", "*.example.com"] {
        for qtype in [Type::A, Type::DS, Type::ANY, Type::RRSIG, Type::SOA] {
            let reply = ask(&loaded, name, qtype);
            assert_eq!((reply.rcode, extended_error(&reply)), (Rcode::SERVFAIL, Some(24)), "{name} {qtype}");
            assert!(reply.sections[0].is_empty() && reply.sections[1].is_empty(), "{name} {qtype}");
        }
    }
    assert_eq!(told(&loaded, "www.sub.example.com"), address(2), "another zone below it is served");
    assert_eq!(told(&loaded, "www.example.org").0, Rcode::REFUSED, "no file claims it, and none claims the root");
    let chain = ask(&loaded, "alias.example.net", Type::A);
    assert_eq!((chain.rcode, chain.sections[0].len()), (Rcode::NOERROR, 1), "the client follows the chain itself");
    assert_eq!(loaded.zones, 2, "a claim is no zone that is served");
    // A reload that mends it serves it, and one that breaks a new zone claims that.
    lab.write("example.com.zone", ZONE);
    lab.write("new.example.zone", BROKEN);
    let loaded = loader.load().expect("a load");
    assert!(loaded.changed);
    assert_eq!(told(&loaded, "www.example.com"), address(2));
    assert_eq!(told(&loaded, "www.new.example").0, Rcode::SERVFAIL);
    lab.remove("new.example.zone");
    let loaded = loader.load().expect("a load");
    assert!(loaded.changed);
    assert_eq!(told(&loaded, "www.new.example").0, Rcode::REFUSED);
}

#[test]
fn a_zone_whose_file_is_gone_is_gone() {
    let lab = Lab::new(&[("example.com.zone", ZONE), ("example.net.zone", ZONE)]);
    lab.start();
    lab.remove("example.com.zone");
    assert_eq!(told(&lab.start().1, "www.example.com").0, Rcode::REFUSED);
    // Its last good version is gone with it.
    lab.write("example.com.zone", BROKEN);
    assert_eq!(told(&lab.start().1, "www.example.com").0, Rcode::SERVFAIL);
    assert_eq!(told(&lab.start().1, "www.example.net"), address(2));
}

#[test]
fn a_zone_whose_link_leads_nowhere_is_not_gone() {
    let lab = Lab::new(&[("example.net.zone", ZONE)]);
    let target = lab.folder.path().join("target");
    fs::write(&target, ZONE).expect("a file");
    std::os::unix::fs::symlink(&target, lab.zones().join("example.com.zone")).expect("a link");
    let (mut loader, loaded) = lab.start();
    assert_eq!(told(&loaded, "www.example.com"), address(2));
    fs::remove_file(&target).expect("removed");
    let running = loader.load().expect("a load");
    let (_, restarted) = lab.start();
    for loaded in [running, restarted] {
        assert_eq!((told(&loaded, "www.example.com"), loaded.problems.errors()), (address(2), 1));
    }
    fs::remove_file(lab.kept()).expect("removed");
    assert_eq!(told(&lab.start().1, "www.example.com").0, Rcode::SERVFAIL);
    lab.remove("example.com.zone");
    assert_eq!(told(&lab.start().1, "www.example.com").0, Rcode::REFUSED);
}

#[test]
fn a_served_zone_is_not_taken_over_by_the_file_of_a_newcomer() {
    let other = ZONE.replace("192.0.2.2", "192.0.2.66");
    for newcomer in ["EXAMPLE.com.zone", "example.com.json"] {
        let text = match newcomer.ends_with("json") {
            true => "{\"ResourceRecordSets\": []}",
            false => &other,
        };
        let lab = Lab::new(&[("example.com.zone", ZONE)]);
        let (mut loader, _) = lab.start();
        lab.write(newcomer, text);
        let running = loader.load().expect("a load");
        // After a restart too, also where the file that is served is broken.
        let (_, restarted) = lab.start();
        lab.write("example.com.zone", BROKEN);
        let (_, broken) = lab.start();
        for loaded in [&running, &restarted, &broken] {
            assert_eq!(told(loaded, "www.example.com"), address(2), "{newcomer}");
            let errors: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
            let wanted = format!("{newcomer}:1:1: error: the zone example.com. is claimed by ");
            let named = |error: &String| error.contains(&wanted) && error.contains("/example.com.zone too");
            assert!(errors.iter().any(named), "{errors:?}");
        }
        // When it goes, the newcomer has its turn.
        lab.remove("example.com.zone");
        let (_, loaded) = lab.start();
        assert_eq!((loaded.zones, loaded.problems.errors()), (1, 0), "{newcomer}");
    }
    // Without any memory the first by name is served.
    let lab = Lab::new(&[("example.com.zone", ZONE), ("EXAMPLE.com.zone", &other)]);
    assert_eq!(told(&lab.look().1, "www.example.com"), address(66));
}

#[test]
fn a_private_zone_keeps_the_vpcs_that_it_is_served_to() {
    let private = |vpcs: &str, last: u8| {
        let zone = ZONE.replace("192.0.2.2", &format!("192.0.2.{last}"));
        format!("; AWS hostedzone name=\"example.com\" private=true vpcs=\"{vpcs}\"\n{zone}")
    };
    let lab = Lab::new(&[("m.zone", &private("vpc-1 vpc-2", 2))]);
    let (mut loader, _) = lab.start();
    lab.write("a.zone", &private("vpc-2 vpc-3", 66));
    let refused = |loaded: &Loaded| -> Vec<String> { loaded.refused.iter().map(|file| name_of(file)).collect() };
    assert_eq!(refused(&loader.load().expect("a load")), ["a.zone"]);
    assert_eq!(refused(&lab.start().1), ["a.zone"]);
    // Two that are served, one of which reaches for the other's VPC: it stays as it was.
    lab.write("a.zone", &private("vpc-3", 66));
    let (mut loader, loaded) = lab.start();
    assert_eq!((loaded.zones, loaded.problems.errors()), (2, 0));
    lab.write("a.zone", &private("vpc-1 vpc-3", 66));
    let loaded = loader.load().expect("a load");
    let kept: Vec<String> = loaded.kept.iter().map(|file| name_of(file)).collect();
    assert_eq!((loaded.zones, kept), (2, vec!["a.zone".to_string()]));
}

fn name_of(file: &str) -> String {
    Path::new(file).file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn a_store_that_a_crash_cut_off_or_that_is_damaged_is_no_obstacle() {
    let lab = Lab::new(&[("example.com.zone", ZONE), ("example.net.zone", ZONE)]);
    lab.start();
    let whole = fs::read(lab.kept()).expect("the store");
    lab.write("example.com.zone", BROKEN);
    lab.write("example.net.zone", BROKEN);
    for length in (0..whole.len()).step_by(7) {
        fs::write(lab.kept(), &whole[..length]).expect("cut off");
        let (_, loaded) = lab.look();
        for name in ["www.example.com", "www.example.net"] {
            let told = told(&loaded, name);
            assert!(told == address(2) || told.0 == Rcode::SERVFAIL, "{length}: {told:?}");
        }
    }
    // Another byte in a zone's text: the version is not used.
    let at = whole.windows(9).position(|bytes| bytes == b"192.0.2.2").expect("the first zone");
    let mut damaged = whole.clone();
    damaged[at + 8] = b'9';
    fs::write(lab.kept(), &damaged).expect("damaged");
    let (_, loaded) = lab.start();
    assert_eq!(told(&loaded, "www.example.com").0, Rcode::SERVFAIL);
    assert_eq!(told(&loaded, "www.example.net"), address(2));
}

#[test]
fn a_store_that_cannot_be_understood_is_kept_under_another_name() {
    let lab = Lab::new(&[("example.com.zone", ZONE), ("example.net.zone", ZONE)]);
    lab.start();
    let whole = fs::read(lab.kept()).expect("the store");
    let second = 1 + whole[1..].windows(4).position(|bytes| bytes == b"FPlg").expect("a second record");
    // The first bytes of a record, and its head.
    for (number, at, good) in [(1, 0, 0), (2, second, second), (3, second + 20, second)] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(lab.kept(), &damaged).expect("damaged");
        lab.look();
        let aside = fs::read(lab.kept().with_file_name(format!("last-good.unreadable-{number}")));
        assert!(aside.expect("another name") == damaged, "byte {at}");
        assert!(fs::read(lab.kept()).expect("the store") == whole[..good], "byte {at}");
    }
    fs::remove_file(lab.kept()).expect("removed");
    nix::unistd::mkfifo(&lab.kept(), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    lab.start();
    assert!(fs::metadata(lab.kept()).expect("the store").is_file());
}

#[test]
fn old_versions_do_not_fill_the_disk() {
    let lab = Lab::new(&[("example.com.zone", ZONE), ("example.net.zone", ZONE)]);
    let (mut loader, _) = lab.start();
    let large: String = (0..20_000).map(|number| format!("n{number} A 192.0.2.1\n")).collect();
    for version in 0..30 {
        lab.write("example.com.zone", &format!("{ZONE}; {version}\n{large}"));
        loader.load().expect("a load");
        loader.keep(false);
    }
    let length = fs::metadata(lab.kept()).expect("the store").len();
    assert!(length < 4 * large.len() as u64 + (2 << 20), "{length} bytes");
    lab.write("example.com.zone", BROKEN);
    lab.write("example.net.zone", BROKEN);
    let (_, loaded) = lab.start();
    assert_eq!(told(&loaded, "n19999.example.com"), address(1));
    assert_eq!(told(&loaded, "www.example.net"), address(2));
}

#[test]
fn a_zone_with_more_bytes_than_memory_allows_is_an_error_and_served_as_before() {
    let padding = format!("; {}\n", "x".repeat(3000));
    let include = format!("{ZONE}$INCLUDE parts/large\n");
    let generate = format!("{ZONE}$GENERATE 1-200 a-quite-long-name-for-a-host-$ A 192.0.2.1\n");
    let lab = Lab::new(&[
        ("example.com.zone", &format!("{padding}{ZONE}")),
        ("example.net.zone", &include),
        ("example.org.zone", &generate),
        ("parts/large", &format!("{padding}large A 192.0.2.3\n")),
        ("small.example.zone", ZONE),
    ]);
    let folders = Folders { zones: lab.zones(), geo: None };
    let loader =
        |most| Loader::new(folders.clone(), Limits::Route53, Settings::modern()).expect("a loader").bounded(most);
    assert_eq!(loader(None).load().expect("a load").problems.errors(), 0);
    assert_eq!(loader(Some(20_000)).load().expect("a load").problems.errors(), 0);
    let mut small = loader(Some(2000));
    let loaded = small.load().expect("a load");
    let refused: Vec<String> = loaded.refused.iter().map(|file| name_of(file)).collect();
    assert_eq!(refused, ["example.com.zone", "example.net.zone", "example.org.zone"]);
    let errors: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    for error in &errors {
        assert!(error.contains("zone_bytes_max"), "{error}");
    }
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert_eq!(told(&loaded, "www.small.example"), address(2));
    lab.write("small.example.zone", &format!("{padding}{ZONE}"));
    let loaded = small.load().expect("a load");
    assert_eq!(told(&loaded, "www.small.example"), address(2), "the version before is served");
    assert_eq!(loaded.kept.len(), 1);
}
