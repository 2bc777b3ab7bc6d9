//! A confined process tries what it must not: another process of this test confines itself as the server does, then
//! says of each deed whether it could.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fingerpost::config::Confine;
use fingerpost::io::confine::{Needs, confine};

use crate::skipped::without_root;
use crate::sockets::{Server, ZONE, ask_udp, until};

/// Set for the process that confines itself: the folder it is given.
const CHILD: &str = "FINGERPOST_TEST_CONFINED";

/// What it does, and whether it can. On a kernel without Landlock or seccomp what they forbid is left out.
const EXPECTED: &str = "\
read a zone                           done
read a new file in its place          done
read a folder that took its place     done
read where the link leads now         done
write a state                         done
read the state                        done
look up localhost                     done
start a thread                        done
open a socket for UDP, TCP            done
write a zone                          Landlock: Permission denied (os error 13)
empty a zone by opening it            seccomp: Operation not permitted (os error 1)
empty a zone by opening it for none   seccomp: Operation not permitted (os error 1)
empty a zone by its name              seccomp: Operation not permitted (os error 1)
read what lies elsewhere              Landlock: Permission denied (os error 13)
list what lies elsewhere              Landlock: Permission denied (os error 13)
link a state to what lies elsewhere   seccomp: Operation not permitted (os error 1)
write outside the state folder        Landlock: Permission denied (os error 13)
read another's secrets                Permission denied (os error 13)
start a program                       seccomp: Operation not permitted (os error 1)
fork                                  seccomp: Operation not permitted (os error 1)
become root                           Operation not permitted (os error 1)
open a raw socket                     Operation not permitted (os error 1)
open a packet socket                  Operation not permitted (os error 1)
open a netlink socket                 seccomp: Operation not permitted (os error 1)
trace a process                       seccomp: Operation not permitted (os error 1)
stop the process above                Operation not permitted (os error 1)
read another process's memory         Operation not permitted (os error 1)
mount                                 Operation not permitted (os error 1)
change root                           Operation not permitted (os error 1)
leave for another namespace           Operation not permitted (os error 1)
make a user namespace                 seccomp: Operation not permitted (os error 1)
load a kernel module                  Operation not permitted (os error 1)
load a program into the kernel        Operation not permitted (os error 1)
set up io_uring                       seccomp: Operation not permitted (os error 1)
watch the processor                   Operation not permitted (os error 1)
handle page faults                    seccomp: Operation not permitted (os error 1)
make memory executable                seccomp: Operation not permitted (os error 1)
set the clock                         Operation not permitted (os error 1)
leave a core dump                     no
gain privileges by a program          no
";

fn call(number: libc::c_long, arguments: [usize; 4]) -> io::Result<()> {
    let [a, b, c, d] = arguments;
    // SAFETY: every call here either fails before it looks at its arguments or gets pointers it may look at.
    match unsafe { libc::syscall(number, a, b, c, d) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path without a zero byte")
}

fn open(at: &Path, how: libc::c_int) -> io::Result<()> {
    let path = path(at);
    call(libc::SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, how as usize, 0])
}

fn socket(family: libc::c_int, kind: libc::c_int) -> io::Result<()> {
    call(libc::SYS_socket, [family as usize, kind as usize, 0, 0])
}

fn fork() -> io::Result<()> {
    // SAFETY: the child, should there be one, does nothing but end.
    match unsafe { libc::fork() } {
        0 => unsafe { libc::_exit(0) },
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn executable_memory() -> io::Result<()> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping touches nothing that is there.
    match unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) } {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

type Deed = (&'static str, fn(&Path) -> io::Result<()>);

#[rustfmt::skip]
const DEEDS: &[Deed] = &[
    ("read a zone", |at| fs::read(at.join("one/zones/a.zone")).map(drop)),
    ("read a new file in its place", |at| fs::read(at.join("one/zones/b.zone")).map(drop)),
    ("read a folder that took its place", |at| fs::read_dir(at.join("one/geo")).map(drop)),
    ("read where the link leads now", |at| fs::read(at.join("one/link/a.zone")).map(drop)),
    ("write a state", |at| {
        fs::write(at.join("state/.x.new"), "x")?;
        fs::rename(at.join("state/.x.new"), at.join("state/x"))
    }),
    ("read the state", |at| fs::read(at.join("state/x")).map(drop)),
    ("look up localhost", |_| std::net::ToSocketAddrs::to_socket_addrs("localhost:53").map(drop)),
    ("start a thread", |_| std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap())),
    ("open a socket for UDP, TCP", |_| {
        socket(libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC)?;
        std::net::TcpListener::bind("127.0.0.1:0").map(drop)
    }),
    ("write a zone", |at| fs::write(at.join("one/zones/a.zone"), "x")),
    ("empty a zone by opening it", |at| open(&at.join("one/zones/a.zone"), libc::O_RDONLY | libc::O_TRUNC)),
    ("empty a zone by opening it for none", |at| open(&at.join("one/zones/a.zone"), libc::O_ACCMODE | libc::O_TRUNC)),
    ("empty a zone by its name", |at| {
        let path = path(&at.join("one/zones/a.zone"));
        call(libc::SYS_truncate, [path.as_ptr() as usize, 0, 0, 0])
    }),
    ("read what lies elsewhere", |_| fs::read("/usr/bin/env").map(drop)),
    ("list what lies elsewhere", |_| fs::read_dir("/").map(drop)),
    ("link a state to what lies elsewhere", |at| {
        symlink("/usr/bin/env", at.join("state/y"))?;
        fs::read(at.join("state/y")).map(drop)
    }),
    ("write outside the state folder", |at| fs::write(at.join("x"), "x")),
    ("read another's secrets", |_| fs::read("/etc/shadow").map(drop)),
    ("start a program", |_| Command::new("/bin/true").status().map(drop)),
    ("fork", |_| fork()),
    ("become root", |_| call(libc::SYS_setuid, [0; 4])),
    ("open a raw socket", |_| socket(libc::AF_INET, libc::SOCK_RAW)),
    ("open a packet socket", |_| socket(libc::AF_PACKET, libc::SOCK_DGRAM)),
    ("open a netlink socket", |_| socket(libc::AF_NETLINK, libc::SOCK_DGRAM)),
    ("trace a process", |_| call(libc::SYS_ptrace, [libc::PTRACE_TRACEME as usize, 0, 0, 0])),
    ("stop the process above", |_| call(libc::SYS_kill, [std::os::unix::process::parent_id() as usize, 0, 0, 0])),
    ("read another process's memory", |_| call(libc::SYS_process_vm_readv, [1, 0, 0, 0])),
    ("mount", |_| call(libc::SYS_mount, [0; 4])),
    ("change root", |_| call(libc::SYS_chroot, [c"/".as_ptr() as usize, 0, 0, 0])),
    ("leave for another namespace", |_| call(libc::SYS_unshare, [libc::CLONE_NEWNET as usize, 0, 0, 0])),
    ("make a user namespace", |_| call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0])),
    ("load a kernel module", |_| call(libc::SYS_init_module, [0; 4])),
    ("load a program into the kernel", |_| call(libc::SYS_bpf, [0; 4])),
    ("set up io_uring", |_| call(libc::SYS_io_uring_setup, [0; 4])),
    ("watch the processor", |_| call(libc::SYS_perf_event_open, [0; 4])),
    ("handle page faults", |_| call(libc::SYS_userfaultfd, [0; 4])),
    ("make memory executable", |_| executable_memory()),
    ("set the clock", |_| call(libc::SYS_clock_settime, [0; 4])),
];

/// What the other process does. Without the variable there is nothing to do.
#[test]
fn in_a_process_of_its_own() {
    let Some(at) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let root = nix::unistd::geteuid().is_root();
    let settings = Confine { user: root.then(|| "nobody".into()), ..Confine::default() };
    let read = ["one/zones", "one/geo", "one/link"].map(|path| at.join(path)).to_vec();
    confine(&settings, &Needs { read, state: at.join("state") }, None).expect("it is confined");
    // The process above now changes what is to be read.
    println!("said confined");
    io::stdin().read_line(&mut String::new()).expect("a line");
    // What is confined is this thread and those that it starts.
    std::thread::spawn(move || {
        for (what, deed) in DEEDS {
            let result = deed(&at).map_or_else(|error| error.to_string(), |()| "done".into());
            println!("said {what:<37} {result}");
        }
        let dumps = nix::sys::prctl::get_dumpable().expect("an answer");
        let gains = !nix::sys::prctl::get_no_new_privs().expect("an answer");
        println!("said {:<37} {}", "leave a core dump", if dumps { "yes" } else { "no" });
        println!("said {:<37} {}", "gain privileges by a program", if gains { "yes" } else { "no" });
    })
    .join()
    .expect("all was tried");
    println!("said end");
}

#[test]
fn a_confined_process_can_do_what_it_needs_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).expect("open to the other user");
    for inside in ["one/zones", "one/geo", "one/versions/1", "one/versions/2"] {
        fs::create_dir_all(at.join(inside)).expect("a folder");
    }
    for file in ["one/zones/a.zone", "one/versions/1/a.zone", "one/versions/2/a.zone"] {
        fs::write(at.join(file), "a").expect("a file");
    }
    symlink("versions/1", at.join("one/link")).expect("a link");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "confined::in_a_process_of_its_own", "--nocapture", "--test-threads=1"])
        .env(CHILD, at)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.expect("another process");
    let mut told = BufReader::new(child.stdout.take().expect("its stdout")).lines().map_while(Result::ok);
    let mut said = std::iter::from_fn(|| told.by_ref().find_map(|line| Some(line.split_once("said ")?.1.to_string())));
    assert_eq!(said.next().as_deref(), Some("confined"));
    fs::write(at.join("new"), "b").expect("a file");
    fs::rename(at.join("new"), at.join("one/zones/b.zone")).expect("renamed");
    fs::rename(at.join("one/geo"), at.join("one/old")).expect("renamed");
    fs::create_dir(at.join("one/geo")).expect("a folder");
    fs::remove_file(at.join("one/link")).expect("no link");
    symlink("versions/2", at.join("one/link")).expect("a link");
    child.stdin.take().expect("its stdin").write_all(b"go on\n").expect("told");
    let said: Vec<String> = said.take_while(|line| line != "end").collect();
    assert_eq!(said.join("\n"), expected().join("\n"));
    assert!(child.wait().expect("its end").success());
}

/// The server as root starts it, for another user: every thread of it has nothing left, and it serves and reloads.
#[test]
fn a_server_that_root_starts_ends_up_as_another_user() {
    if without_root("become another user") {
        return;
    }
    let server =
        Server::launch(&[("zones/example.com.zone", ZONE)], &["--listen", "127.0.0.1:0", "--user", "nobody"], &[]);
    let www = (0, Some([192, 0, 2, 2]));
    assert_eq!(ask_udp(server.addresses[0], "www"), www);
    let mut threads = 0;
    for task in fs::read_dir(format!("/proc/{}/task", server.child.id())).expect("its threads") {
        // One that loads may have ended meanwhile.
        let Ok(status) = fs::read_to_string(task.expect("a thread").path().join("status")) else { continue };
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let nobody = value("Uid");
        assert!(!nobody.split(' ').any(|id| id == "0") && !value("Gid").split(' ').any(|id| id == "0"), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(value(set), "0000000000000000", "{set} of {status}");
        }
        assert_eq!((&*value("NoNewPrivs"), &*value("Seccomp")), ("1", "2"), "{status}");
        threads += 1;
    }
    assert!(threads > 4, "{threads} threads");
    let zones = server.folder.path().join("zones");
    fs::write(server.folder.path().join("next"), format!("{ZONE}new A 192.0.2.9\n")).expect("a zone");
    fs::rename(server.folder.path().join("next"), zones.join("example.com.zone")).expect("renamed");
    until(server.addresses[0], "new", (0, Some([192, 0, 2, 9])));
    // Another folder under the same name, as a deployment puts it there.
    fs::rename(&zones, server.folder.path().join("old")).expect("renamed");
    fs::create_dir(&zones).expect("a folder");
    fs::write(zones.join("example.com.zone"), format!("{ZONE}newer A 192.0.2.10\n")).expect("a zone");
    until(server.addresses[0], "newer", (0, Some([192, 0, 2, 10])));
    assert_eq!(ask_udp(server.addresses[0], "www"), www);
}

/// What this kernel can hold back.
fn expected() -> Vec<String> {
    let forbidding = |word: &str| match word {
        "Landlock" => landlocks(),
        _ => Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
    };
    let line = |line: &str| {
        let (what, result) = line.split_at(37);
        let result = result.trim_start();
        match result.split_once(": ") {
            Some((by, result)) => forbidding(by).then(|| format!("{what} {result}")),
            None => Some(format!("{what} {result}")),
        }
    };
    assert!(EXPECTED.lines().all(|one| line(one).is_some()), "this kernel lacks Landlock or seccomp: nothing is shown");
    EXPECTED.lines().filter_map(line).collect()
}

fn landlocks() -> bool {
    const VERSION: usize = 1;
    call(libc::SYS_landlock_create_ruleset, [0, 0, VERSION, 0]).is_ok()
}
