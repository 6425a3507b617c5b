//! The script that provisions a machine: what is wrong with it, and how it is sent.

use crate::ids::ResourceId;
use crate::kind::Kind;
use crate::kind::Resources;
use crate::kinds::aliyun_region::{self, AliyunRegion};
use crate::resource::{Problem, Resource};

use super::guest;
use super::recipe::SCRIPT;
use super::spec::Spec;

/// The script of a resource as it is sent; none where there is none. Windows line ends have become LF.
pub fn script(resource: &Resource<Spec>) -> Option<String> {
    let provision = resource.spec.provision.as_ref()?;
    let bytes = resource.files.get(&provision.script)?;
    Some(String::from_utf8_lossy(bytes).replace("\r\n", "\n"))
}

pub(super) fn problems(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
    let Some(provision) = &resource.spec.provision else {
        return Vec::new();
    };
    let Some(bytes) = resource.files.get(&provision.script) else {
        return Vec::new();
    };
    let refusal = unfit(bytes).or_else(|| too_large(resource, resources));
    let name = &provision.script;
    let problem = refusal.map(|it| Problem::new(SCRIPT, &format!("`{name}` {it}")));
    problem.into_iter().collect()
}

fn unfit(bytes: &[u8]) -> Option<String> {
    let line = |at: usize| bytes[..at].split(|it| *it == b'\n').count();
    if let Some(at) = bytes.iter().position(|it| *it == 0) {
        return Some(format!("holds a NUL in line {}: it is no script", line(at)));
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        let line = line(error.valid_up_to());
        return Some(format!("is no text in UTF-8: see line {line}"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Some("begins with a byte order mark: save it without".to_owned());
    }
    let first = bytes.split(|it| *it == b'\n').next().unwrap_or_default();
    let interpreter = first.strip_prefix(b"#!").map(<[u8]>::trim_ascii);
    if !interpreter.is_some_and(|it| it.starts_with(b"/")) {
        let advice = "does not say what runs it: begin it with a line such as `#!/bin/bash`";
        return Some(advice.to_owned());
    }
    None
}

fn too_large(resource: &Resource<Spec>, resources: &Resources) -> Option<String> {
    let (provision, script) = (resource.spec.provision.as_ref()?, script(resource)?);
    let id = ResourceId::new(AliyunRegion::NAME, resource.spec.region_ref.as_str());
    let region = resources.get(&id).and_then(|it| it.spec().downcast_ref());
    let proxy = region.and_then(aliyun_region::Spec::proxy);
    // How long the machine lives changes a few digits only.
    let command = guest::command(provision, &script, proxy, guest::TTL_MAX);
    let sent = guest::sent_length(&command);
    let most = guest::COMMAND_LENGTH_MAX;
    let inputs: usize = provision
        .inputs
        .iter()
        .map(|(name, it)| name.len() + it.len())
        .sum();
    (sent > most).then(|| {
        let length = script.len();
        format!(
            "is too large to be sent: {length} bytes of script and {inputs} of inputs become {sent} characters with what goes around them, the most allowed is {most}; let it fetch what it needs"
        )
    })
}
