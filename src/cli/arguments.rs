//! What may be written on the command line; the doc comments are the help.
#![expect(
    clippy::doc_markdown,
    reason = "the doc comments are printed as help, without Markdown"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::kinds::architecture::Architecture;
use crate::resource::Span;

/// Brings machine images and instances in the cloud to what the state files declare.
///
/// Without a command and without --once it is a daemon: it looks at each resource once in an interval, at once when the
/// state files change, and when a resource asked for it, until SIGTERM or SIGINT; a second signal ends it at once.
///
/// Exit codes: 0 all done; 1 an action failed, a resource is stalled or a fact unknown; 2, 3 with --detailed-exitcode; 4 a
/// guard refused; 64 bad command line; 65 invalid state files; 70 a bug; 75 the status directory is held; 77 credentials
/// refused or another account; 78 settings missing or unsafe; 130, 143 interrupted.
#[derive(Debug, Parser)]
#[command(name = "reconcile", version, max_term_width = 100)]
pub(super) struct Arguments {
    /// Make one pass: look, plan, guard, apply, look again, report
    #[arg(long)]
    pub(super) once: bool,
    /// Make passes until every resource is ready or stalled and no machine is paid for, or so much time is up
    #[arg(long, value_name = "DURATION", requires = "once", value_parser = duration)]
    pub(super) wait: Option<Duration>,
    #[command(flatten)]
    pub(super) daemon: Daemon,
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// What the daemon understands.
#[derive(Debug, Args)]
pub(super) struct Daemon {
    /// As a daemon: for so long, then one last pass, whose exit code it is
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "once", value_parser = duration)]
    pub(super) lasts: Option<Duration>,
    /// As a daemon: how often what is as declared is looked at
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = interval)]
    pub(super) interval: Duration,
    /// As a daemon: answer /healthz, /readyz and /metrics there, as in 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    pub(super) listen: Option<SocketAddr>,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for all commands")]
pub(super) struct Global {
    /// The folder of the state files [default: $RECONCILE_STATE, else state]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
    /// Run against the embedded simulated cloud; no account is needed
    #[arg(long, global = true, value_name = "SCENARIO", num_args = 0..=1, require_equals = true)]
    #[expect(
        clippy::option_option,
        reason = "the option may come without its value"
    )]
    pub(super) simulate: Option<Option<PathBuf>>,
    /// The form of what is printed
    #[arg(long, global = true, value_enum, default_value_t = Form::Text)]
    pub(super) output: Form,
    /// Journal, status and caches [default: $RECONCILE_STATUS_DIR, else .reconcile beside the state folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) status_dir: Option<PathBuf>,
    /// Only resources with this label; several must all be there
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = label, value_delimiter = ',')]
    pub(super) selector: Vec<(String, String)>,
    /// Only one kind, or one resource
    #[arg(long, global = true, value_name = "KIND[/NAME]")]
    pub(super) only: Option<String>,
    /// Allow so many deletions of one group; wins over the files
    #[arg(long, global = true, value_name = "N")]
    pub(super) max_deletes: Option<u64>,
    /// Allow so many percent of one group to be deleted; wins over the files
    #[arg(long, global = true, value_name = "P", value_parser = clap::value_parser!(u64).range(..=100))]
    pub(super) max_delete_percent: Option<u64>,
    /// End after so much time, once the step under way has ended
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// End with 2 when a plan has changes, with 3 when a run leaves something under way, instead of with 0
    #[arg(long, global = true)]
    pub(super) detailed_exitcode: bool,
    /// Whether output is coloured; NO_COLOR is obeyed
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(super) color: Colour,
    /// Log errors alone
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Log more; twice: requests too. `check`: say where every value comes from
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// The form of the log, which goes to stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Text,
    Json,
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what a pass would do, and do nothing
    Plan(Planned),
    /// Carry out a plan that was saved: what a new plan has too, and nothing else
    Apply(Saved),
    /// Check the state files, offline
    Check,
    /// Print the resources with every default filled in
    Show(Selection),
    /// Print what the last pass said of the resources
    Status(Selection),
    /// Say which rule keeps or removes an image, snapshot, instance, tag or version, and what would change that
    Why(Object),
    /// Print the id of an image of this account by its exact name: Available, the newest
    ImageId(Wanted),
    /// Print which machines would be tried for an InstanceClass now, the best first, with price and limit
    Spot(Class),
    /// List what GitHub still holds of the versions that were deleted from a package, or bring one back
    Restore(Lost),
    /// Print the JSON Schema of the state files, for editors
    Schema(SchemaOf),
    /// Serve the simulated cloud to any client until SIGTERM
    Simulate(Simulated),
    /// Print completions for a shell
    Completions(Shell),
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub(super) struct Planned {
    /// Save the plan, for `apply`
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Saved {
    /// What `plan --out` wrote
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Object {
    /// Its id or its exact name
    pub(super) object: String,
}

#[derive(Debug, Args)]
pub(super) struct Shell {
    /// Which one
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct Selection {
    /// One kind, or one resource; all, where nothing is written
    #[arg(value_name = "KIND[/NAME]")]
    pub(super) of: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The exact name
    pub(super) name: String,
    /// Only images of this architecture
    #[arg(long, value_parser = architecture)]
    pub(super) arch: Option<Architecture>,
    /// The region [default: that of the only AliyunRegion, else $ALIBABA_CLOUD_REGION_ID]
    #[arg(long, value_name = "ID")]
    pub(super) region: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Class {
    /// An InstanceClass by its name
    #[arg(value_name = "INSTANCE_CLASS")]
    pub(super) class: String,
    /// The best one alone, as KEY=value lines
    #[arg(long)]
    pub(super) env: bool,
}

#[derive(Debug, Args)]
pub(super) struct Lost {
    /// An ImageRepository by its name, or OWNER/NAME on GitHub
    pub(super) repository: String,
    /// What is brought back, as in sha256:…; nothing, where nothing is written: they are listed
    pub(super) digest: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SchemaOf {
    /// One kind; all, where nothing is written
    pub(super) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Simulated {
    /// Where to listen, on loopback only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// What exists, what fails, how long things take [default: an account with a past]
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    /// The seed of everything random
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Whose time it is
    #[arg(long, value_enum, default_value_t = Pace::Real)]
    pub(super) clock: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Pace {
    /// Real time, plus what was advanced
    Real,
    /// It stands still but for what is advanced
    Manual,
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: Result<Span, _> = serde_json::from_value(serde_json::Value::from(text));
    span.map(|it| it.0)
        .map_err(|_| "a duration is written 90s, 5m, 4h or 7d".to_owned())
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval.is_zero() {
        return Err("an interval is at least 1s".to_owned());
    }
    Ok(interval)
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or_else(|| "a label is written KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

fn architecture(text: &str) -> Result<Architecture, String> {
    match text.to_lowercase().as_str() {
        "amd64" => Ok(Architecture::Amd64),
        "arm64" => Ok(Architecture::Arm64),
        _ => Err("an architecture is amd64 or arm64".to_owned()),
    }
}
