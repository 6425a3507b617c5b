//! How a registry is told who we are: what it asks for, and the tokens that it gets.

mod authorization;
mod challenge;
mod scopes;
mod tokens;

pub(super) use self::authorization::choose;
pub(super) use self::challenge::{Challenge, challenges, parts, unquoted};
pub(super) use self::scopes::Scopes;
pub(super) use self::tokens::{Token, Tokens, Wanted};
