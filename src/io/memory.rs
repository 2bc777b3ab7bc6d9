//! How much memory the process may use: the memory of the machine, or less where a control group has a limit.

use std::fs;
use std::path::{Path, PathBuf};

/// The largest text of one zone that is ever allowed. Ours: the root zone has 2 MiB.
pub const ZONE_BYTES_MAX: u64 = 2 << 30;

/// The text of one zone may have this part of memory, which bounds what a mistaken file costs. It does not bound all
/// that a load takes: a zone of very short records takes up to eleven times its text (measured: 208 MB for 16 MB).
const PART: u64 = 4;

/// Control groups are nested; ours is not deeper.
const LEVELS_MAX: usize = 64;

/// The default of `zone_bytes_max`.
pub fn zone_bytes_max() -> u64 {
    most(Path::new("/")).map_or(ZONE_BYTES_MAX, |memory| (memory / PART).clamp(1, ZONE_BYTES_MAX))
}

/// The memory of the machine, or the smallest limit of the control groups that the process is in.
fn most(root: &Path) -> Option<u64> {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let machine = read("proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    let groups = read("proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(':')?;
        // Version 2 has one hierarchy and no names of controllers; version 1 has one for memory.
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        smallest(&root.join(mount), group, file)
    });
    limits.chain(machine).min()
}

/// The smallest limit of a group and those around it. In a container the group's path may not be visible; the root of the
/// hierarchy is the container's group there.
fn smallest(mount: &Path, group: &str, file: &str) -> Option<u64> {
    let mut folder: PathBuf = mount.join(group.trim_start_matches('/'));
    let mut least = None;
    for _ in 0..LEVELS_MAX {
        if let Some(limit) = fs::read_to_string(folder.join(file)).ok().and_then(|text| text.trim().parse::<u64>().ok())
        {
            least = Some(least.map_or(limit, |least: u64| least.min(limit)));
        }
        if folder == mount || !folder.pop() {
            break;
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(most(root.path()), None);
        write("proc/meminfo", "MemFree:  7 kB\nMemTotal:       16384 kB\n");
        assert_eq!(most(root.path()), Some(16 << 20));
        write("proc/self/cgroup", "0::/system.slice/fingerpost.service\n");
        write("sys/fs/cgroup/system.slice/fingerpost.service/memory.max", "max\n");
        assert_eq!(most(root.path()), Some(16 << 20));
        write("sys/fs/cgroup/system.slice/memory.max", "4194304\n");
        assert_eq!(most(root.path()), Some(4 << 20));
        // Version 1 tells of no limit by a very large number.
        write("proc/self/cgroup", "5:cpu:/a\n4:memory:/a/b\n");
        write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(most(root.path()), Some(16 << 20));
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n");
        assert_eq!(most(root.path()), Some(2 << 20));
    }
}
