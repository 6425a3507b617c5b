//! Commands that Cloud Assistant was told to run (ECS API reference, `RunCommand` and `DescribeInvocations`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::ids::{InstanceId, RegionId};
use crate::sim::shelf::Object;

/// How far a command has come on one instance (ECS API reference, `DescribeInvocationResults`, `InvocationStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum RunStatus {
    Pending,
    Running,
    /// It has ended with 0.
    Success,
    /// It has ended with another code.
    Failed,
    /// It never began.
    Aborted,
    /// It began and could not go on.
    Error,
    Timeout,
}

/// Why a command did not end well (ECS API reference, `DescribeInvocationResults`, `ErrorCode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum RunError {
    InstanceReleased,
    InstanceNotRunning,
    ClientNotRunning,
    ExecutionTimeout,
    ExitCodeNonzero,
}

/// One call of `RunCommand`.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    pub region_id: RegionId,
    /// As in `t-bp1…`.
    pub invoke_id: String,
    /// As in `c-bp1…`.
    pub command_id: String,
    pub name: String,
    pub description: String,
    /// In base64.
    pub content: String,
    pub timeout: Duration,
    pub creation_time: Timestamp,
    pub tags: BTreeMap<String, String>,
    /// One for each instance.
    pub runs: Vec<Run>,
}

/// What a command came to on one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub instance: InstanceId,
    pub status: RunStatus,
    /// None: it has not ended by itself.
    pub exit_code: Option<i64>,
    /// The end of what it wrote, as much as is kept.
    pub output: Vec<u8>,
    /// How many bytes before that are lost.
    pub dropped: usize,
    pub begun: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub error: Option<RunError>,
    /// When time moves it on by itself.
    pub(crate) due: Option<Timestamp>,
    pub(crate) script: Script,
}

/// What a command does on the instance once it has begun.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    /// None: it does not end by itself.
    pub(crate) takes: Option<Duration>,
    pub(crate) exit_code: i64,
    pub(crate) output: Vec<u8>,
    /// When the instance shuts itself down.
    pub(crate) shuts_down: Option<Duration>,
}

impl RunStatus {
    /// Whether nothing will come of it any more.
    pub fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Success | Self::Failed | Self::Aborted | Self::Error | Self::Timeout => true,
        }
    }
}

impl RunError {
    /// The field `ErrorInfo` (ECS API reference, `DescribeInvocationResults`); ASSUMED for the last one.
    pub(crate) fn info(self) -> &'static str {
        match self {
            Self::InstanceReleased => "the instance has released when create task",
            Self::InstanceNotRunning => "the instance is not running when create task",
            Self::ClientNotRunning => "the aliyun service is not running on the instance",
            Self::ExecutionTimeout => "the command execution has been timeout",
            Self::ExitCodeNonzero => "the command execution exit code is not zero",
        }
    }
}

impl Invocation {
    /// When time changes the next of its runs.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.runs.iter().filter_map(|it| it.due).min()
    }
}

impl Object for Invocation {
    fn id(&self) -> &str {
        &self.invoke_id
    }

    fn created(&self) -> Timestamp {
        self.creation_time
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }
}
