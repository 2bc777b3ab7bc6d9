//! Landlock: which files can be opened from here on, whatever their permissions say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};

use super::Needs;

/// Rights that later kernels add are not asked for.
const KNOWN: ABI = ABI::V6;

/// Where names are looked up, and how many processors may be used. resolv.conf is replaced by renaming, so the folder
/// it is in has to do; what is secret in /etc is closed to the user we run as.
const SYSTEM: &[&str] = &[
    "/etc",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/usr/share/ca-certificates",
    "/proc/self",
    "/proc/sys/kernel/hostname",
    "/sys/fs/cgroup",
];

/// So many files are looked at for links when the server starts; ours.
const ENTRIES_MAX: usize = 1_000_000;

pub enum Restricted {
    Wholly,
    /// As far as the kernel can.
    Partly,
    Not,
}

pub fn restrict(needs: &Needs) -> Result<Restricted> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::from_all(KNOWN) & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
    let mut wanted: BTreeSet<PathBuf> = needs.read.iter().flat_map(|path| places(path)).collect();
    needs.read.iter().for_each(|path| add_linked(path, &mut wanted));
    // Paths that are not there are left out: nothing can be read where nothing is.
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules(&wanted, read))?
        .add_rules(path_beneath_rules([&needs.state], write))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Restricted::Wholly,
        RulesetStatus::PartiallyEnforced => Restricted::Partly,
        RulesetStatus::NotEnforced => Restricted::Not,
    })
}

/// Where a path may be found later: a rule holds for what is there now, and another file or folder may take its name.
/// So the folder it is in is opened to us, and, if it is a link, the one that it leads to; but never all there is.
fn places(path: &Path) -> Vec<PathBuf> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut places = vec![above(&whole)];
    if let Ok(found) = whole.canonicalize() {
        places.push(above(&found));
    }
    places.dedup();
    places
}

fn above(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.parent().is_some() => parent.to_path_buf(),
        _ => path.to_path_buf(),
    }
}

/// Adds what the links within a folder lead to, wherever that is: zone files are often links into a checkout.
fn add_linked(folder: &Path, wanted: &mut BTreeSet<PathBuf>) {
    let mut left = ENTRIES_MAX;
    let mut folders = vec![folder.to_path_buf()];
    let mut seen = BTreeSet::new();
    let mut links = Links::default();
    while let Some(folder) = folders.pop() {
        let Ok(folder) = folder.canonicalize() else { continue };
        if !seen.insert(folder.clone()) {
            continue;
        }
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if left == 0 {
                tracing::warn!("links beyond the first {ENTRIES_MAX} files are not followed out of their folders");
                return;
            }
            left -= 1;
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_symlink() && !links.leads_to_file_nearby(&folder, &entry.path()) {
                wanted.extend(places(&entry.path()));
                if entry.path().is_dir() {
                    folders.push(entry.path());
                }
            }
        }
    }
}

/// The folders that links lead into, as the links write them, which take a dozen system calls each to make out. A
/// hundred thousand links may lead into one of them.
#[derive(Default)]
struct Links {
    known: BTreeSet<PathBuf>,
}

impl Links {
    /// Whether a link in this folder leads to a file, and no further, in a folder that one before it led into as well:
    /// then there is nothing to add.
    fn leads_to_file_nearby(&mut self, folder: &Path, link: &Path) -> bool {
        let Ok(target) = std::fs::read_link(link) else { return false };
        let target = folder.join(target);
        let Some(into) = target.parent() else { return false };
        if !target.symlink_metadata().is_ok_and(|target| target.is_file()) {
            return false;
        }
        if self.known.contains(into) {
            return true;
        }
        // The root is never opened as a whole, so that each file there has a rule of its own.
        if into.canonicalize().is_ok_and(|into| into.parent().is_some()) {
            self.known.insert(into.to_path_buf());
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_folder_around_and_never_everything() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(inside.join("versions/1")).unwrap();
        std::os::unix::fs::symlink("versions/1", inside.join("zones")).unwrap();
        assert_eq!(places(&inside.join("zones")), [inside.clone(), inside.join("versions")]);
        assert_eq!(places(&inside.join("missing")), std::slice::from_ref(&inside));
        assert_eq!(places(Path::new("/zones")), [PathBuf::from("/zones")]);
        assert_eq!(places(Path::new("/")), [PathBuf::from("/")]);
    }

    #[test]
    fn links_out_of_a_folder_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().canonicalize().unwrap();
        for made in ["zones/deep", "checkout", "more/below", "elsewhere"] {
            std::fs::create_dir_all(inside.join(made)).unwrap();
        }
        for file in ["checkout/a.zone", "more/below/b.zone", "elsewhere/c.zone"] {
            std::fs::write(inside.join(file), "").unwrap();
        }
        let link = |to: &str, from: &str| std::os::unix::fs::symlink(inside.join(to), inside.join(from)).unwrap();
        link("checkout/a.zone", "zones/a.zone");
        link("more", "zones/deep/more");
        link("elsewhere/c.zone", "more/below/c.zone");
        link("zones", "zones/deep/round");
        // Beside one that leads to a file: one that leads on from there, and one to a folder.
        link("elsewhere/c.zone", "checkout/away.zone");
        link("checkout/away.zone", "zones/b.zone");
        std::fs::create_dir_all(inside.join("checkout/within")).unwrap();
        std::fs::create_dir_all(inside.join("far")).unwrap();
        std::fs::write(inside.join("far/d.zone"), "").unwrap();
        link("checkout/within", "zones/c");
        link("far/d.zone", "checkout/within/d.zone");
        let mut wanted = BTreeSet::new();
        add_linked(&inside.join("zones"), &mut wanted);
        for place in ["checkout", "elsewhere", "far"] {
            assert!(wanted.contains(&inside.join(place)), "{place} is missing in {wanted:?}");
        }
        assert!(wanted.contains(&inside), "what a linked folder stands in: {wanted:?}");
    }
}
