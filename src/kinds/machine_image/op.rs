//! What can be done for a line of images: to those that are there, and to get new ones.

use std::fmt;

use serde::Serialize;

use crate::fault::Fault;
use crate::ids::Token;
use crate::kind::{self, Check};
use crate::plan::Verb;
use crate::providers::Clients;

use super::build;
use super::change::Change;

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Op {
    /// On an image or snapshot that is there.
    Change(Change),
    /// On a machine that builds one.
    Build(build::Op),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(op) => op.fmt(f),
            Self::Build(op) => op.fmt(f),
        }
    }
}

impl kind::Op for Op {
    fn verb(&self) -> Verb {
        match self {
            Self::Change(op) => op.verb(),
            Self::Build(op) => op.verb(),
        }
    }

    fn object(&self) -> Option<&str> {
        match self {
            Self::Change(op) => Some(op.object()),
            Self::Build(op) => op.object(),
        }
    }

    async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        match self {
            Self::Change(op) => op.check(clients).await,
            Self::Build(op) => op.check(clients).await,
        }
    }

    async fn apply(&self, clients: &Clients, token: &Token) -> Result<(), Fault> {
        match self {
            Self::Change(op) => op.apply(clients).await,
            Self::Build(op) => op.apply(clients, token).await,
        }
    }
}
