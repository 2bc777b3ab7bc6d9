//! Asks a server so many questions a second, evenly, and tells how long the answers took.
//!
//! `rustc --edition 2024 -O tests/measure/paced.rs`, then `paced ADDRESS:PORT NAMES RATE SECONDS`, where NAMES is a file with a name on
//! each line. Answers that were under way while this program itself was kept from running are left out, and counted; what it
//! would have asked meanwhile is not asked later, since a burst of questions would measure its own queue.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Longer than this between two looks at the clock, and somebody else had the processor.
const STALL: Duration = Duration::from_micros(200);

fn query(name: &str) -> Vec<u8> {
    let mut wire = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.extend_from_slice(&[0, 0, 1, 0, 1]);
    wire
}

fn main() {
    let given: Vec<String> = std::env::args().collect();
    let [_, server, names, rate, seconds] = given.as_slice() else { panic!("ADDRESS:PORT NAMES RATE SECONDS") };
    let names = std::fs::read_to_string(names).expect("a file of names");
    let queries: Vec<Vec<u8>> = names.lines().map(query).collect();
    let rate: u32 = rate.parse().expect("a rate");
    let total = rate * seconds.parse::<u32>().expect("seconds");
    let pause = Duration::from_secs(1) / rate;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("a server");
    socket.set_nonblocking(true).expect("a socket that doesn't wait");
    let begin = Instant::now();
    let mut sent: Vec<Option<Instant>> = vec![None; 1 << 16];
    let mut took: Vec<Duration> = Vec::with_capacity(total as usize);
    let (mut asked, mut answered, mut stalled) = (0, 0, 0);
    let mut last_look = begin;
    let mut due = begin;
    let mut clean_since = begin;
    let mut reply = [0; 4096];
    let end = begin + pause * total;
    while last_look < end + Duration::from_millis(500) {
        let now = Instant::now();
        if now - last_look > STALL {
            clean_since = now;
            due = now;
        }
        last_look = now;
        if now >= due && now < end {
            due += pause;
            let mut message = queries[asked as usize % queries.len()].clone();
            message[..2].copy_from_slice(&(asked as u16).to_be_bytes());
            sent[asked as usize & 0xffff] = Some(Instant::now());
            asked += 1;
            if socket.send(&message).is_err() {
                continue;
            }
        }
        match socket.recv(&mut reply) {
            Ok(_) => {
                let number = usize::from(u16::from_be_bytes([reply[0], reply[1]]));
                if let Some(sent) = sent[number].take() {
                    answered += 1;
                    match sent > clean_since {
                        true => took.push(sent.elapsed()),
                        false => stalled += 1,
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
    took.sort();
    let share = |part: f64| took.get((took.len() as f64 * part) as usize).map_or(0.0, |took| took.as_secs_f64() * 1e6);
    let most = took.last().map_or(0.0, |took| took.as_secs_f64() * 1e6);
    println!(
        "{{\"asked\": {asked}, \"answered\": {answered}, \"left_out\": {stalled}, \"p50\": {:.1}, \"p99\": {:.1}, \
         \"p999\": {:.1}, \"most\": {most:.1}}}",
        share(0.5),
        share(0.99),
        share(0.999)
    );
}
