//! What is done with every kind alike: load, order, look, guard, apply, look again, report.

mod apply;
mod conclude;
mod daemon;
mod files;
mod guard;
mod load;
mod look;
mod order;
mod queue;
mod run;
mod select;
mod state;
mod tally;
mod watch;
mod why;

pub use daemon::{Daemon, News, daemon};
pub use guard::{Flags, Ledger};
pub use load::{Inventory, load};
pub use run::{Again, Ended, Extent, Run, plan, run};
pub use select::{Filter, Selection};
pub use state::State;
pub use watch::Changes;
pub use why::{Found, Reason, why};
