//! Landlock: which files can be opened from here on, whatever their permissions say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};

use super::Needs;
use crate::io::folder::{Kind, Listing};

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

/// `no_truncation`: nothing that is open for reading only can be cut short, whatever is said here.
pub fn restrict(needs: &Needs, no_truncation: bool, mut listing: Option<&mut Listing>) -> Result<Restricted> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // The kernel looks up whether a file may be cut short each time it opens one, from rule to rule up to the root.
    // Where it finds a yes beside the file it is done; a hundred thousand zones open a tenth of a second sooner.
    let read_soon = if no_truncation { read | AccessFs::Truncate } else { read };
    let write = AccessFs::from_all(KNOWN) & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
    let mut wanted: BTreeSet<PathBuf> = needs.read.iter().flat_map(|path| places(path)).collect();
    // Those that are folders by themselves too: what is found sooner takes less time.
    wanted.extend(needs.read.iter().filter(|path| path.is_dir()).cloned());
    needs.read.iter().for_each(|path| add_linked(path, listing.as_deref_mut(), &mut wanted));
    // Paths that are not there are left out: nothing can be read where nothing is.
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules(&wanted, read_soon))?
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
fn add_linked(folder: &Path, mut listing: Option<&mut Listing>, wanted: &mut BTreeSet<PathBuf>) {
    let mut left = ENTRIES_MAX;
    let mut folders = vec![folder.to_path_buf()];
    let mut seen = BTreeSet::new();
    let mut links = Links::default();
    while let Some(folder) = folders.pop() {
        let Ok(inside) = folder.canonicalize() else { continue };
        if !seen.insert(inside.clone()) {
            continue;
        }
        let (entries, others) = match listing.as_deref_mut().filter(|listing| listing.holds_of(&folder)) {
            Some(listing) => {
                listing.find_out(|name| match links.leads_to_file(&inside, &inside.join(name), wanted) {
                    true => Kind::Link,
                    false => Kind::Unknown,
                });
                (listing.count(), listing.unknown().collect())
            }
            None => other_than_files(&inside, left),
        };
        for path in others {
            if links.leads_to_file(&inside, &path, wanted) {
                continue;
            }
            if path.is_symlink() {
                wanted.extend(places(&path));
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
        let Some(rest) = left.checked_sub(entries) else {
            tracing::warn!("links beyond the first {ENTRIES_MAX} files are not followed out of their folders");
            return;
        };
        left = rest;
    }
}

/// How many entries a folder has, and those among the first that are no regular files.
fn other_than_files(folder: &Path, first: usize) -> (usize, Vec<PathBuf>) {
    let (mut entries, mut others) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().take(first.saturating_add(1)) {
        entries += 1;
        if entries <= first && entry.file_type().is_ok_and(|kind| !kind.is_file()) {
            others.push(entry.path());
        }
    }
    (entries, others)
}

/// The folders that links lead into, as the links write them, which take a dozen system calls each to make out. A
/// hundred thousand links may lead into one of them.
#[derive(Default)]
struct Links {
    known: BTreeSet<PathBuf>,
}

impl Links {
    /// Whether this is a link in that folder, and leads to a regular file and no further. Adds where that lies.
    fn leads_to_file(&mut self, folder: &Path, link: &Path, wanted: &mut BTreeSet<PathBuf>) -> bool {
        let Ok(target) = std::fs::read_link(link) else { return false };
        let target = folder.join(target);
        let Some(into) = target.parent() else { return false };
        if !target.symlink_metadata().is_ok_and(|target| target.is_file()) {
            return false;
        }
        if self.known.contains(into) {
            return true;
        }
        wanted.extend(places(link));
        // The root is never opened as a whole, so that each file there has a rule of its own.
        if into.canonicalize().is_ok_and(|into| into.parent().is_some()) {
            self.known.insert(into.to_path_buf());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

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
        for file in ["zones", "zones/deep", "checkout"] {
            let past = SystemTime::now() - Duration::from_secs(60);
            std::fs::File::open(inside.join(file)).unwrap().set_modified(past).unwrap();
        }
        let mut listing = Listing::of(&inside.join("zones")).unwrap();
        for listing in [None, Some(&mut listing)] {
            let mut wanted = BTreeSet::new();
            add_linked(&inside.join("zones"), listing, &mut wanted);
            for place in ["checkout", "elsewhere", "far"] {
                assert!(wanted.contains(&inside.join(place)), "{place} is missing in {wanted:?}");
            }
            assert!(wanted.contains(&inside), "what a linked folder stands in: {wanted:?}");
        }
        let kinds: Vec<_> = listing.names().enumerate().map(|(index, name)| (name, listing.kind(index))).collect();
        assert_eq!(kinds, [("a.zone", Kind::Link), ("b.zone", Kind::Unknown)], "one leads on");
    }
}
