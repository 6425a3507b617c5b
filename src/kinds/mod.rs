//! What can be declared, one folder a kind.

pub mod architecture;
pub mod tags;

pub mod aliyun_region;
pub mod image_repository;
pub mod instance_class;
pub mod instance_policy;
pub mod machine_image;
pub mod registry;
pub mod runner_set;

use crate::kind::Registration;

/// Every kind, in the order in which help and schema show them.
pub const KINDS: &[Registration] = &[
    Registration::of::<aliyun_region::AliyunRegion>(),
    Registration::of::<instance_class::InstanceClass>(),
    Registration::of::<machine_image::MachineImage>(),
    Registration::of::<runner_set::RunnerSet>(),
    Registration::of::<instance_policy::InstancePolicy>(),
    Registration::of::<registry::Registry>(),
    Registration::of::<image_repository::ImageRepository>(),
];
