//! Building an image: a machine is launched, provisioned, stopped and imaged, and goes again.
//!
//! Each step is the answer to what is observed, so that a process may die anywhere. [`seen`] and [`base`] look, [`history`] counts past
//! failures, [`course`] and [`machine`] judge how far a build is, [`steps`] says what that asks for, [`op`] and [`launch`] do it.

mod base;
mod course;
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
pub(super) use steps::{absent, present};
pub(super) use why::why;
