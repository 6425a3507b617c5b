//! `reconcile` brings what exists in a cloud to what is declared in files, and makes the fewest changes that do.
//!
//! # The map
//!
//! | layer | module | what lives there |
//! |---|---|---|
//! | 0 | [`ids`] | names of things, each of its own type |
//! | | [`clock`] | what time it is, and waiting |
//! | | [`fault`] | what failed, on what, and what that means for us |
//! | | [`fact`] | known and unknown; a list, and half a list |
//! | | [`plan`] | what is to be done about one resource, as a value |
//! | 1 | [`resource`] | resources as people declare them |
//! | | [`retry`] | when the same request is sent again |
//! | | [`status`] | what is said about a resource |
//! | | [`sim`] | a cloud that does not exist, behind the wire formats of one that does |
//! | 2 | [`providers`] | concrete clients of the outside |
//! | | [`store`] | what is kept on disk between passes |
//! | | [`report`] | what a run says, and its forms |
//! | 3 | [`kind`] | the one extension point: what a kind and an effect are |
//! | 4 | [`kinds`] | what can be declared, one folder a kind |
//! | 5 | [`engine`] | what is done with every kind alike |
//! | 6 | [`cli`] | the command line |
//!
//! A module imports from its own layer and those above it in this table; `tests/tidy` holds the exceptions.
//!
//! # Invariants
//!
//! 1. Files named `plan.rs` import no client and no clock, do no IO, draw no random number, log nothing.
//! 2. Only files named `op.rs` change the world, only a pass calls them, only after an intent is on disk.
//!    `reconcile restore` alone does by hand what no pass does: it brings back one version that a person names.
//! 3. Nothing but [`cli`] and the tests knows [`sim`].
//! 4. Only a provider's `fault.rs` knows error codes; everything else knows [`fault::Class`].
//! 5. No secret is in a spec, something seen, an effect, a plan, the journal, the status or a log.
//! 6. Losing the status directory costs time, never correctness.
//! 7. Every loop over the outside has a named limit; a list that was not read to its end is no list.

pub mod cli;
pub mod clock;
pub mod engine;
pub mod fact;
pub mod fault;
pub mod ids;
pub mod kind;
pub mod kinds;
pub mod plan;
pub mod providers;
pub mod report;
pub mod resource;
pub mod retry;
pub mod sim;
pub mod status;
pub mod store;
