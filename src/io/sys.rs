//! The system calls that no safe wrapper covers: datagrams in batches, each with the address it came to, and a few
//! socket options. The only `unsafe` of the crate is here.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::slice;

use libc::{c_int, c_void, iovec, mmsghdr, sockaddr_storage};

/// Datagrams taken by one system call. Ours: more gain nothing (measured), and a batch must stay in the cache.
pub const BATCH: usize = 64;

/// The longest query read from a datagram; a longer one counts as malformed. Ours: NSD and Knot read as much.
const QUERY_MAX: usize = 4096;

/// The longest reply put into a datagram. Ours: `udp_payload_max` cannot be set higher.
pub const REPLY_MAX: usize = 4096;

/// A header alone: what is handed on of a datagram that was longer than `QUERY_MAX`, so that it is answered as malformed.
const HEADER_LENGTH: usize = 12;

/// Linux sends at most 64 datagrams of one segmented send (128 since 6.9).
const SEGMENTS_MAX: usize = 64;

/// A segmented send must fit one IP packet of 64 KiB with its headers.
const SEGMENTED_BYTES_MAX: usize = 65_000;

/// Longer replies are not segmented: the kernel refuses segments beyond the path's MTU, and IPv6 promises only 1280.
const SEGMENT_MAX: usize = 1232;

/// Asked of the kernel for each socket, in each direction, so that a burst waits instead of being lost.
const SOCKET_BUFFER: c_int = 4 << 20;

/// Room for an address (`in6_pktinfo`) and a segment size, each with its header.
const CONTROL_LENGTH: usize = 80;

/// 65 cache lines, not 64: buffers a page apart would all begin in the same set of the first-level cache.
#[repr(align(64))]
#[derive(Clone)]
struct Buffer([u8; 4096 + 64]);

#[repr(align(8))]
#[derive(Clone)]
struct Control([u8; CONTROL_LENGTH]);

/// A slice that stays where it is, so that the kernel may be given addresses inside it once and for all.
struct Fixed<T>(*mut [T]);

impl<T: Clone> Fixed<T> {
    fn new(value: T, length: usize) -> Fixed<T> {
        Fixed(Box::into_raw(vec![value; length].into_boxed_slice()))
    }

    fn address(&mut self, index: usize) -> *mut T {
        assert!(index < self.0.len());
        // SAFETY: the index is inside the allocation.
        unsafe { self.0.cast::<T>().add(index) }
    }
}

impl<T> std::ops::Deref for Fixed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the pointer came from a box and is freed only in `drop`. The kernel writes through it only during a
        // call that holds `&mut Batch`, so no other reference is alive then.
        unsafe { &*self.0 }
    }
}

impl<T> std::ops::DerefMut for Fixed<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` makes it the only one.
        unsafe { &mut *self.0 }
    }
}

impl<T> Drop for Fixed<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::into_raw` in `new` and is given back once.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// A batch of queries and their replies, with all the memory the system calls need, allocated once.
pub struct Batch {
    /// On a wildcard bind each datagram tells the address it came to, and its reply leaves from there.
    wildcard: bool,
    /// Whether replies to one client may leave as one segmented send; off once the kernel or device refuses.
    segmenting: bool,
    received: usize,
    replies: usize,
    packets: Fixed<Buffer>,
    answers: Fixed<Buffer>,
    sources: Fixed<sockaddr_storage>,
    receive_headers: Fixed<mmsghdr>,
    send_vectors: Fixed<iovec>,
    send_headers: Fixed<mmsghdr>,
    send_controls: Fixed<Control>,
    /// Which query each reply belongs to.
    asked: [u8; BATCH],
    /// These are reached through the headers only, and have to live as long.
    _receive_vectors: Fixed<iovec>,
    _controls: Fixed<Control>,
}

/// One query of a batch, and the room for its reply.
pub struct Exchange<'a> {
    pub packet: &'a [u8],
    pub source: SocketAddr,
    pub reply: &'a mut [u8],
}

/// Whether to wait for the first datagram, as long as the socket's receive timeout allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    ForOne,
    No,
}

impl Batch {
    pub fn new(wildcard: bool) -> Batch {
        let no_vector = iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        // SAFETY: all zeroes is a valid value of these plain C structures.
        let (no_header, no_address) = unsafe { (mem::zeroed::<mmsghdr>(), mem::zeroed::<sockaddr_storage>()) };
        let mut packets = Fixed::new(Buffer([0; 4096 + 64]), BATCH);
        let mut answers = Fixed::new(Buffer([0; 4096 + 64]), BATCH);
        let mut sources = Fixed::new(no_address, BATCH);
        let mut controls = Fixed::new(Control([0; CONTROL_LENGTH]), BATCH);
        let mut receive_vectors = Fixed::new(no_vector, BATCH);
        let mut receive_headers = Fixed::new(no_header, BATCH);
        let mut send_vectors = Fixed::new(no_vector, BATCH);
        for index in 0..BATCH {
            receive_vectors[index] = iovec { iov_base: packets.address(index).cast(), iov_len: QUERY_MAX };
            send_vectors[index] = iovec { iov_base: answers.address(index).cast(), iov_len: 0 };
            let header = &mut receive_headers[index].msg_hdr;
            header.msg_name = sources.address(index).cast();
            header.msg_iov = receive_vectors.address(index);
            header.msg_iovlen = 1;
            if wildcard {
                header.msg_control = controls.address(index).cast();
            }
        }
        let mut batch = Batch {
            wildcard,
            segmenting: true,
            received: BATCH,
            replies: 0,
            packets,
            answers,
            sources,
            receive_headers,
            send_vectors,
            send_headers: Fixed::new(no_header, BATCH),
            send_controls: Fixed::new(Control([0; CONTROL_LENGTH]), BATCH),
            asked: [0; BATCH],
            _receive_vectors: receive_vectors,
            _controls: controls,
        };
        batch.forget();
        batch
    }

    /// Puts back what the kernel changed in the headers of the last batch.
    fn forget(&mut self) {
        let control_length = if self.wildcard { CONTROL_LENGTH } else { 0 };
        for header in self.receive_headers.iter_mut().take(self.received.max(1)) {
            header.msg_hdr.msg_namelen = mem::size_of::<sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = control_length as _;
            header.msg_hdr.msg_flags = 0;
        }
        self.received = 0;
        self.replies = 0;
    }

    /// Takes the datagrams that are there, waiting for the first if asked to. Returns how many came.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        self.forget();
        let flags = if wait == Wait::ForOne { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // No timeout is passed: the kernel would look at it only after a datagram came.
        // SAFETY: the headers, and all they point to, are `BATCH` long, live as long as `self` and are nobody else's.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.receive_headers.address(0),
                BATCH as libc::c_uint,
                flags as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        self.received = count.min(BATCH);
        Ok(self.received)
    }

    /// A query of the batch.
    pub fn packet(&self, index: usize) -> &[u8] {
        &self.packets[index].0[..self.packet_length(index)]
    }

    fn packet_length(&self, index: usize) -> usize {
        let header = &self.receive_headers[index];
        match header.msg_hdr.msg_flags & libc::MSG_TRUNC {
            0 => (header.msg_len as usize).min(QUERY_MAX),
            _ => HEADER_LENGTH,
        }
    }

    /// A query of the batch, and the room for its reply; none where the kernel told no sender.
    pub fn exchange(&mut self, index: usize) -> Option<Exchange<'_>> {
        if index >= self.received || self.replies >= BATCH {
            return None;
        }
        let source = socket_address(&self.sources[index], self.receive_headers[index].msg_hdr.msg_namelen)?;
        let packet = &self.packets[index].0[..self.packet_length(index)];
        let reply = &mut self.answers[self.replies].0[..REPLY_MAX];
        Some(Exchange { packet, source, reply })
    }

    /// Says that the reply to this query has been written, and how long it is; nothing is silence.
    pub fn reply(&mut self, index: usize, length: usize) {
        if length == 0 || index >= self.received || self.replies >= BATCH {
            return;
        }
        self.send_vectors[self.replies].iov_len = length.min(REPLY_MAX);
        self.asked[self.replies] = index as u8;
        self.replies += 1;
    }

    /// Sends the replies. Returns how many the kernel would not take: those are lost, and clients ask again.
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> usize {
        let mut unsent = 0;
        let mut first = 0;
        while first < self.replies {
            let (messages, prepared) = self.prepare(first);
            match self.send_prepared(socket, messages) {
                Ok(sent) if sent == messages => first = prepared,
                // An error is told when the message that has it comes first.
                Ok(sent) => first += self.replies_in(sent),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.replies_in(1) > 1 && refuses_segments(&error) => self.segmenting = false,
                Err(_) => {
                    let lost = self.replies_in(1);
                    unsent += lost;
                    first += lost;
                }
            }
        }
        unsent
    }

    /// Makes messages of the replies from `first` on. Returns how many, and the reply after their last.
    fn prepare(&mut self, first: usize) -> (usize, usize) {
        let mut messages = 0;
        let mut next = first;
        while next < self.replies {
            let run = self.run(next);
            let query = usize::from(self.asked[next]);
            let size = self.send_vectors[next].iov_len;
            let control = self.send_controls.address(messages);
            let mut control_length = 0;
            if run > 1 {
                let control = &mut self.send_controls[messages];
                control_length = control.put(0, libc::SOL_UDP, libc::UDP_SEGMENT, size as u16);
            }
            if self.wildcard {
                let came_to = self.came_to(query);
                let control = &mut self.send_controls[messages];
                control_length = match came_to {
                    Some(CameTo::V4(info)) => control.put(control_length, libc::IPPROTO_IP, libc::IP_PKTINFO, info),
                    Some(CameTo::V6(info)) => control.put(control_length, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info),
                    None => control_length,
                };
            }
            let name = self.sources.address(query).cast();
            let name_length = self.receive_headers[query].msg_hdr.msg_namelen;
            let vector = self.send_vectors.address(next);
            let header = &mut self.send_headers[messages].msg_hdr;
            header.msg_name = name;
            header.msg_namelen = name_length;
            header.msg_iov = vector;
            header.msg_iovlen = run as _;
            header.msg_control = if control_length == 0 { ptr::null_mut() } else { control.cast::<c_void>() };
            header.msg_controllen = control_length as _;
            messages += 1;
            next += run;
        }
        (messages, next)
    }

    /// How many replies from this one on may leave in one segmented send: to one client, of one size but for the last.
    fn run(&self, first: usize) -> usize {
        let size = self.send_vectors[first].iov_len;
        if !self.segmenting || size > SEGMENT_MAX {
            return 1;
        }
        let most = SEGMENTS_MAX.min(SEGMENTED_BYTES_MAX / size.max(1)).min(self.replies - first);
        let mut run = 1;
        while run < most {
            let next = first + run;
            let next_size = self.send_vectors[next].iov_len;
            if next_size > size || !self.same_client(first, next) {
                break;
            }
            run += 1;
            if next_size < size {
                break;
            }
        }
        run
    }

    fn same_client(&self, one: usize, other: usize) -> bool {
        let (one, other) = (usize::from(self.asked[one]), usize::from(self.asked[other]));
        let length = self.receive_headers[one].msg_hdr.msg_namelen;
        if length != self.receive_headers[other].msg_hdr.msg_namelen {
            return false;
        }
        let same_source = bytes(&self.sources[one], length) == bytes(&self.sources[other], length);
        same_source && (!self.wildcard || self.came_to(one) == self.came_to(other))
    }

    fn replies_in(&self, messages: usize) -> usize {
        self.send_headers.iter().take(messages).map(|header| -> usize { header.msg_hdr.msg_iovlen as _ }).sum()
    }

    /// Never waits: a full send buffer must not keep the queries of others.
    fn send_prepared(&mut self, socket: BorrowedFd<'_>, messages: usize) -> io::Result<usize> {
        // SAFETY: the first `messages` headers were filled by `prepare` with addresses inside this batch.
        let count = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.send_headers.address(0),
                messages as libc::c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        match usize::try_from(count) {
            Ok(0) | Err(_) => Err(io::Error::last_os_error()),
            Ok(count) => Ok(count),
        }
    }

    /// The address a query came to, in the form that makes its reply leave from there.
    fn came_to(&self, index: usize) -> Option<CameTo> {
        let header = &self.receive_headers[index].msg_hdr;
        // SAFETY: the kernel filled the header's control buffer in the last `receive`, or left its length 0.
        let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
        while !control.is_null() {
            // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return headers wholly inside the buffer, or null.
            let (level, kind, length) = unsafe {
                let control = &*control;
                (control.cmsg_level, control.cmsg_type, control.cmsg_len as usize)
            };
            // SAFETY: as above; the length is checked before the value is read, and any bytes are a valid value.
            unsafe {
                if (level, kind) == (libc::IPPROTO_IP, libc::IP_PKTINFO) && holds::<libc::in_pktinfo>(length) {
                    let info = ptr::read_unaligned(libc::CMSG_DATA(control).cast::<libc::in_pktinfo>());
                    return Some(CameTo::V4(libc::in_pktinfo {
                        ipi_ifindex: 0,
                        ipi_spec_dst: info.ipi_addr,
                        ipi_addr: libc::in_addr { s_addr: 0 },
                    }));
                }
                if (level, kind) == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) && holds::<libc::in6_pktinfo>(length) {
                    let mut info = ptr::read_unaligned(libc::CMSG_DATA(control).cast::<libc::in6_pktinfo>());
                    // Only a link-local address needs its interface; any other reply takes the way routing gives it.
                    if !Ipv6Addr::from(info.ipi6_addr.s6_addr).is_unicast_link_local() {
                        info.ipi6_ifindex = 0;
                    }
                    return Some(CameTo::V6(info));
                }
                control = libc::CMSG_NXTHDR(header, control);
            }
        }
        None
    }
}

/// What kernels and devices say that cannot segment, or not for this path.
fn refuses_segments(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIO | libc::EOPNOTSUPP | libc::EMSGSIZE))
}

/// A local address, ready to be sent from.
enum CameTo {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl PartialEq for CameTo {
    fn eq(&self, other: &CameTo) -> bool {
        match (self, other) {
            (CameTo::V4(one), CameTo::V4(other)) => one.ipi_spec_dst.s_addr == other.ipi_spec_dst.s_addr,
            (CameTo::V6(one), CameTo::V6(other)) => {
                (one.ipi6_addr.s6_addr, one.ipi6_ifindex) == (other.ipi6_addr.s6_addr, other.ipi6_ifindex)
            }
            _ => false,
        }
    }
}

/// Whether a control message of this length has room for a `T`.
fn holds<T>(length: usize) -> bool {
    // SAFETY: CMSG_LEN only calculates.
    length >= unsafe { libc::CMSG_LEN(mem::size_of::<T>() as libc::c_uint) } as usize
}

impl Control {
    /// Appends a control message at `at`. Returns where the next one goes.
    fn put<T: Copy>(&mut self, at: usize, level: c_int, kind: c_int, value: T) -> usize {
        let size = mem::size_of::<T>() as libc::c_uint;
        // SAFETY: CMSG_SPACE and CMSG_LEN only calculate.
        let (space, length) = unsafe { (libc::CMSG_SPACE(size) as usize, libc::CMSG_LEN(size) as usize) };
        assert!(at + space <= CONTROL_LENGTH && at.is_multiple_of(mem::align_of::<libc::cmsghdr>()));
        // SAFETY: checked above: the message lies inside the buffer, which is aligned as its header wants, and so is
        // `at`. The header is zeroed first because some systems pad it.
        unsafe {
            let header = self.0.as_mut_ptr().add(at).cast::<libc::cmsghdr>();
            *header = mem::zeroed();
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = length as _;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast::<T>(), value);
        }
        at + space
    }
}

/// The first bytes of a socket address, as many as the kernel says it has.
fn bytes(address: &sockaddr_storage, length: libc::socklen_t) -> &[u8] {
    let length = (length as usize).min(mem::size_of::<sockaddr_storage>());
    // SAFETY: the structure was zeroed when made and has no uninitialised bytes; the length is within it.
    unsafe { slice::from_raw_parts(ptr::from_ref(address).cast::<u8>(), length) }
}

fn socket_address(address: &sockaddr_storage, length: libc::socklen_t) -> Option<SocketAddr> {
    let length = length as usize;
    match c_int::from(address.ss_family) {
        libc::AF_INET if length >= mem::size_of::<libc::sockaddr_in>() => {
            // SAFETY: a sockaddr_storage is large and aligned enough for any socket address, and any bytes are valid.
            let address = unsafe { &*ptr::from_ref(address).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(address.sin_port)).into())
        }
        libc::AF_INET6 if length >= mem::size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above.
            let address = unsafe { &*ptr::from_ref(address).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(address.sin6_port), 0, address.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Sets what a DNS socket over UDP wants. What only makes it faster is let go where the system refuses it.
pub fn prepare_udp(socket: BorrowedFd<'_>, address: &SocketAddr) -> io::Result<()> {
    let wildcard = address.ip().is_unspecified();
    // A forged ICMP message must not make us send smaller fragments.
    if address.is_ipv4() {
        set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)?;
        if wildcard {
            set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        }
    } else {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)?;
        if wildcard {
            set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
        }
    }
    for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        // Beyond the system's limit only with privilege; without, as much as the limit gives.
        if set_option(socket, libc::SOL_SOCKET, force, SOCKET_BUFFER).is_err() {
            set_option(socket, libc::SOL_SOCKET, plain, SOCKET_BUFFER)?;
        }
    }
    Ok(())
}

/// Lets a socket that is bound to an address choose its port when it connects, so that connections to different
/// servers may share one.
pub fn choose_port_late(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

fn set_option(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let size = mem::size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the value is an int of the size told, and lives through the call.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(&value).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets the process open as many files as the system allows it, and returns that number: a connection is a file.
pub fn raise_open_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is ours and lives through both calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return 0;
        }
        let before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) != 0 {
            limit.rlim_cur = before;
        }
    }
    limit.rlim_cur
}

/// The columns and rows of a terminal; none where it is no terminal, or does not say.
pub fn terminal_size(terminal: BorrowedFd<'_>) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the structure is ours, is what this request writes, and lives through the call.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (done == 0 && columns > 0 && rows > 0).then_some((columns, rows))
}

/// A key that nobody can guess.
pub fn random_key() -> io::Result<[u8; 16]> {
    let mut key = [0; 16];
    random(&mut key)?;
    Ok(key)
}

/// Gives the memory that a load has freed back to the system: the allocator keeps what lies between what stays.
#[cfg(target_env = "gnu")]
pub fn give_back_memory() {
    // SAFETY: it takes no pointers, and may be called from any thread at any time.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators see to it themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_back_memory() {}

/// How far back a thread stands that has time: with others to run beside it, it has a tenth of a processor at least.
const STANDS_BACK: c_int = 10;

/// Has this thread, and those that it will start, let others go first, also where the server was started with real-time
/// priority: a load would hold up every answer then. Where the system does not want that, nothing is lost but time.
pub fn stand_back() {
    let no_priority = libc::sched_param { sched_priority: 0 };
    // musl has a function for this that does nothing.
    // SAFETY: the kernel reads the structure, which outlives the call. Thread 0 is the one that calls.
    unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_BATCH, &raw const no_priority) };
    // SAFETY: it takes no pointers. On Linux process 0 is the thread that calls.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, STANDS_BACK) };
}

/// What is larger than this has pages of its own, which go back to the system the moment it is let go of. The GNU
/// allocator would raise the limit to 32 MiB as soon as something large is freed: from then on a load's tables and chunks
/// of records would leave holes that nobody else fits into.
#[cfg(target_env = "gnu")]
const OWN_PAGES_FROM: c_int = 128 << 10;

/// Has memory that is let go of go back to the system. To be called once, at the start.
#[cfg(target_env = "gnu")]
pub fn prepare_memory() {
    // SAFETY: it takes no pointers, and nothing else of this process sets these values.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_PAGES_FROM) };
    // SAFETY: as above.
    unsafe { libc::mallopt(libc::M_MXFAST, 0) };
}

/// Other allocators see to it themselves.
#[cfg(not(target_env = "gnu"))]
pub fn prepare_memory() {}

/// Ignores SIGUSR1 and SIGUSR2, which end a process otherwise. They mean nothing here, and other servers rotate their
/// logs or report by them.
pub fn ignore_user_signals() {
    for signal in [libc::SIGUSR1, libc::SIGUSR2] {
        // SAFETY: SIG_IGN is no function that would run inside a signal.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Keeps SIGHUP until it is let through. It is not lost, and does not end the process. Threads that start meanwhile leave
/// it to this one.
pub fn hold_hangup() {
    mask_hangup(libc::SIG_BLOCK);
}

/// Lets SIGHUP through, one that came meanwhile too. For the thread that held it.
pub fn let_hangup_through() {
    mask_hangup(libc::SIG_UNBLOCK);
}

fn mask_hangup(how: libc::c_int) {
    // SAFETY: a set of signals is plain bytes, the first call makes it an empty one, and all of them write to it alone.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGHUP);
        libc::pthread_sigmask(how, &set, std::ptr::null_mut());
    }
}

/// Locks a file or folder for as long as it is open. `WouldBlock`: another process has locked it.
pub fn lock(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the file is open during the call, which touches no memory.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Fills with bytes that nobody can guess.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut at = 0;
    while at < bytes.len() {
        let rest = &mut bytes[at..];
        // SAFETY: the pointer and the length are those of a slice of ours.
        let count = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(count) {
            Ok(count) => at += count,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}
