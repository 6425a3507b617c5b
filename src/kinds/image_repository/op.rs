//! What can be done in a repository, by section.

use std::fmt;

use serde::Serialize;

use crate::fault::Fault;
use crate::ids::Token;
use crate::kind::{self, Check};
use crate::plan::Verb;
use crate::providers::Clients;

use super::dispatch;
use super::merge;
use super::mirror;
use super::retention;

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Op {
    /// On a required tag.
    Merge(merge::Op),
    /// On a tag of a mirror.
    Mirror(mirror::Op),
    /// On a version that is not retained.
    Retain(retention::Op),
    /// On a workflow.
    Dispatch(dispatch::Op),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge(op) => op.fmt(f),
            Self::Mirror(op) => op.fmt(f),
            Self::Retain(op) => op.fmt(f),
            Self::Dispatch(op) => op.fmt(f),
        }
    }
}

impl kind::Op for Op {
    fn verb(&self) -> Verb {
        match self {
            Self::Merge(op) => op.verb(),
            Self::Mirror(op) => op.verb(),
            Self::Retain(op) => op.verb(),
            Self::Dispatch(op) => op.verb(),
        }
    }

    fn object(&self) -> Option<&str> {
        match self {
            Self::Merge(op) => Some(op.object()),
            Self::Mirror(op) => Some(op.object()),
            Self::Retain(op) => Some(op.object()),
            Self::Dispatch(op) => Some(op.object()),
        }
    }

    async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        match self {
            Self::Merge(op) => op.check(clients).await,
            Self::Mirror(op) => op.check(clients).await,
            Self::Retain(op) => op.check(clients).await,
            Self::Dispatch(op) => op.check(clients).await,
        }
    }

    async fn apply(&self, clients: &Clients, _: &Token) -> Result<(), Fault> {
        match self {
            Self::Merge(op) => op.apply(clients).await,
            Self::Mirror(op) => op.apply(clients).await,
            Self::Retain(op) => op.apply(clients).await,
            Self::Dispatch(op) => op.apply(clients).await,
        }
    }
}
