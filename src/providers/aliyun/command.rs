//! Commands that run in a guest, through Cloud Assistant.
//!
//! Source: ECS API reference, `RunCommand`, `DescribeInvocations`, `DescribeInvocationResults`,
//! `DescribeCloudAssistantStatus`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Aliyun;
use super::call::{Call, Parameters, parameters};
use super::launch::named_tags;
use super::listing::Listing;
use super::place::{Place, Service};
use super::wire::Fields;
use crate::clock::Timestamp;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::ids::{InstanceId, InvocationId};
use crate::retry::Effect;

/// One command to be run in one guest, once, as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The guest.
    pub instance: InstanceId,
    /// Its name.
    pub name: String,
    /// A shell script. It holds no secret.
    pub content: String,
    /// How long it may take; to the second.
    pub timeout: Duration,
    /// The tags of the invocation, which is kept for weeks.
    pub tags: BTreeMap<String, String>,
}

/// A command that was run, or runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Its id.
    pub id: InvocationId,
    /// The guest; none: the service does not say.
    pub instance: Option<InstanceId>,
    /// How far it is.
    pub progress: Progress,
    /// When it was asked for; none: the service does not say.
    pub created: Option<Timestamp>,
    /// When it ended; none: it did not yet, or the service does not say.
    pub finished: Option<Timestamp>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// How far a command is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits, runs, or is being stopped.
    Running,
    /// It ended with the exit code 0.
    Succeeded,
    /// It did not; the exit code where there is one, and what the service says of it.
    Failed {
        /// The exit code; none: it did not come to its end.
        exit_code: Option<i64>,
        /// The status and the error code, in the service's words.
        why: String,
    },
}

/// The end of what a command printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The last of it; what is no UTF-8 is replaced.
    pub text: String,
    /// How many bytes before it were dropped.
    pub dropped: u64,
}

const INVOCATIONS: Listing<Invocation> = Listing {
    service: Service::Ecs,
    action: "DescribeInvocations",
    doing: "list the commands",
    outer: "Invocations",
    inner: "Invocation",
    id: "InvokeId",
    page_size: 50,
    read,
};

const AGENTS: Listing<Option<InstanceId>> = Listing {
    service: Service::Ecs,
    action: "DescribeCloudAssistantStatus",
    doing: "ask which guests take commands",
    outer: "InstanceCloudAssistantStatusSet",
    inner: "InstanceCloudAssistantStatus",
    id: "InstanceId",
    page_size: 50,
    read: |item| {
        let is_online = item.flag("CloudAssistantStatus")? == Some(true);
        let id = InstanceId::new(item.id("InstanceId")?);
        Ok(is_online.then_some(id))
    },
};

fn read(item: Fields<'_>) -> Result<Invocation, String> {
    let guests = item.list("InvokeInstances", "InvokeInstance")?;
    let guest = guests.first().copied();
    let (mut instance, mut finished) = (None, None);
    let mut progress = progress(item, "InvocationStatus")?;
    if let Some(guest) = guest {
        instance = guest.optional("InstanceId")?.map(InstanceId::new);
        finished = guest.time("FinishTime")?;
        progress = self::progress(guest, "InvocationStatus")?;
    }
    Ok(Invocation {
        id: InvocationId::new(item.id("InvokeId")?),
        instance,
        progress,
        created: item.time("CreationTime")?,
        finished,
        tags: item.tags()?,
    })
}

/// What is not under way and not a success is a failure, whatever it is called.
fn progress(item: Fields<'_>, field: &str) -> Result<Progress, String> {
    let status = item.optional(field)?.unwrap_or_default();
    let exit_code = item.number("ExitCode").ok();
    Ok(match status {
        "Pending" | "Scheduled" | "Running" | "Stopping" => Progress::Running,
        "Success" if exit_code.unwrap_or_default() == 0 => Progress::Succeeded,
        // A status of all guests together; no single one is named.
        "Finished" => Progress::Succeeded,
        _ => {
            let code = item.optional("ErrorCode")?.unwrap_or_default();
            let info = item.optional("ErrorInfo")?.unwrap_or_default();
            let words = [status, code, info].map(str::to_owned);
            let words: Vec<String> = words.into_iter().filter(|it| !it.is_empty()).collect();
            // Only a command that ran to its end has an exit code of its own.
            let is_own = ["Failed", "Success"].contains(&status) && code.is_empty()
                || code == "ExitCodeNonzero";
            Progress::Failed {
                exit_code: exit_code
                    .filter(|_| is_own)
                    .and_then(|it| i64::try_from(it).ok()),
                why: words.join(": "),
            }
        }
    })
}

impl Aliyun {
    /// Runs a command, once for each token.
    pub async fn run_command(
        &self,
        place: &Place,
        command: &Command,
        token: &str,
    ) -> Result<(), Fault> {
        let content = STANDARD.encode(&command.content);
        let timeout = command.timeout.as_secs().to_string();
        let mut all = parameters([
            ("Type", "RunShellScript"),
            ("Name", &command.name),
            ("CommandContent", &content),
            ("ContentEncoding", "Base64"),
            ("InstanceId.1", command.instance.as_str()),
            ("KeepCommand", "false"),
            ("EnableParameter", "false"),
            ("RepeatMode", "Once"),
            ("Timeout", &timeout),
            ("Username", "root"),
            ("ClientToken", token),
        ]);
        all.extend(named_tags(&command.tags));
        let call = Call {
            service: Service::Ecs,
            action: "RunCommand",
            doing: "run a command in a guest",
            effect: Effect::Repeatable,
            subject: Some(command.instance.as_str()),
            parameters: all,
        };
        self.call(place, &call).await.map(|_| ())
    }

    /// All commands of the last weeks that bear a tag, whatever became of their guests.
    pub async fn invocations(
        &self,
        place: &Place,
        (key, value): (&str, &str),
    ) -> Result<Complete<Invocation>, Fault> {
        let filter = parameters([("Tag.1.Key", key), ("Tag.1.Value", value)]);
        let found = self.list_by_token(place, &INVOCATIONS, &filter).await?;
        Ok(found.filtered(|it| it.tags.get(key).is_some_and(|it| it == value)))
    }

    /// All commands that were run in a guest, as they are now.
    pub async fn invocations_in(
        &self,
        place: &Place,
        guest: &InstanceId,
    ) -> Result<Complete<Invocation>, Fault> {
        let filter = parameters([("InstanceId", guest.as_str())]);
        let found = self.list_by_token(place, &INVOCATIONS, &filter).await;
        let found = found.map_err(|it| it.of(guest.as_str()))?;
        Ok(found.filtered(|it| it.instance.as_ref() == Some(guest)))
    }

    /// Those of some guests that take commands now.
    pub async fn guests_online(
        &self,
        place: &Place,
        guests: &[InstanceId],
    ) -> Result<BTreeSet<InstanceId>, Fault> {
        let mut filter = Parameters::new();
        for (number, id) in (1..).zip(guests) {
            filter.insert(format!("InstanceId.{number}"), id.as_str().to_owned());
        }
        let found = self.list_by_token(place, &AGENTS, &filter).await?;
        Ok(found.items().iter().flatten().cloned().collect())
    }

    /// The end of what a command printed.
    pub async fn output(&self, place: &Place, id: &InvocationId) -> Result<Output, Fault> {
        let call = Call {
            service: Service::Ecs,
            action: "DescribeInvocationResults",
            doing: "read what a command printed",
            effect: Effect::Read,
            subject: Some(id.as_str()),
            parameters: parameters([
                ("InvokeId", id.as_str()),
                ("ContentEncoding", "Base64"),
                ("MaxResults", "50"),
            ]),
        };
        let reply = self.call(place, &call).await?;
        let read = || {
            let results = Fields(&reply.body).object("Invocation")?;
            let results = results.list("InvocationResults", "InvocationResult")?;
            let Some(result) = results.first() else {
                return Err("it has no result".to_owned());
            };
            let text = result.optional("Output")?.unwrap_or_default();
            let bytes = STANDARD.decode(text);
            let bytes = bytes.map_err(|_| "Output is not base64".to_owned())?;
            Ok(Output {
                text: String::from_utf8_lossy(&bytes).into_owned(),
                dropped: result.number("Dropped")?,
            })
        };
        let unreadable = Class::Unavailable {
            maybe_applied: false,
        };
        read().map_err(|why: String| call.fault(unreadable, &why))
    }
}
