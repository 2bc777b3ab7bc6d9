//! A zone from its last good version: the bytes of the files that it was read from.

use std::path::Path;
use std::sync::Arc;

use super::rules::{Kept, Rules};
use super::{Load, LoadedZone, Room, files, name_of};
use crate::io::hands::Threads;
use crate::model::{Shared, validate};
use crate::problem::Problems;
use crate::route53::record_sets;
use crate::zonefile::Includes;

/// Builds a zone from its last good version. `name` is the name of its file. None where the version cannot be read any
/// more.
pub fn rebuild<T>(
    dir: &Path,
    name: &str,
    mut kept: Kept,
    rules: Rules,
    shared: &Shared,
    build: &(dyn Fn(&mut LoadedZone, &Shared, &mut Problems) -> Option<T> + Sync),
) -> Option<T> {
    let file = files::shown(&dir.join(name));
    let named = name_of(name);
    let mut problems = Problems::default();
    let mut room = Room { text: std::mem::take(&mut kept.files.first_mut()?.bytes), ..Room::default() };
    let data = if name.ends_with(".json") {
        let named = named.as_ref().ok().cloned();
        let hosted_zone = files::hosted_zone_of(name);
        let hosted_zone = kept.files.iter().skip(1).find(|file| hosted_zone.as_deref() == Some(&*file.wanted));
        let hosted_zone = hosted_zone.map(|file| (files::shown(&dir.join(&file.shown)), file.bytes.as_slice()));
        let dump = record_sets::read_with(named, file, &room.text, hosted_zone, rules.limits, &mut problems);
        dump.map(|dump| dump.zone)
    } else {
        let load = Load { dir, root: dir, rules, hands: Threads::of_this_machine(), shared, build };
        load.zone_file(&named, &file, &KeptIncludes { dir, kept: &kept }, &mut room, &mut problems)
    };
    let mut data = data.filter(|_| problems.errors() == 0)?;
    // A health check that the zone refers to may be gone. A reload keeps serving such a zone, so a start does too.
    validate::record_sets(&mut data, shared, rules.limits, &mut Problems::default());
    let mut zone = LoadedZone { data, ..LoadedZone::default() };
    build(&mut zone, shared, &mut problems).filter(|_| problems.errors() == 0)
}

/// What `$INCLUDE` finds in a last good version.
struct KeptIncludes<'a> {
    dir: &'a Path,
    kept: &'a Kept,
}

impl Includes for KeptIncludes<'_> {
    fn read(&self, path: &str, from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        let beside = Path::new(from_file).parent().unwrap_or(self.dir).join(path);
        let included = self.kept.files.get(1..).unwrap_or_default();
        let find = |wanted: &Path| included.iter().find(|file| self.dir.join(&file.wanted) == wanted);
        let file = find(&beside).or_else(|| find(&self.dir.join(path))).ok_or("it was not kept")?;
        Ok((files::shown(&self.dir.join(&file.shown)), file.bytes.clone()))
    }
}
