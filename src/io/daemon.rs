//! The server from its start to its end: load, bind, answer, reload, rotate, drain.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::admin::{self, Admin, Loads, ports};
use super::announce;
use super::bind::{Addresses, Sockets};
use super::confine::{self, Needs};
use super::doors::{self, Doors, certificate};
use super::folder::{Listing, Touched};
use super::hands::are_granted;
use super::health::Health;
use super::last_good::LastGood;
use super::live::{Live, Served};
use super::load::{Loaded, Loader};
use super::loading::{Job, Load, Loading};
use super::probe::{self, Prober};
use super::proxy::Proxies;
use super::report;
use super::routing_tests::{self, Failed, GateFailed};
use super::service::{self, Service};
use super::state::{CookieSecrets, State, Unusable};
use super::udp_workers::UdpWorkers;
use super::upstream::Asking;
use super::watch::Watch;
use super::{clock, log, settings, sys, tcp};
use crate::config::{self, Config, Effect, Flags};
use crate::problem::{Severity, counted};
use crate::respond::Transport;
use crate::respond::rate_limit::Table;
use crate::snapshot::{Settings, Snapshot};

/// How long TCP clients may take to have their last replies once the server is to end.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// How often TCP's turns let go of an old snapshot.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// More problems than this are counted in the log, not listed: `check` lists them all.
const LOGGED_PROBLEMS_MAX: usize = 20;

/// A rotation that failed is tried again after this.
const ROTATION_RETRY: Duration = Duration::from_secs(60);

const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// What `serve` was asked for, flags over settings over defaults.
pub struct Plan {
    pub config: Config,
    /// The settings file that was named, to be read again on SIGHUP.
    pub config_file: Option<PathBuf>,
    pub loader: Loader,
    pub state: PathBuf,
    pub listen: Addresses,
    pub doors: config::Doors,
    /// Where the admin port is to be; none: at its usual place, if that is free.
    pub admin: Option<Vec<SocketAddr>>,
    /// What flags say of settings that may change at a reload.
    pub flags: Flags,
    pub workers: usize,
}

impl Plan {
    fn needs(&self) -> Needs {
        let folders = self.loader.folders();
        let usual = Some(PathBuf::from(settings::FILE)).filter(|file| file.exists());
        let settings = self.config_file.clone().or(usual);
        let read = std::iter::once(folders.zones.clone()).chain(folders.geo.clone()).chain(settings);
        let read = read.chain(self.doors.certificate.clone()).chain(self.doors.key.clone());
        let tokens = self.config.health.reports.iter().filter_map(|report| match &report.token {
            Some(config::Token::File(file)) => Some(file.clone()),
            _ => None,
        });
        let read = read.chain(tokens).chain(probe::named_roots());
        Needs { read: read.collect(), state: self.state.clone() }
    }
}

/// Serves until it is told to end. An error is why it could not begin.
pub fn serve(mut plan: Plan) -> Result<()> {
    let begin = Instant::now();
    sys::prepare_memory();
    let host_name = std::fs::read_to_string(HOST_NAME_FILE).unwrap_or_default().trim().to_string();
    let identity = doors::open::identity(&plan.doors, &host_name)?;
    let Sockets { addresses, udp, tcp } = match service::sockets(plan.workers)? {
        Some(sockets) => sockets,
        None => plan.listen.bind(plan.workers)?,
    };
    let encrypted = doors::open::Sockets::bind(&plan.doors)?;
    let admin_port = ports::bind(plan.admin.take())?;
    let receivers = report::receivers(&plan.config.health.reports)?;
    let files = sys::raise_open_files();
    let doors_max = if plan.doors.any() { plan.doors.limits.connections_max } else { 0 };
    let connections = plan.config.tcp.connections_max + doors_max;
    if files < connections as u64 + 64 {
        tracing::warn!(
            "this process may open {files} files, too few for {connections} connections; raise its limit (ulimit -n)"
        );
    }
    // Who asks meanwhile waits for the load. Nothing that others wrote is read before.
    let mut listing = Listing::of(&plan.loader.folders().zones).ok();
    confine::confine(&plan.config.confine, &plan.needs(), listing.as_mut())?;
    plan.loader.knowing(listing);
    log::write();
    // Whatever clients do over streams, probes and the admin port have a thread of their own.
    let (runtime, streams) = (threads(1, "keeping")?, threads(plan.workers, "tcp")?);
    let mut waiting = ports::wait(&runtime, admin_port.as_ref())?;
    let state = open_state(&plan);
    let health_state = state.clone();
    let cookies = CookieSecrets::load(state.as_ref(), clock::unix_seconds()).or_else(|error| {
        tracing::warn!(%error, "the cookie secrets cannot be kept; cookies will not outlive this process");
        CookieSecrets::load(None, clock::unix_seconds())
    })?;
    let mut running = Control {
        config: plan.config,
        config_file: plan.config_file,
        flags: plan.flags,
        state,
        cookies,
        host_name,
        told: Vec::new(),
        held: false,
        loads: Arc::default(),
        service: Service::new(Vec::new()),
        changed: BTreeSet::new(),
        loading: BTreeSet::new(),
        listeners: addresses.iter().copied().chain(encrypted.addresses.iter().map(|&(_, address)| address)).collect(),
    };
    if running.state.is_some() {
        plan.loader.keeping_in(LastGood::open_if_possible(&plan.state));
    }
    plan.loader.set(running.config.limits, running.config.zone_bytes_max, running.settings());
    let mut loaded = plan.loader.load()?;
    loaded.problems.append(running.config.due(&loaded.snapshot, &running.listeners));
    // The watch would tell of every file that the first load opens. What changed meanwhile, a second load finds.
    let folders = plan.loader.folders();
    let folders = std::iter::once(folders.zones.clone()).chain(folders.geo.clone());
    let eyes = Watch::new(folders.collect(), loaded.listing.take().as_ref());
    running.begin(&mut plan.loader, &mut loaded)?;

    let served = Served::new(loaded.snapshot.clone());
    let proxies = Arc::new(Proxies::new(running.config.proxy.clone()));
    let seed = running.config.seed.map_or_else(seed, Ok)?;
    let prober = prober(&running.config)?;
    sources(&running.config)?;
    let turns: Vec<Live> =
        (0..plan.workers as u64).map(|turn| Live::new(&served, Transport::Tcp, seed ^ turn << 32)).collect();
    let mut counters: Vec<_> = turns.iter().map(Live::counters).collect();
    let doors = identity.as_ref().map(|identity| {
        let house = doors::open::House {
            served: &served,
            workers: plan.workers,
            seed,
            proxies: &proxies,
            tcp: &running.config.tcp,
            counters: &mut counters,
        };
        Doors::new(&plan.doors, identity.certificate.clone(), house)
    });
    let server = {
        let _inside = streams.enter();
        let server = tcp::Server::new(running.config.tcp.clone(), turns);
        Arc::new(server.behind(proxies.clone()).guarded_by(served.clone()))
    };
    let health = {
        let _inside = runtime.enter();
        Health::new(running.config.health.control.clone(), health_state, served.clone(), prober, seed)
    };
    let limiter = Arc::new(Table::new(sys::random_key().context("the system gives no random numbers")?));
    let of_tcp = counters.len();
    let loading = Loading::start(plan.loader).context("the system gives no threads")?;
    let udp = UdpWorkers::start(udp, &served, seed, &limiter, &proxies, &mut counters)?;
    running.service = Service::new(counters[of_tcp..].to_vec());
    let (reload, recertify) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let result = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut listeners = JoinSet::new();
        let behind_doors = encrypted.addresses.clone();
        {
            let _inside = streams.enter();
            for listener in tcp {
                let listener = TcpListener::from_std(listener)?;
                listeners.spawn(server.clone().serve(listener, stopped.clone()));
            }
            if let Some(doors) = &doors {
                doors.open(encrypted, &mut listeners, &stopped)?;
            }
        }
        if let Some(doors) = &doors {
            tokio::spawn(certificate::keep(doors.certificate.clone(), recertify.clone()));
        }
        tokio::spawn(health.clone().run());
        if !running.config.health.control.probes {
            log_probes(&running.config);
        }
        health.report_to(receivers);
        if let Some((ports, token)) = admin_port {
            let (health, loads, reload) = (health.clone(), running.loads.clone(), reload.clone());
            let (doors, proxies) = (doors.clone(), proxies.clone());
            let served = served.clone();
            let limits = admin::Limits::default();
            let admin = Arc::new(Admin { health, counters, loads, doors, proxies, served, reload, token, limits });
            // From here on the port itself answers.
            waiting.shutdown().await;
            for port in ports {
                tracing::info!("admin port on {}", port.local_addr()?);
                tokio::spawn(admin.clone().serve(TcpListener::from_std(port)?, stopped.clone()));
            }
        }
        let signals = Signals::new()?;
        sys::let_hangup_through();
        announce::announce(&addresses, &loaded.snapshot);
        if let Some(identity) = &identity {
            announce::announce_doors(&behind_doors, &plan.doors.path, identity.fingerprints.as_ref());
        }
        running.service.ready(&running.loads);
        tracing::info!(took_ms = begin.elapsed().as_millis() as u64, "serving");
        drop(loaded);
        let doors = doors.as_deref();
        let parts =
            Parts { served: &served, health: &health, reload: &reload, recertify: &recertify, server: &server, doors };
        let (mut signals, loading) = running.keep(loading, eyes, parts, signals, Asking::new(seed)).await;
        tracing::info!("draining");
        running.service.stopping();
        stop.send_replace(true);
        udp.stop();
        tokio::select! {
            ((), (), ()) = async {
                tokio::join!(async { while listeners.join_next().await.is_some() {} }, health.end(), loading.end())
            } => {}
            () = tokio::time::sleep(DRAIN_MAX) => {}
            () = signals.end() => {}
        }
        Ok(())
    });
    end(runtime);
    end(streams);
    tracing::info!("ended");
    result
}

fn threads(count: usize, name: &str) -> Result<Runtime> {
    // The runtime would panic where it gets no thread.
    are_granted(count).context("the system gives no threads")?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(count).thread_name(name).enable_all().build().context("the system gives no threads")
}

/// A load that is still going on is left to the system.
fn end(runtime: Runtime) {
    runtime.shutdown_background();
}

fn open_state(plan: &Plan) -> Option<State> {
    let folder = plan.state.display();
    match State::open(&plan.state) {
        Ok(state) => {
            if let Some(error) = state.read_only() {
                tracing::warn!(%error, "the state folder {folder} can only be read; serving without writing to it");
            }
            Some(state)
        }
        Err(Unusable::Taken) => {
            tracing::warn!(
                "another server uses the state folder {folder}; serving without state, name another (--state)"
            );
            None
        }
        Err(Unusable::Failed(error)) => {
            tracing::warn!(%error, "nothing can be kept in the state folder {folder}; serving without");
            None
        }
    }
}

/// Whether this server asks anything.
fn log_probes(config: &Config) {
    match config.health.control.probes {
        true => tracing::info!("this server probes endpoints and asks Prometheus"),
        false => tracing::info!(
            "this server does not probe (probes = false): forced states and observations of other checkers count, \
             the other verdicts stay as they are"
        ),
    }
}

fn prober(config: &Config) -> Result<Prober> {
    let config::Health { validate_certificates, ipv6, resolvers, .. } = &config.health;
    let options =
        probe::Options { validate_certificates: *validate_certificates, ipv6: *ipv6, resolvers: resolvers.clone() };
    Prober::new(probe::Limits::default(), options).context("TLS cannot be had")
}

/// Checkers can only ask from addresses of this machine.
fn sources(config: &Config) -> Result<()> {
    for checker in &config.health.control.checkers {
        for source in checker.sources() {
            std::net::UdpSocket::bind((source, 0)).with_context(|| {
                format!(
                    "checker {} cannot ask from {source}; give this machine the address, or name another",
                    checker.name
                )
            })?;
        }
    }
    Ok(())
}

fn seed() -> Result<u64> {
    let mut seed = [0; 8];
    sys::random(&mut seed).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    Ok(u64::from_le_bytes(seed))
}

/// The signals that the server obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn new() -> Result<Signals> {
        let of = |kind| signal(kind).context("the system delivers no signals");
        Ok(Signals {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            reload: of(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.reload.recv() => Told::Reload,
        }
    }

    async fn end(&mut self) {
        while self.any().await != Told::End {}
    }
}

#[derive(PartialEq, Eq)]
enum Told {
    End,
    Reload,
}

/// What runs beside `Control`, and is told of what changes.
struct Parts<'a> {
    served: &'a Served,
    health: &'a Arc<Health>,
    /// Somebody at the admin port wants a reload.
    reload: &'a Notify,
    /// The certificate is to be read again.
    recertify: &'a Notify,
    server: &'a tcp::Server<Live>,
    doors: Option<&'a Doors>,
}

/// What is logged of a load.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Report {
    First,
    Again,
    /// It failed the routing tests: only its problems are logged.
    Refused,
}

/// What may change while the server runs.
struct Control {
    config: Config,
    config_file: Option<PathBuf>,
    flags: Flags,
    state: Option<State>,
    cookies: CookieSecrets,
    host_name: String,
    /// The problems logged last; the same ones are not logged again.
    told: Vec<String>,
    /// What was loaded last failed its routing tests, and is not what is served.
    held: bool,
    loads: Arc<Loads>,
    service: Service,
    /// Every address that is listened on.
    listeners: Vec<SocketAddr>,
    /// Settings that changed and take effect with the next load.
    changed: BTreeSet<&'static str>,
    /// … with the load that is under way, or with one after it should that be refused.
    loading: BTreeSet<&'static str>,
}

impl Control {
    fn settings(&self) -> Settings {
        self.config.settings_on(&self.host_name, Some(self.cookies.secrets.clone()))
    }

    /// Reloads and rotates as due, until the server is to end.
    async fn keep(
        &mut self,
        mut loading: Loading,
        mut eyes: Watch,
        Parts { served, health, reload, recertify, server, doors }: Parts<'_>,
        mut signals: Signals,
        mut asking: Asking,
    ) -> (Signals, Loading) {
        asking.want(&self.config.upstream, &served.load());
        let mut again = Some(Touched::Any);
        // The load that follows the start, if nobody asked for it: where it finds nothing new, nothing is said.
        let mut first = true;
        let mut broken = false;
        let mut rotation = tokio::time::Instant::now() + self.until_rotation();
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        loop {
            tokio::select! {
                signal = signals.any() => {
                    if signal == Told::End {
                        return (signals, loading);
                    }
                    tracing::info!("told to reload");
                    self.read_settings(health);
                    rotation = tokio::time::Instant::now() + self.until_rotation();
                    recertify.notify_one();
                    (again, first) = (Some(Touched::Any), false);
                }
                touched = eyes.changed() => again = Some(again.take().map_or(touched.clone(), |before| before.and(touched))),
                () = reload.notified() => (again, first) = (Some(Touched::Any), false),
                done = loading.done(), if loading.is_busy() && !broken => match done {
                    Some(Load { result, failed }) => {
                        let unchanged = matches!(&result, Ok(loaded) if !loaded.changed);
                        if !(std::mem::take(&mut first) && unchanged) {
                            self.publish(result, &failed, served, health);
                            asking.want(&self.config.upstream, &served.load());
                        }
                        self.service.ready(&self.loads);
                    }
                    // Not to be expected; what is served stays, and so do the eyes that see the next change.
                    None => {
                        broken = true;
                        tracing::error!("the load broke down; restart the server to load again");
                    }
                },
                () = tokio::time::sleep_until(rotation) => {
                    let retry = self.rotate(served);
                    rotation = tokio::time::Instant::now() + retry.unwrap_or_else(|| self.until_rotation());
                }
                upstream = asking.changed() => {
                    let upstream = Arc::new(upstream);
                    served.rcu(|snapshot| snapshot.with_upstream(upstream.clone()));
                }
                _ = housekeeping.tick() => {
                    server.housekeep();
                    if let Some(doors) = doors {
                        doors.housekeep();
                    }
                    served.sweep();
                    self.service.alive();
                }
            }
            if !loading.is_busy()
                && let Some(touched) = again.take()
            {
                self.service.reloading();
                self.loading.append(&mut self.changed);
                loading.begin(Job { touched, config: self.config.clone(), settings: self.settings() });
            }
        }
    }

    /// Takes the first load into service. Where it fails the routing tests that gate it, the zones that were good last
    /// are served instead; without such zones the server cannot begin.
    fn begin(&mut self, loader: &mut Loader, loaded: &mut Loaded) -> Result<()> {
        let failed = match self.config.gate_reload {
            true => routing_tests::gate(&loader.folders().zones, &loaded.snapshot),
            false => Failed::default(),
        };
        if failed.is_empty() {
            self.report(loaded, Report::First);
            if loader.keeps_at_once() {
                loader.keep(self.config.gate_reload);
            }
            return Ok(());
        }
        let is_good = |snapshot: &Snapshot| routing_tests::gate(&loader.folders().zones, snapshot).is_empty();
        let last_good = loader.last_good_set().filter(|set| set.has_passed || is_good(&set.snapshot));
        self.report(loaded, Report::Refused);
        failed.log(LOGGED_PROBLEMS_MAX);
        let Some(set) = last_good else { return Err(GateFailed(failed.names()).into()) };
        tracing::error!(
            zones = set.zones,
            records = set.records,
            "routing tests failed: {}; the zones that were good last are served (gate_reload)",
            failed.names()
        );
        self.loads.set(set.zones, set.records, loaded.kept.len() + loaded.refused.len());
        loaded.snapshot = set.snapshot;
        self.held = true;
        Ok(())
    }

    /// Publishes a load, unless it failed routing tests.
    fn publish(&mut self, result: Result<Loaded>, failed: &Failed, served: &Served, health: &Arc<Health>) {
        match result {
            Ok(mut loaded) => {
                loaded.problems.append(self.config.due(&loaded.snapshot, &self.listeners));
                // Settings may change alone.
                let settings = self.settings();
                let changed = loaded.changed || self.held || *served.load().settings != settings;
                self.held = changed && !failed.is_empty();
                self.report(&loaded, if self.held { Report::Refused } else { Report::Again });
                if self.held {
                    self.loads.reloads_failed.fetch_add(1, Ordering::Relaxed);
                    failed.log(LOGGED_PROBLEMS_MAX);
                    tracing::error!(
                        "routing tests: {} ({}); what was served before is (gate_reload)",
                        counted(failed.problems.errors(), "problem"),
                        failed.names()
                    );
                } else if changed {
                    // The secrets may have been rotated while it loaded.
                    let settings = Arc::new(settings);
                    let upstream = served.load().upstream.clone();
                    health.reload(&Arc::new(loaded.snapshot.with_settings(settings).with_upstream(upstream)));
                }
                self.log_changes(!self.held);
            }
            Err(error) => {
                self.loads.reloads_failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!("nothing was reloaded, what was served before is: {error:#}");
                self.log_changes(false);
            }
        }
    }

    /// Logs of each setting that changed whether the load brought it into effect. A later load may.
    fn log_changes(&mut self, loaded: bool) {
        for name in &self.loading {
            match loaded {
                true => tracing::info!("{name} took effect"),
                false => tracing::warn!("{name} did not take effect: the load was refused"),
            }
        }
        if loaded {
            self.loading.clear();
        }
    }

    fn read_settings(&mut self, health: &Arc<Health>) {
        let read = settings::read_again(self.config_file.as_deref());
        let read = read.and_then(|mut config| {
            self.flags.set(&mut config);
            sources(&config)?;
            Ok((prober(&config)?, report::receivers(&config.health.reports)?, config))
        });
        match read {
            Ok((prober, receivers, config)) => {
                let config = config.with_connections_of(&self.config);
                for (name, effect) in config.changes(&self.config) {
                    match effect {
                        Effect::AtOnce => tracing::info!("{name} took effect"),
                        Effect::AtLoad => _ = self.changed.insert(name),
                        Effect::AtStart => tracing::warn!("{name} takes effect at the next start"),
                    }
                }
                if config.health.control.probes != self.config.health.control.probes {
                    log_probes(&config);
                }
                if config.health != self.config.health {
                    health.configure(config.health.control.clone(), prober);
                }
                if health.reports().differ(&receivers) {
                    health.report_to(receivers);
                }
                self.config = config;
            }
            Err(error) => {
                self.loads.reloads_failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!("the settings stay as they were: {error:#}");
            }
        }
    }

    fn until_rotation(&self) -> Duration {
        self.cookies.left(self.config.cookie_rotation, clock::unix_seconds())
    }

    /// Returns when to try again where the new secret could not be kept; it is used all the same.
    fn rotate(&mut self, served: &Served) -> Option<Duration> {
        let result = self.cookies.rotate(self.state.as_ref(), clock::unix_seconds());
        let settings = Arc::new(self.settings());
        served.rcu(|snapshot| snapshot.with_settings(settings.clone()));
        match result {
            Ok(()) => {
                tracing::info!("cookie secret rotated");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the new cookie secret cannot be kept");
                Some(ROTATION_RETRY.max(self.until_rotation()))
            }
        }
    }

    /// Says what was loaded and what was wrong with it, unless nothing is new.
    fn report(&mut self, loaded: &Loaded, report: Report) {
        if report != Report::Refused {
            self.loads.set(loaded.zones, loaded.records, loaded.kept.len() + loaded.refused.len());
            self.loads.reloads.fetch_add(u64::from(report == Report::Again), Ordering::Relaxed);
        }
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        if !loaded.changed && problems == self.told {
            tracing::debug!("nothing changed");
            return;
        }
        for problem in loaded.problems.iter().take(LOGGED_PROBLEMS_MAX) {
            match problem.severity {
                Severity::Error => tracing::error!("{problem}"),
                Severity::Warning => tracing::warn!("{problem}"),
            }
        }
        let count = loaded.problems.errors() + loaded.problems.warnings();
        if count > LOGGED_PROBLEMS_MAX {
            tracing::warn!("… and {} more; fingerpost check lists them all", count - LOGGED_PROBLEMS_MAX);
        }
        for file in loaded.kept.iter().take(LOGGED_PROBLEMS_MAX) {
            tracing::warn!("{file} has errors: its zone is served as it was before");
        }
        let claims = if loaded.refused.is_empty() { BTreeSet::new() } else { loaded.snapshot.claims() };
        for file in loaded.refused.iter().take(LOGGED_PROBLEMS_MAX) {
            let result = match claims.contains(&**file) {
                true => "its zone is not served; queries for it are answered SERVFAIL",
                // Another file serves the zone, or the name is not a zone's.
                false => "the file is not served",
            };
            tracing::error!("{file} has errors: {result}");
        }
        self.told = problems;
        if report == Report::Refused {
            return;
        }
        let geography = &loaded.snapshot.geography;
        tracing::info!(
            zones = loaded.zones,
            records = loaded.records,
            read = loaded.fresh,
            errors = loaded.problems.errors(),
            warnings = loaded.problems.warnings(),
            geography = geography.origin(),
            networks = geography.networks(),
            databases = geography.databases().len(),
            database_age = geography.age(clock::unix_millis() / 1000),
            took_ms = loaded.took.as_millis() as u64,
            "{}",
            if report == Report::First { "loaded" } else { "reloaded" },
        );
    }
}
