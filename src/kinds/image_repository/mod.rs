//! `ImageRepository`: a repository of container images, its required tags, its mirrors, and what is retained.

mod mirror;
mod platform;
mod spec;

pub use spec::Spec;
