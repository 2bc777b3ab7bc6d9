//! `src/io/sys.rs` and the UDP server as they are, small enough to be built with a sanitizer whenever CI runs.

/// The few names that the two look for in the crate around them.
pub mod respond {
    /// Messages answered together; any number will do here, and an odd one cuts batches where nobody expects it.
    pub const TOGETHER: usize = 7;
}

pub mod io;
#[path = "../../../src/moment.rs"]
pub mod moment;

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::net::UdpSocket;
    use std::os::fd::{AsFd, AsRawFd};
    use std::time::Duration;

    use crate::io::sys::{self, BATCH, Batch, REPLY_MAX, Wait};
    use crate::io::udp;

    /// Sends so many messages of these lengths, and has each replied to with as many bytes as `reply` says.
    fn exchange(address: &str, lengths: &[usize], reply: impl Fn(usize) -> usize) -> usize {
        let server = udp::bind(address.parse().expect("an address")).expect("a socket");
        let here = server.local_addr().expect("an address");
        let wildcard = here.ip().is_unspecified();
        let local = if here.is_ipv4() { "127.0.0.1" } else { "::1" };
        let client = UdpSocket::bind((local, 0)).expect("a socket");
        for &length in lengths {
            client.send_to(&vec![7; length], (local, here.port())).expect("room for a datagram");
        }
        let (mut batch, mut taken) = (Batch::new(wildcard), 0);
        while taken < lengths.len() {
            let count = batch.receive(server.as_fd(), Wait::ForOne).expect("datagrams");
            assert!(count <= BATCH);
            taken += count;
            for index in 0..count {
                assert!(batch.packet(index).iter().all(|byte| *byte == 7));
                let exchange = batch.exchange(index).expect("a sender");
                let length = reply(exchange.packet.len()).min(exchange.reply.len());
                exchange.reply[..length].fill(9);
                batch.reply(index, length);
            }
            batch.send(server.as_fd());
        }
        client.set_nonblocking(true).expect("a socket that does not wait");
        let mut replies = 0;
        while let Ok(length) = client.recv(&mut [0; 65_535]) {
            assert!(length <= REPLY_MAX);
            replies += 1;
        }
        replies
    }

    #[test]
    fn batches_of_every_kind() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            // More than a batch, segmented or not, the longest there are, and those that are cut off.
            assert_eq!(exchange(address, &[12; BATCH + 5], |length| length), BATCH + 5, "{address}");
            assert_eq!(exchange(address, &[0, 1, 4095, 4096], |length| length), 3, "{address}");
            assert_eq!(exchange(address, &[4097, 9000], |length| length), 2, "{address}");
            assert_eq!(exchange(address, &[20; 8], |_| REPLY_MAX), 8, "{address}");
            assert_eq!(exchange(address, &[20; 8], |_| usize::MAX), 8, "{address}");
            assert_eq!(exchange(address, &[20; 64], |length| 1232 - length % 3), 64, "{address}");
            assert_eq!(exchange(address, &[20; 8], |_| 0), 0, "{address}");
        }
    }

    /// The kernel tells more than was asked for: its messages are gone through until the address is found, or their end.
    #[test]
    fn control_messages_of_others() {
        for (address, asked) in [("0.0.0.0:0", "127.0.0.7"), ("127.0.0.7:0", "127.0.0.7")] {
            let server = udp::bind(address.parse().expect("an address")).expect("a socket");
            let on: libc::c_int = 1;
            // SAFETY: the value is an int of the size told, and lives through the call.
            let set = unsafe {
                let (level, option) = (libc::SOL_SOCKET, libc::SO_TIMESTAMP);
                libc::setsockopt(server.as_raw_fd(), level, option, (&raw const on).cast(), size_of_val(&on) as u32)
            };
            assert_eq!(set, 0);
            let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            client.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
            let asked = (asked, server.local_addr().expect("an address").port());
            client.send_to(b"hello", asked).expect("room for a datagram");
            let mut batch = Batch::new(true);
            assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).expect("a datagram"), 1);
            batch.exchange(0).expect("a sender").reply[0] = 1;
            batch.reply(0, 1);
            assert_eq!(batch.send(server.as_fd()), 0);
            let (_, from) = client.recv_from(&mut [0; 16]).expect("a reply");
            assert_eq!(from.ip().to_string(), asked.0);
        }
    }

    #[test]
    fn what_a_batch_does_not_hold_is_refused() {
        let mut batch = Batch::new(true);
        assert!(batch.exchange(0).is_none() && batch.exchange(usize::MAX).is_none());
        batch.reply(0, 100);
        batch.reply(BATCH, 100);
        let socket = udp::bind("127.0.0.1:0".parse().expect("an address")).expect("a socket");
        assert_eq!(batch.send(socket.as_fd()), 0);
    }

    #[test]
    fn the_other_calls() {
        let key = || sys::random_key().expect("random bytes");
        assert_ne!(key(), key());
        for length in [0, 1, 255, 256, 1000] {
            let mut bytes = vec![0; length];
            sys::random(&mut bytes).expect("random bytes");
            assert!(length < 16 || bytes.iter().any(|byte| *byte != 0));
        }
        assert!(sys::raise_open_files() > 0);
        sys::prepare_memory();
        sys::give_back_memory();
        std::thread::spawn(sys::stand_back).join().expect("a thread");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        sys::choose_port_late(socket.as_fd()).expect("an option that Linux has");
    }

    /// That a sanitizer is there and finds something: `.ci/sanitize` runs this alone, and it has to fail.
    #[test]
    #[ignore = "it is to fail, under a sanitizer"]
    fn a_read_beyond_the_end() {
        let bytes = black_box(vec![1_u8; 16]);
        // SAFETY: there is none; this is what a sanitizer is for.
        let beyond = unsafe { *bytes.as_ptr().add(black_box(16)) };
        println!("{beyond}");
    }
}
