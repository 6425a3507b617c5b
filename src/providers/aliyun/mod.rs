//! Alibaba Cloud: signing, credentials, and the calls of ECS and STS that are needed.

pub mod sign;
