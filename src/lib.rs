//! `reconcile` brings what exists in a cloud to what is declared in files.

pub mod clock;
pub mod fact;
pub mod fault;
pub mod ids;
pub mod plan;
pub mod providers;
pub mod resource;
pub mod retry;
pub mod sim;
