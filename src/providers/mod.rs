//! Concrete clients of the outside, one folder a service.

pub mod aliyun;
