//! Who is connected, over all listeners that share their limits, and who has to go when there is no room.
//!
//! | newcomers that have asked nothing yet | who goes                                |
//! |---------------------------------------|-----------------------------------------|
//! | have more than a quarter of the seats | a newcomer, see below                   |
//! | have no more                          | who has asked, but not for longest      |
//!
//! Of newcomers that one goes which has most neighbours here, and of those with as many the one that came first. So a
//! flood of silent connections pushes out itself, and a newcomer that means it has time to ask.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// One seat in so many is for newcomers, if need be; ours.
const NEWCOMERS_SHARE: usize = 4;

/// All connections that share limits.
pub struct Crowd {
    /// Beyond, the connection useful longest ago is closed.
    connections_max: usize,
    /// Of one client: an IPv4 address, or an IPv6 network of 64 bits.
    client_max: usize,
    /// Counts what happens, so that it can be told what happened longest ago.
    events: AtomicU64,
    closed_for_room: AtomicU64,
    connections: Mutex<Connections>,
}

/// A connection's place among all of them, given back when it is dropped.
pub struct Seat {
    crowd: Arc<Crowd>,
    place: Arc<Place>,
}

struct Place {
    id: u64,
    /// The event when it was last useful: it was opened, or whole messages had come.
    last_active: AtomicU64,
    /// A whole message has come.
    has_asked: AtomicBool,
    close: Notify,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Open>,
    clients: HashMap<IpAddr, usize>,
    /// How many there are of each neighbourhood.
    neighbours: HashMap<IpAddr, Arc<AtomicUsize>>,
}

struct Open {
    place: Arc<Place>,
    /// Whom it counts for; none as long as a proxy hasn't said.
    client: Option<IpAddr>,
    /// How many there are of its neighbourhood, itself included; none as long as nobody knows where that is.
    neighbours: Option<Arc<AtomicUsize>>,
}

impl Open {
    fn last_active(&self) -> u64 {
        self.place.last_active.load(Ordering::Relaxed)
    }

    fn neighbours(&self) -> usize {
        self.neighbours.as_ref().map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

impl Crowd {
    pub fn new(connections_max: usize, client_max: usize) -> Arc<Crowd> {
        Arc::new(Crowd {
            connections_max,
            client_max,
            events: AtomicU64::new(0),
            closed_for_room: AtomicU64::new(0),
            connections: Mutex::default(),
        })
    }

    /// Takes a connection in, and closes the one idle for longest where there was no room for another. It counts for
    /// its client, or for nobody as long as that is not known.
    pub fn admit(self: &Arc<Self>, client: Option<IpAddr>) -> Seat {
        let event = self.event();
        let mut connections = self.lock();
        if connections.open.len() >= self.connections_max {
            self.close_one(&mut connections, self.connections_max, |_| true);
        }
        let id = connections.next;
        connections.next += 1;
        let (has_asked, close) = Default::default();
        let place = Arc::new(Place { id, last_active: AtomicU64::new(event), has_asked, close });
        if let Some(client) = client {
            self.make_room_for(&mut connections, network(client));
        }
        connections.enter(place.clone(), client.map(network));
        drop(connections);
        Seat { crowd: self.clone(), place }
    }

    /// Closes the connection that is of least use.
    pub fn close_idlest(&self) {
        self.close_one(&mut self.lock(), self.connections_max, |_| true);
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().open.len()
    }

    /// How many were closed to make room for others.
    pub fn closed_for_room(&self) -> u64 {
        self.closed_for_room.load(Ordering::Relaxed)
    }

    fn make_room_for(&self, connections: &mut Connections, client: IpAddr) {
        if connections.clients.get(&client).is_some_and(|count| *count >= self.client_max) {
            self.close_one(connections, self.client_max, |open| open.client == Some(client));
        }
    }

    fn close_one(&self, connections: &mut Connections, seats: usize, among: impl Fn(&Open) -> bool) {
        let open = connections.open.values().filter(|open| among(open));
        let (askers, newcomers): (Vec<&Open>, Vec<&Open>) =
            open.partition(|open| open.place.has_asked.load(Ordering::Relaxed));
        let too_many = newcomers.len() > seats / NEWCOMERS_SHARE;
        let asker = askers.into_iter().min_by_key(|open| open.last_active());
        let newcomer = newcomers.into_iter().min_by_key(|open| (Reverse(open.neighbours()), open.last_active()));
        let (first, second) = if too_many { (newcomer, asker) } else { (asker, newcomer) };
        if let Some(place) = first.or(second).map(|open| open.place.clone()) {
            place.close.notify_one();
            connections.leave(place.id);
            self.closed_for_room.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed)
    }

    /// A panic elsewhere leaves the connections whole.
    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    fn enter(&mut self, place: Arc<Place>, client: Option<IpAddr>) {
        let neighbours = client.map(|client| self.neighbours.entry(neighbourhood(client)).or_default().clone());
        if let Some(count) = &neighbours {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.open.insert(place.id, Open { place, client, neighbours });
        if let Some(client) = client {
            *self.clients.entry(client).or_default() += 1;
        }
    }

    fn leave(&mut self, id: u64) {
        let Some(Open { client: Some(client), neighbours, .. }) = self.open.remove(&id) else { return };
        if neighbours.is_some_and(|count| count.fetch_sub(1, Ordering::Relaxed) == 1) {
            self.neighbours.remove(&neighbourhood(client));
        }
        if let Some(count) = self.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
    }
}

impl Seat {
    /// One number for each connection, counted from 0.
    pub fn id(&self) -> u64 {
        self.place.id
    }

    /// It was useful just now.
    pub fn used(&self) {
        self.place.has_asked.store(true, Ordering::Relaxed);
        self.place.last_active.store(self.crowd.event(), Ordering::Relaxed);
    }

    /// Comes when somebody else needs the place.
    pub async fn taken(&self) {
        self.place.close.notified().await;
    }

    /// The same for a caller that may let go of the seat meanwhile.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let place = self.place.clone();
        async move { place.close.notified().await }
    }

    /// From now on it counts for this client.
    pub fn belongs_to(&self, client: IpAddr) {
        let client = network(client);
        let mut connections = self.crowd.lock();
        // It may have been closed for room meanwhile.
        if !connections.open.contains_key(&self.place.id) {
            return;
        }
        connections.leave(self.place.id);
        self.crowd.make_room_for(&mut connections, client);
        connections.enter(self.place.clone(), Some(client));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.lock().leave(self.place.id);
    }
}

/// Whom a connection counts for: one person often has a whole IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
    }
}

/// Whoever floods has many addresses near each other more often than far apart.
fn neighbourhood(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(client) => Ipv4Addr::from(u32::from(client) >> 8 << 8).into(),
        IpAddr::V6(client) => Ipv6Addr::from(u128::from(client) >> 80 << 80).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn was_taken(seat: &Seat) -> bool {
        use std::task::{Context, Poll, Waker};
        let mut taken = std::pin::pin!(seat.taken());
        taken.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    fn client(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_one_useful_longest_ago_makes_room() {
        let crowd = Crowd::new(4, 9);
        let seats = [(); 4].map(|()| crowd.admit(client("192.0.2.1")));
        [1, 3, 0, 2].iter().for_each(|at: &usize| seats[*at].used());
        let _fifth = crowd.admit(client("192.0.2.2"));
        assert_eq!(seats.each_ref().map(was_taken), [false, true, false, false]);
        assert_eq!((crowd.count(), crowd.closed_for_room()), (4, 1));
        drop(seats);
        assert_eq!(crowd.count(), 1);
    }

    #[test]
    fn a_flood_of_silent_ones_pushes_out_itself() {
        let crowd = Crowd::new(8, 99);
        let askers = [(); 8].map(|()| crowd.admit(client("192.0.2.1")));
        askers.iter().for_each(Seat::used);
        let flood = [(); 50].map(|()| crowd.admit(client("192.0.2.2")));
        // The quarter for newcomers, and the one too many that shows it.
        assert_eq!(askers.each_ref().map(was_taken), [true, true, true, false, false, false, false, false]);
        let newcomers = flood.iter().filter(|seat| !was_taken(seat)).count();
        assert_eq!(newcomers, 3);
        assert!(!was_taken(&flood[49]));
        // Whoever asks is no newcomer any more.
        flood[49].used();
        let _more = [(); 50].map(|()| crowd.admit(client("192.0.2.2")));
        assert!(!was_taken(&flood[49]));
    }

    #[test]
    fn a_flood_from_many_addresses_does_not_push_out_those_who_live_elsewhere() {
        let crowd = Crowd::new(8, 99);
        let stranger = crowd.admit(client("192.0.2.1"));
        let flood: Vec<_> = (0..50).map(|host| crowd.admit(client(&format!("198.51.100.{host}")))).collect();
        assert!(!was_taken(&stranger));
        drop(flood);
        // Where everybody lives alone, who came first goes.
        let alone: Vec<_> = (0..50).map(|street| crowd.admit(client(&format!("10.0.{street}.1")))).collect();
        assert!(was_taken(&stranger) && was_taken(&alone[0]) && !was_taken(&alone[49]));
        drop((alone, stranger));
        assert!(crowd.lock().neighbours.is_empty());
    }

    #[test]
    fn a_client_with_too_many_makes_room_itself() {
        let crowd = Crowd::new(9, 2);
        let other = crowd.admit(client("2001:db8:0:1::1"));
        let own = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"].map(|text| crowd.admit(client(text)));
        assert_eq!(own.each_ref().map(was_taken), [true, false, false]);
        assert!(!was_taken(&other));
    }

    #[test]
    fn behind_a_proxy_it_counts_for_the_client_once_that_is_known() {
        let crowd = Crowd::new(9, 2);
        let seats = [(); 4].map(|()| crowd.admit(None));
        assert_eq!(seats.each_ref().map(was_taken), [false; 4]);
        for (seat, text) in seats.iter().zip(["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.1"]) {
            seat.belongs_to(text.parse().unwrap());
        }
        assert_eq!(seats.each_ref().map(was_taken), [true, false, false, false]);
        drop(seats);
        assert!(crowd.lock().clients.is_empty());
    }
}
