//! What guarding costs a query: counting its reply for the rate limit, and looking up whether its client may ask.
//!
//! `cargo bench --bench guards`. The fastest column is the one to compare; each line is for so many at a time.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use divan::Bencher;
use divan::counter::ItemsCount;
use fingerpost::dice::{Dice, Seeded};
use fingerpost::respond::rate_limit::{Reply, Table};
use fingerpost::snapshot::access::{Rules, Treatment};
use fingerpost::snapshot::rate_limit::{Kind, Mode, RateLimit};
use ipnet::IpNet;

fn main() {
    divan::main();
}

/// So many clients ask in turn.
const TURNS: usize = 1 << 14;

fn clients(networks: u32) -> Vec<IpAddr> {
    let mut dice = Seeded::new(1);
    (0..TURNS).map(|_| Ipv4Addr::from(10 << 24 | dice.roll(networks) << 8 | 1).into()).collect()
}

/// By one client network, or so many that most of the table is used; by one thread, or two for the same accounts.
#[divan::bench(args = [1, 20_000], threads = [1, 2])]
fn count_a_reply(bencher: Bencher, networks: u32) {
    let mut per_second = [20; 6];
    per_second[Kind::All as usize] = 1000;
    let limit = RateLimit { mode: Mode::On, per_second, ..RateLimit::default() };
    let (table, clients) = (Table::new([7; 16]), clients(networks));
    bencher.counter(ItemsCount::new(TURNS)).bench(|| {
        for client in &clients {
            let reply = Reply { kind: Kind::Answer, zone: 1, node: 2, rtype: 1 };
            black_box(table.count(&limit, *client, reply, 1_700_000_000));
        }
    });
}

#[divan::bench(args = [2, 100, 10_000])]
fn look_up_who_may_ask(bencher: Bencher, networks: u32) {
    let mut dice = Seeded::new(2);
    let mut network =
        || IpNet::new(Ipv4Addr::from(10 << 24 | dice.roll(1 << 24)).into(), 24).expect("a network").trunc();
    let mut networks: Vec<IpNet> = (0..networks).map(|_| network()).collect();
    networks.sort();
    networks.dedup();
    let (rules, clients) = (Rules::new(&networks, &[], Treatment::Refused), clients(1 << 16));
    bencher.counter(ItemsCount::new(TURNS)).bench_local(|| {
        for client in &clients {
            black_box(rules.let_in(*client));
        }
    });
}
