//! The thread that loads. It is started once and stays, so that a reload needs no new thread.
//!
//! What was loaded is sent back first and kept in the state folder afterwards, so that a slow disk delays no answer.

use std::io;
use std::sync::mpsc;
use std::thread;

use anyhow::Result;
use tokio::sync::mpsc as channel;

use super::folder::Touched;
use super::load::{Loaded, Loader};
use super::routing_tests::{self, Failed};
use super::sys;
use crate::config::Config;
use crate::snapshot::Settings;

/// A load that is to be done.
pub struct Job {
    pub touched: Touched,
    pub config: Config,
    pub settings: Settings,
}

/// The result of a load.
pub struct Load {
    pub result: Result<Loaded>,
    /// The routing tests that it failed.
    pub failed: Failed,
}

/// The thread, and whether it has work.
pub struct Loading {
    jobs: mpsc::Sender<Job>,
    done: channel::UnboundedReceiver<Load>,
    busy: bool,
}

impl Loading {
    pub fn start(loader: Loader) -> io::Result<Loading> {
        let (jobs, to_do) = mpsc::channel();
        let (tell, done) = channel::unbounded_channel();
        thread::Builder::new().name("loader".into()).spawn(move || work(loader, &to_do, &tell))?;
        Ok(Loading { jobs, done, busy: false })
    }

    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Begins a load. Nothing happens where the thread has broken down: `done` says so.
    pub fn begin(&mut self, job: Job) {
        self.busy = true;
        let _ = self.jobs.send(job);
    }

    /// Waits for the load that was begun. None: the thread has broken down.
    pub async fn done(&mut self) -> Option<Load> {
        let load = self.done.recv().await;
        self.busy = load.is_none();
        load
    }

    /// Waits until all is loaded and kept. No load can be begun any more.
    pub async fn end(self) {
        let Loading { jobs, mut done, .. } = self;
        drop(jobs);
        while done.recv().await.is_some() {}
    }
}

fn work(mut loader: Loader, jobs: &mpsc::Receiver<Job>, tell: &channel::UnboundedSender<Load>) {
    sys::stand_back();
    while let Ok(Job { touched, config, settings }) = jobs.recv() {
        loader.set(config.limits, config.zone_bytes_max, settings);
        let result = loader.load_touched(&touched);
        let failed = match &result {
            Ok(loaded) if config.gate_reload => routing_tests::gate(&loader.folders().zones, &loaded.snapshot),
            _ => Failed::default(),
        };
        let good = result.is_ok() && failed.is_empty();
        // The server may be about to end; the versions are kept all the same.
        let _ = tell.send(Load { result, failed });
        if good {
            loader.keep(config.gate_reload);
        }
    }
}
