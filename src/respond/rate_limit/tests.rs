//! What a table says to replies at given seconds: `second source kind zone/node ×replies`, and how many were within.

use super::*;

fn reply(kind: &str, at: &str) -> Reply {
    let kind = match kind {
        "answer" => Kind::Answer,
        "referral" => Kind::Referral,
        "nodata" => Kind::NoData,
        "noname" => Kind::NoName,
        "error" => Kind::Error,
        other => panic!("what is {other}?"),
    };
    let (zone, node) = at.split_once('/').unwrap();
    Reply { kind, zone: zone.parse().unwrap(), node: node.parse().unwrap(), rtype: 1 }
}

fn three_a_second() -> RateLimit {
    let mut limit = RateLimit { window: 5, ..RateLimit::default() };
    limit.per_second = [3, 3, 3, 3, 1, 0];
    limit
}

/// Plays the lines against one table.
fn check(limit: &RateLimit, text: &str) {
    let table = Table::new([7; 16]);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [second, source, kind, at, times, _, within] = words[..] else { panic!("what is {line:?}?") };
        let second: u32 = second.strip_suffix('s').unwrap().parse().unwrap();
        let times: u32 = times.strip_prefix('×').unwrap().parse().unwrap();
        let source = source.parse().unwrap();
        let verdicts = (0..times).map(|_| table.count(limit, source, reply(kind, at), second));
        let found = verdicts.filter(|verdict| *verdict == Verdict::Within).count();
        assert_eq!(found, within.parse::<usize>().unwrap(), "{line}");
    }
}

#[test]
fn like_replies_to_one_network_are_limited() {
    check(
        &three_a_second(),
        "100s 192.0.2.1     answer 1/5 ×10 within 3
         # The same network, …
         100s 192.0.2.200   answer 1/5 ×1 within 0
         # … another one, another name, another zone, another kind.
         100s 192.0.3.1     answer 1/5 ×4 within 3
         100s 192.0.2.1     answer 1/6 ×4 within 3
         100s 192.0.2.1     answer 2/5 ×4 within 3
         100s 192.0.2.1     nodata 1/5 ×4 within 3
         100s 192.0.2.1     error  0/0 ×4 within 1
         100s 2001:db8::1                  answer 1/5 ×4 within 3
         100s 2001:db8:0:ff:1::1           answer 1/5 ×1 within 0
         100s 2001:db8:0:100::             answer 1/5 ×4 within 3",
    );
}

#[test]
fn credit_comes_back_by_the_second_and_debt_lasts_a_window() {
    check(
        &three_a_second(),
        "100s 192.0.2.1 answer 1/5 ×3 within 3
         101s 192.0.2.1 answer 1/5 ×4 within 3
         # A flood of four a second is as good as all its replies over three: it never gets out of debt.
         102s 192.0.2.1 answer 1/5 ×4 within 2
         103s 192.0.2.1 answer 1/5 ×4 within 1
         104s 192.0.2.1 answer 1/5 ×4 within 0
         105s 192.0.2.1 answer 1/5 ×1000 within 0
         # Debt went down to 5 seconds' worth and no further.
         109s 192.0.2.1 answer 1/5 ×1 within 0
         110s 192.0.2.1 answer 1/5 ×1 within 0
         111s 192.0.2.1 answer 1/5 ×2 within 1
         # No credit is saved up.
         999s 192.0.2.1 answer 1/5 ×9 within 3",
    );
}

#[test]
fn zero_is_no_limit_and_all_kinds_can_be_limited_together() {
    let mut limit = three_a_second();
    limit.per_second[Kind::Answer as usize] = 0;
    check(&limit, "100s 192.0.2.1 answer 1/5 ×1000 within 1000\n100s 192.0.2.1 nodata 1/5 ×9 within 3");
    limit.per_second[Kind::All as usize] = 5;
    check(
        &limit,
        "100s 192.0.2.1 answer 1/5 ×2 within 2
         100s 192.0.2.1 answer 1/6 ×2 within 2
         100s 192.0.2.1 noname 1/0 ×2 within 1
         100s 192.0.3.1 answer 1/5 ×9 within 5",
    );
}

#[test]
fn networks_are_as_wide_as_set() {
    let limit = RateLimit { ipv4_prefix: 32, ipv6_prefix: 64, ..three_a_second() };
    check(
        &limit,
        "100s 192.0.2.1        answer 1/5 ×4 within 3
         100s 192.0.2.2        answer 1/5 ×4 within 3
         100s 2001:db8:0:1::1  answer 1/5 ×4 within 3
         100s 2001:db8:0:2::1  answer 1/5 ×4 within 3
         100s 2001:db8:0:2::2  answer 1/5 ×4 within 0",
    );
    let limit = RateLimit { ipv4_prefix: 0, ipv6_prefix: 0, ..three_a_second() };
    check(
        &limit,
        "1s 192.0.2.1 answer 1/5 ×3 within 3\n1s 8.8.8.8 answer 1/5 ×1 within 0\n1s 2::1 answer 1/5 ×3 within 3",
    );
}

#[test]
fn a_clock_that_jumps_fills_each_account_once() {
    check(
        &three_a_second(),
        "100000s 192.0.2.1 answer 1/5 ×100 within 3
         # Another thread has read the clock a little earlier.
         99999s  192.0.2.1 answer 1/5 ×3 within 0
         100000s 192.0.2.1 answer 1/5 ×3 within 0
         5s      192.0.2.1 answer 1/5 ×100 within 3
         5s      192.0.2.1 answer 1/5 ×3 within 0
         4000000000s 192.0.2.1 answer 1/5 ×100 within 3
         4000000000s 192.0.2.1 answer 1/5 ×100 within 0",
    );
}

#[test]
fn who_owes_most_is_not_displaced_by_a_crowd() {
    let (limit, table) = (three_a_second(), Table::new([1; 16]));
    let victim = "192.0.2.1".parse().unwrap();
    let mut within = 0;
    for number in 0..2_000_000_u32 {
        let other = IpAddr::from((0x0a00_0000 + (number << 8)).to_be_bytes());
        table.count(&limit, other, reply("answer", "1/5"), 50);
        if number % 1000 == 0 {
            within += usize::from(table.count(&limit, victim, reply("answer", "1/5"), 50) == Verdict::Within);
        }
    }
    // Its account may go once or twice before it owes more than its neighbours.
    assert!(within <= 9, "{within} of 2000 were within");
    assert_eq!(table.last_over(), Some("192.0.2.0".parse().unwrap()));
}
