//! Building an image: a machine is launched, provisioned, stopped and imaged, and goes again.
//!
//! Each step is the answer to what is observed, so that a process may die anywhere. [`seen`] and [`base`] look, [`history`]
//! counts past failures, [`course`] judges how far a build is ([`machine`], [`failing`], [`awaited`]), [`steps`] says what
//! that asks for, [`op`] and [`launch`] do it, [`why`] tells of a machine.

mod awaited;
mod base;
mod course;
mod failing;
mod history;
mod launch;
mod machine;
mod op;
mod seen;
mod steps;
#[cfg(test)]
mod tests;
mod why;

pub(super) use course::{Wanted, wanted};
pub(super) use op::Op;
pub(super) use seen::Bench;
pub(super) use seen::observe;
pub(super) use steps::{absent, dropped, present};
pub(super) use why::why;
