//! libFuzzer around the targets of `tests/it/fuzz/`. `FUZZ_TARGET` names the one to run; `fuzz/run` sets it.
//!
//! With `FUZZ_SEEDS=folder` it writes the target's seeds there and ends; with `FUZZ_TARGET=list` it prints all names.
#![no_main]
#![allow(dead_code, unused_imports)]

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

use crate::fuzz::{TARGETS, Target};

#[path = "../../tests/it/agreement.rs"]
mod agreement;
#[path = "../../tests/it/denial.rs"]
mod denial;
#[path = "../../tests/it/fuzz/mod.rs"]
mod fuzz;
#[path = "../../tests/it/message.rs"]
mod message;
#[path = "../../tests/it/names_in_data.rs"]
mod names_in_data;
#[path = "../../tests/it/packets.rs"]
mod packets;
#[path = "../../tests/it/random_zones.rs"]
mod random_zones;
#[path = "../../tests/it/reference.rs"]
mod reference;
#[path = "../../tests/it/server.rs"]
mod server;
#[path = "../../tests/it/settings.rs"]
mod settings;
#[path = "../../tests/it/sha1.rs"]
mod sha1;
#[path = "../../tests/it/signed.rs"]
mod signed;
#[path = "../../tests/it/simulation.rs"]
mod simulation;
#[path = "../../tests/it/text.rs"]
mod text;

static TARGET: OnceLock<&Target> = OnceLock::new();

fn choose() -> &'static Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    if name == "list" {
        println!("{}", names.join("\n"));
        std::process::exit(0);
    }
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        eprintln!("FUZZ_TARGET={name:?} is no target; the targets are {}", names.join(", "));
        std::process::exit(2);
    };
    if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
        write_seeds(target, Path::new(&folder));
        std::process::exit(0);
    }
    target
}

fn write_seeds(target: &Target, folder: &Path) {
    std::fs::create_dir_all(folder).expect("the folder of seeds");
    for (number, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed).expect("a seed");
    }
}

fuzz_target!(init: { TARGET.get_or_init(choose); }, |bytes: &[u8]| (TARGET.get_or_init(choose).run)(bytes));
