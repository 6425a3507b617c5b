//! What happened to runners and jobs, for oracles; it only ever grows.

use crate::clock::Timestamp;

/// One thing that happened to a runner or a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerEvent {
    /// World time.
    pub at: Timestamp,
    /// The record's number; 0: the job had no runner.
    pub runner: u64,
    /// The runner's name; empty: the job had no runner.
    pub name: String,
    /// What.
    pub what: RunnerDeed,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunnerDeed {
    /// A client registered it.
    Registered,
    /// It has connected.
    Connected,
    /// It was given a job.
    Began {
        /// The job.
        job: u64,
    },
    /// A job is over.
    Ended {
        /// The job.
        job: u64,
        /// How it ended.
        conclusion: String,
    },
    /// Its machine is down or gone.
    Lost,
    /// Its record is gone: a client removed it, or else GitHub.
    Removed {
        /// Whether a client did.
        by_client: bool,
    },
}

/// A job, for whoever looks into the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSeen {
    /// GitHub's number of it.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// When it came to be queued.
    pub queued: Timestamp,
    /// When a runner took it; none: nobody has.
    pub began: Option<Timestamp>,
    /// When it was over, and how; none: it is not.
    pub ended: Option<(Timestamp, String)>,
}

/// A record of a runner, for whoever looks into the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerSeen {
    /// GitHub's number of it.
    pub id: u64,
    /// Whose it is: `example/app` or `example`.
    pub of: String,
    /// Its name.
    pub name: String,
    /// Whether it is connected.
    pub is_online: bool,
    /// Whether it has a job.
    pub is_busy: bool,
}
