//! What the process gives up once its sockets are bound: root, capabilities, files that are not its own, and system
//! calls that it has no use for. Whoever then takes it over finds little to take.
//!
//! It comes before the first thread is started, because each thread is confined by itself, and before the first zone
//! is read.

mod files;
mod system_calls;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::{prctl, resource};
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setgroups, setuid};

use super::folder::Listing;
use super::state;
use crate::config::Confine;

/// What the process still needs of the world.
pub struct Needs {
    /// Files and folders to read. Others may take their places under the same names.
    pub read: Vec<PathBuf>,
    /// The folder to write to.
    pub state: PathBuf,
}

/// Gives up what is not needed, as the settings say, and tells in one line what that was. A folder that was listed isn't
/// listed again, and what was found out about its links is noted there.
pub fn confine(settings: &Confine, needs: &Needs, listing: Option<&mut Listing>) -> Result<()> {
    let mut given_up = Vec::new();
    let mut missing = Vec::new();
    if !settings.core_dumps {
        no_core_dumps().context("core dumps cannot be turned off; core_dumps = true leaves them on")?;
        given_up.push("core dumps".to_string());
    }
    let user = settings.user.as_deref().map(find_user).transpose()?;
    // It has to be there for a rule about it, and it may be root's.
    make_state_folder(&needs.state, user.as_ref());
    // Before the switch: afterwards nobody may.
    bound_capabilities().context("capabilities cannot be given up")?;
    match &user {
        Some(user) => {
            become_user(user)?;
            given_up.push(format!("root for user {}", user.name));
        }
        None if geteuid().is_root() => {
            tracing::warn!("running as root; name a user to run as once the ports are bound (user, or --user)");
        }
        None => {}
    }
    let kept = shed_capabilities(geteuid().is_root()).context("capabilities cannot be given up")?;
    given_up.push(if kept { "capabilities but to read and write files" } else { "all capabilities" }.into());
    prctl::set_no_new_privs().context("privileges of programs cannot be given up")?;
    if settings.landlock {
        // Libraries that look names up are loaded at the first use, from where nothing is read later.
        let _ = std::net::ToSocketAddrs::to_socket_addrs("localhost:0");
        let no_truncation = settings.seccomp && system_calls::are_there();
        match files::restrict(needs, no_truncation, listing).context("Landlock; landlock = false goes without")? {
            files::Restricted::Wholly => given_up.push("other files (Landlock)".into()),
            files::Restricted::Partly => given_up.push("other files (Landlock, as far as this kernel has it)".into()),
            files::Restricted::Not => missing.push("Landlock"),
        }
    }
    if settings.seccomp {
        match system_calls::restrict().context("seccomp; seccomp = false goes without")? {
            true => given_up.push("other system calls (seccomp)".into()),
            false => missing.push("seccomp"),
        }
    }
    match missing.as_slice() {
        [] => tracing::info!("gave up {}", given_up.join(", ")),
        missing => tracing::warn!("gave up {}; this kernel has no {}", given_up.join(", "), missing.join(" and no ")),
    }
    Ok(())
}

/// Memory holds the secrets of cookies and TLS.
fn no_core_dumps() -> nix::Result<()> {
    resource::setrlimit(resource::Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_dumpable(false)
}

/// A user by name or number.
fn find_user(name: &str) -> Result<User> {
    let found = match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(name),
    };
    match found {
        Ok(Some(user)) if user.uid.is_root() => bail!("user {name} is root; name one without privileges"),
        Ok(Some(user)) => Ok(user),
        Ok(None) => bail!("there is no user {name}; make one (useradd --system {name}), or name another"),
        Err(error) => Err(anyhow!("user {name} cannot be looked up: {error}")),
    }
}

/// Makes the folder of states where it is missing, and the user's. What goes wrong here shows when it is opened.
fn make_state_folder(folder: &Path, user: Option<&User>) {
    let _ = state::make_folder(folder);
    if let Some(user) = user.filter(|_| geteuid().is_root()) {
        let _ = state::give_to(folder, user.uid.as_raw(), user.gid.as_raw());
    }
}

/// Becomes that user for good.
fn become_user(user: &User) -> Result<()> {
    let User { name, uid, gid, .. } = user;
    if geteuid() == *uid {
        return Ok(());
    }
    if !geteuid().is_root() {
        bail!("only root can become user {name}; start as root, or as {name} without the setting");
    }
    let switch = || {
        match std::ffi::CString::new(name.as_bytes()) {
            Ok(name) => initgroups(&name, *gid)?,
            Err(_) => setgroups(&[*gid])?,
        }
        setgid(Gid::from_raw(gid.as_raw()))?;
        setuid(*uid)
    };
    switch().with_context(|| format!("cannot become user {name}"))?;
    if setuid(Uid::from_raw(0)).is_ok() {
        bail!("became user {name}, and could become root again; not serving");
    }
    Ok(())
}

/// Gives up what no program of ours could get back either, if we may.
fn bound_capabilities() -> Result<(), caps::errors::CapsError> {
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        for capability in caps::runtime::procfs_all_supported(None).unwrap_or_else(|_| caps::all()) {
            caps::drop(None, CapSet::Bounding, capability)?;
        }
    }
    Ok(())
}

/// Gives up all capabilities, so that root is root by its files alone. Returns whether that is left.
fn shed_capabilities(root: bool) -> Result<bool, caps::errors::CapsError> {
    let files = CapsHashSet::from([Capability::CAP_DAC_OVERRIDE]);
    let own = caps::read(None, CapSet::Permitted)?;
    let keep: CapsHashSet = if root { own.intersection(&files).copied().collect() } else { CapsHashSet::new() };
    caps::clear(None, CapSet::Inheritable)?;
    // A kernel before 4.3 has none to clear.
    let _ = caps::clear(None, CapSet::Ambient);
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    Ok(!keep.is_empty())
}
