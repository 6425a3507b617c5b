//! What is done with every kind alike: load, order, look, guard, apply, look again, report.

mod apply;
mod conclude;
mod guard;
mod load;
mod look;
mod order;
mod run;
mod state;

pub use guard::{Flags, with_defaults};
pub use load::{Inventory, load};
pub use run::{Ended, Extent, Run, plan, run};
pub use state::State;
