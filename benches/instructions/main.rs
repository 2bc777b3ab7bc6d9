//! What a query costs in process: parse, answer, encode, without sockets.
//!
//! | command                                             | what it does                                                   |
//! |-----------------------------------------------------|----------------------------------------------------------------|
//! | `cargo bench --bench instructions`                  | counts instructions under callgrind, compares with the ceilings |
//! | `cargo bench --bench instructions -- --time [NAME]` | times each workload, or those whose names begin so             |
//!
//! Counts are the same to the instruction from run to run of one binary, so the ceilings (`benches/instructions/ceilings.txt`)
//! gate what times on a busy machine can't.

mod workloads;

use std::process::{Command, ExitCode};
use std::time::Instant;

use workloads::Workload;

/// Queries that one workload asks under callgrind, after as many that warm up.
const COUNTED: usize = 1000;

/// Queries between two looks at the clock, and how often.
const TIMED: usize = 100_000;
const TIMES: usize = 9;

/// Queries answered at once where a socket had as many.
const BATCH: usize = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => compare(),
        ["--counted"] => counted(),
        ["--time"] => time(""),
        ["--time", prefix] => time(prefix),
        _ => {
            eprintln!("usage: cargo bench --bench instructions [-- --time [NAME]]");
            ExitCode::FAILURE
        }
    }
}

/// Callgrind counts inside this function alone, and writes a file each time it returns.
#[inline(never)]
fn measured(workload: &mut Workload, count: usize, batch: usize) {
    workload.ask(count, batch);
}

/// Runs under callgrind: every workload in turn.
fn counted() -> ExitCode {
    for mut workload in workloads::all("") {
        workload.ask(COUNTED, workload.batch);
        let batch = workload.batch;
        measured(&mut workload, COUNTED, batch);
    }
    ExitCode::SUCCESS
}

/// Instructions for each workload, beside its ceiling.
fn compare() -> ExitCode {
    let ceilings: Vec<(&str, u64)> = include_str!("ceilings.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (name, ceiling) = line.rsplit_once(' ').expect("a name and a number");
            (name.trim(), ceiling.parse().expect("a number"))
        })
        .collect();
    let folder = std::env::temp_dir().join(format!("fingerpost-instructions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for callgrind's files");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .args(["--toggle-collect=instructions::measured", "--dump-after=instructions::measured"])
        .arg(format!("--callgrind-out-file={}/out", folder.display()))
        .arg(std::env::current_exe().expect("this program"))
        .arg("--counted")
        .status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("valgrind failed; is it installed?");
        return ExitCode::FAILURE;
    }
    let mut failed = false;
    let mut names = Vec::new();
    println!("{:24} {:>12} {:>8}", "workload", "instructions", "ceiling");
    for (number, name) in (1..).zip(workloads::NAMES) {
        let file = std::fs::read_to_string(folder.join(format!("out.{number}"))).expect("callgrind's file");
        let totals = file.lines().find_map(|line| line.strip_prefix("totals: ")).expect("totals");
        let each = totals.trim().parse::<u64>().expect("a number").div_ceil(COUNTED as u64);
        let ceiling = ceilings.iter().find(|(named, _)| named == name).map(|&(_, ceiling)| ceiling);
        let verdict = match ceiling {
            Some(ceiling) if each <= ceiling => "",
            Some(_) => "TOO MANY",
            None => "has no ceiling in benches/instructions/ceilings.txt",
        };
        failed |= !verdict.is_empty();
        println!("{name:24} {each:>12} {:>8} {verdict}", ceiling.unwrap_or(0));
        names.push(*name);
    }
    for (name, _) in &ceilings {
        if !names.contains(name) {
            println!("{name} has a ceiling but is no workload");
            failed = true;
        }
    }
    std::fs::remove_dir_all(&folder).expect("callgrind's files go");
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Nanoseconds for each workload, one query at a time and in batches: the median, the least and the most.
fn time(prefix: &str) -> ExitCode {
    println!("{:24} {:>28} {:>28}", "workload", "ns one at a time", "ns in batches of 64");
    for mut workload in workloads::all(prefix).chain(workloads::large(prefix)) {
        let mut shown = Vec::new();
        for batch in [1, BATCH] {
            workload.ask(TIMED, batch);
            let mut times: Vec<f64> = (0..TIMES)
                .map(|_| {
                    let start = Instant::now();
                    workload.ask(TIMED, batch);
                    start.elapsed().as_nanos() as f64 / TIMED as f64
                })
                .collect();
            times.sort_by(f64::total_cmp);
            shown.push(format!("{:.0} [{:.0}-{:.0}]", times[TIMES / 2], times[0], times[TIMES - 1]));
        }
        println!("{:24} {:>28} {:>28}", workload.name, shown[0], shown[1]);
    }
    ExitCode::SUCCESS
}
