//! Nothing is done to a class: it is a description.

use std::fmt;

use serde::Serialize;

use crate::fault::Fault;
use crate::ids::Token;
use crate::kind::{self, Check};
use crate::plan::Verb;
use crate::providers::Clients;

/// There is none.
#[derive(Debug, Serialize)]
pub enum Op {}

impl fmt::Display for Op {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl kind::Op for Op {
    fn verb(&self) -> Verb {
        match *self {}
    }

    fn object(&self) -> Option<&str> {
        match *self {}
    }

    async fn check(&self, _: &Clients) -> Result<Check, Fault> {
        match *self {}
    }

    async fn apply(&self, _: &Clients, _: &Token) -> Result<(), Fault> {
        match *self {}
    }
}
