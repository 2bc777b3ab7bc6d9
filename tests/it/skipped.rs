//! Tests that this machine cannot run. `.ci/run` fails where one says so.

/// Whether a test must be left out because only root can do what it does. It then says so.
pub fn without_root(what: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: only root can {what}");
    }
    !root
}
