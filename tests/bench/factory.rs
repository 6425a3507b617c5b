//! Accounts of any size: lines of images as a factory leaves them, machines, and the files that declare them.

use std::fmt::Write;
use std::time::Duration;

use reconcile::clock::Timestamp;
use serde_json::{Value, json};

pub(crate) const REGION: &str = "cn-hangzhou";
/// A prime, to mix a listing with: no account is listed line by line.
const STRIDE: usize = 7919;

/// An account: two lines of images to a resource, one an architecture.
#[derive(Clone, Copy)]
pub(crate) struct Factory {
    pub(crate) lines: usize,
    /// Images of a line, what others made included.
    pub(crate) per_line: usize,
    /// Images of a line that retention lets go.
    pub(crate) surplus: usize,
    /// Images with a name of the line that somebody else made.
    pub(crate) foreign: usize,
    /// The time there.
    pub(crate) now: Timestamp,
}

impl Factory {
    /// How many images there are.
    pub(crate) fn images(self) -> usize {
        self.lines * self.per_line
    }

    /// The image at a place of the listing, in the form of a scenario and of `DescribeImages` alike.
    pub(crate) fn image(self, place: usize) -> Value {
        let number = place * STRIDE % self.images();
        let (line, nth) = (number / self.per_line, number % self.per_line);
        let (resource, architecture) = (line / 2, ["amd64", "arm64"][line % 2]);
        let machine = ["x86_64", "arm64"][line % 2];
        let created = self.now.minus(Duration::from_secs(3600 * (nth as u64 + 1)));
        let is_foreign = nth >= self.per_line - self.foreign;
        let rest = match nth {
            0 => "latest".to_owned(),
            _ if is_foreign => format!("by-hand-{nth}"),
            _ => created.minute_digits(),
        };
        let mut tags =
            vec![json!({"TagKey": "VersionHash", "TagValue": format!("ubuntu_24_04_{number}")})];
        if !is_foreign {
            let owner = format!("MachineImage/line-{resource:03}");
            tags.push(json!({"TagKey": "reconcile:managed-by", "TagValue": "bench"}));
            tags.push(json!({"TagKey": "reconcile:owner", "TagValue": owner}));
        }
        if nth == 0 {
            tags.push(json!({"TagKey": "Latest", "TagValue": "true"}));
        }
        json!({
            "ImageId": format!("m-bp1{number:017}"),
            "ImageName": format!("line-{resource:03}-{architecture}-{rest}"),
            "ImageFamily": if nth == 0 { format!("line-{resource:03}-{architecture}") } else { String::new() },
            "Architecture": machine,
            "CreationTime": created,
            "Status": "Available",
            "Usable": true,
            "Size": 20,
            "DiskDeviceMappings": {"DiskDeviceMapping": [{"SnapshotId": format!("s-bp1{number:017}")}]},
            "Tags": {"Tag": tags},
        })
    }

    /// One of the machines, young and at work for one of five purposes.
    pub(crate) fn instance(self, number: usize) -> Value {
        json!({
            "InstanceId": format!("i-bp1{number:017}"),
            "InstanceName": format!("worker-{number}"),
            "ImageId": format!("m-bp1{:017}", 0),
            "CreationTime": self.now.minus(Duration::from_secs(600)),
            "SpotStrategy": "SpotAsPriceGo",
            "Tags": {"Tag": [{"TagKey": "purpose", "TagValue": format!("purpose-{}", number % 5)}]},
        })
    }

    /// The state file for the images.
    pub(crate) fn declared_images(self) -> String {
        let mut state = format!(
            "apiVersion: reconcile/v1alpha1\nkind: AliyunRegion\nmetadata: {{name: home}}\n\
             spec: {{regionId: {REGION}, scope: bench}}\n"
        );
        let keep = self.per_line - self.foreign - self.surplus;
        for resource in 0..self.lines / 2 {
            let _ = write!(
                state,
                "---\napiVersion: reconcile/v1alpha1\nkind: MachineImage\nmetadata: {{name: line-{resource:03}}}\n\
                 spec: {{regionRef: home, namePrefix: line-{resource:03}, architectures: [amd64, arm64], retention: {{keep: {keep}}}}}\n"
            );
        }
        state
    }
}

/// The state file for the machines.
pub(crate) fn declared_machines() -> String {
    let policy = |purpose: usize| {
        format!(
            "---\napiVersion: reconcile/v1alpha1\nkind: InstancePolicy\nmetadata: {{name: purpose-{purpose}}}\n\
             spec: {{regionRef: home, selector: {{tags: {{purpose: purpose-{purpose}}}}}}}\n"
        )
    };
    (0..5).map(policy).collect()
}
