//! The daemon: a look at each resource when it is due, at once when the state files change, until it is told to end.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, Timestamp};
use crate::kind::Registration;
use crate::providers::Clients;
use crate::report::{Action, Calls};
use crate::resource::Finding;

use super::files::{Change, Files};
use super::guard::Flags;
use super::load::{Inventory, load};
use super::queue::Queue;
use super::run::{Ended, Extent, Run, run};
use super::select::{Filter, Selection};
use super::state::State;
use super::watch::Changes;

/// How long the state files must rest after a change before they are read: an editor writes more than once.
const REST: Duration = Duration::from_millis(200);
/// How long that may go on; then they are read as they are.
const REST_MAX: Duration = Duration::from_secs(2);
/// How far back the guards of a daemon count deletions.
const GUARDED: Duration = Duration::from_secs(24 * 3600);

/// What a daemon works with.
#[derive(Debug)]
pub struct Daemon<'a> {
    /// Where the state files are.
    pub folder: &'a Path,
    /// What may be declared in them.
    pub kinds: &'a [Registration],
    /// Which resources it cares for.
    pub filter: Filter,
    /// The outside.
    pub clients: &'a Clients,
    /// The local time.
    pub clock: &'a dyn Clock,
    /// What the command line says of guards.
    pub flags: Flags,
    /// True once it is to end: the step under way ends, nothing new starts.
    pub stop: watch::Receiver<bool>,
    /// How often what is as declared is looked at.
    pub interval: Duration,
    /// How long it runs before one last pass; none: until it is told to end.
    pub lasts: Option<Duration>,
}

/// What a daemon tells while it runs.
#[derive(Debug)]
pub enum News<'a> {
    /// A look and what came of it; the number of its last pass.
    Pass(&'a Ended, u32),
    /// Valid state files are in force.
    Taken(&'a Inventory),
    /// The state files that are there are invalid; those before stay in force.
    Broken(&'a [Finding]),
}

/// Runs until the time is up or it is told to end, and gives what the last look came to; with a time, all that was done.
/// Fails when the state files are invalid at the start. `changes` tell that they may be others by now; they are read
/// before every look all the same.
pub async fn daemon(
    daemon: &Daemon<'_>,
    state: &mut State,
    changes: &mut Changes,
    tell: &mut (dyn FnMut(News<'_>) + Send),
) -> Result<Ended, Vec<Finding>> {
    let ends_at = daemon.lasts.map(|it| daemon.clock.now().plus(it));
    // The deletions of `--for` count as those of one run.
    state.ledger.window = ends_at.is_none().then_some(GUARDED);
    let mut files = Files::first(load(daemon.folder, daemon.kinds), daemon.clock.now())?;
    tell(News::Taken(&files.inventory));
    let mut queue = Queue::new(daemon.interval);
    queue.all_now(files.chosen(&daemon.filter), daemon.clock.now());
    let mut all = Sum::default();
    loop {
        let now = daemon.clock.now();
        let change = files.take(load(daemon.folder, daemon.kinds), &daemon.filter, now);
        match change {
            Change::None => {}
            Change::Taken => tell(News::Taken(&files.inventory)),
            Change::Broken => tell(News::Broken(files.broken())),
        }
        let is_last = ends_at.is_some_and(|it| it <= now);
        if is_last || change != Change::None {
            queue.all_now(files.chosen(&daemon.filter), now);
        }
        let due = queue.due(now);
        // A folder may declare nothing: that is said once.
        if is_last || all.last.is_none() || !due.is_empty() {
            let selection = Selection::of(&files.inventory, &due, &queue.resting(now));
            let ended = look(daemon, state, (&files, selection)).await;
            let now = daemon.clock.now();
            for (id, again) in &ended.again {
                queue.done(id, *again, now);
            }
            tell(News::Pass(&ended, state.pass));
            state.pass += 1;
            all.add(ended, ends_at.is_some());
        }
        if is_last || *daemon.stop.borrow() {
            return Ok(all.end());
        }
        let wake_at = [queue.next(), ends_at].into_iter().flatten().min();
        let rest_for = wake_at.map_or(daemon.interval, |it| it.since(daemon.clock.now()));
        rest(daemon, rest_for, changes).await;
    }
}

async fn look(
    daemon: &Daemon<'_>,
    state: &mut State,
    (files, selection): (&Files, Selection),
) -> Ended {
    let this = Run {
        inventory: &files.inventory,
        selection,
        clients: daemon.clients,
        clock: daemon.clock,
        flags: daemon.flags,
        allowed: None,
        standing: files.notice(),
        stop: daemon.stop.clone(),
    };
    run(&this, state, Extent::Burst, &mut |_, _| {}).await
}

/// Waits until it is time, the state files have changed and rest, or the end is near.
async fn rest(daemon: &Daemon<'_>, time: Duration, changes: &mut Changes) {
    let mut stop = daemon.stop.clone();
    let change = async {
        changes.next().await;
        let mut rested = Duration::ZERO;
        while rested < REST_MAX {
            rested += REST;
            daemon.clock.sleep(REST).await;
            if !changes.has_more() {
                return;
            }
        }
    };
    tokio::select! {
        () = daemon.clock.sleep(time) => {}
        () = change => {}
        _ = stop.wait_for(|it| *it) => {}
    }
}

/// What all looks came to together.
#[derive(Debug, Default)]
struct Sum {
    last: Option<Ended>,
    actions: Vec<Action>,
    calls: Calls,
    started_at: Option<Timestamp>,
}

impl Sum {
    /// Takes in one more; what was done is kept only when it is to be told at the end.
    fn add(&mut self, mut ended: Ended, is_told: bool) {
        if is_told {
            self.actions.append(&mut ended.report.actions);
            self.calls.add(&ended.report.calls);
            self.started_at.get_or_insert(ended.report.started_at);
        }
        self.last = Some(ended);
    }

    fn end(self) -> Ended {
        let mut ended = self.last.expect("the first turn of the loop looks");
        if let Some(started_at) = self.started_at {
            ended.report.started_at = started_at;
            ended.report.actions = self.actions;
            ended.report.calls = self.calls;
        }
        ended
    }
}
