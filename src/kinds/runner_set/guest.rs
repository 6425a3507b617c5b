//! What the machine of a runner is told: to switch itself off in time, and to be one runner for one job.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::kinds::architecture::Architecture;
use crate::kinds::{aliyun_region, instance_class};
use crate::providers::aliyun::UserData;

use super::spec::Spec;

const ARM: &str = include_str!("../machine_image/guest/arm.sh");
const RUNNER: &str = include_str!("guest/runner.sh");

/// How long the configuration of a runner may be: 4 to 6 kB were seen.
pub(super) const CONFIG_BYTES_MAX: usize = 8 * 1024;

/// What a machine of a set is told; the configuration of its runner is the secret of it.
pub(super) fn user_data(
    spec: &Spec,
    class: &instance_class::Spec,
    region: &aliyun_region::Spec,
) -> UserData {
    let mut environment = String::new();
    let proxy = region.proxy().map(aliyun_region::Proxy::variables);
    for (name, value) in proxy.into_iter().flatten() {
        // In base64, so that no shell can read anything in it.
        let _ = writeln!(environment, "{name} {}", STANDARD.encode(value));
    }
    let machine = match class.architecture {
        Architecture::Amd64 => "x64",
        Architecture::Arm64 => "arm64",
    };
    let minutes = spec.max_lifetime.0.as_secs().div_ceil(60).max(1);
    let text = RUNNER
        .replace("@arm@\n", ARM)
        .replace("@minutes@", &minutes.to_string())
        .replace(
            "@version@",
            spec.runner_version.as_deref().unwrap_or_default(),
        )
        .replace(
            "@sha256@",
            spec.runner_sha256.as_deref().unwrap_or_default(),
        )
        .replace("@machine@", machine)
        .replace("@environment@\n", &environment)
        .replace("@jit@", UserData::SECRET);
    UserData::open(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::kinds::aliyun_region::Proxy;

    fn rendered(proxy: Proxy) -> String {
        let spec = serde_json::json!({
            "githubConfigUrl": "https://github.com/o/r", "labels": ["a"], "instanceClassRef": "c", "imageRef": {"family": "runner"},
            "runnerVersion": "2.330.0", "runnerSha256": "0".repeat(64),
        });
        let class = serde_json::json!({"regionRef": "r", "architecture": "arm64"});
        let region = serde_json::json!({"regionId": "cn-hangzhou", "scope": "demo", "network": {}});
        let spec = serde_json::from_value(spec).expect("a spec");
        let class = serde_json::from_value(class).expect("a class");
        let mut region: aliyun_region::Spec = serde_json::from_value(region).expect("a region");
        let network = region.network.as_mut().expect("it was written");
        network.proxy = Some(proxy);
        user_data(&spec, &class, &region).text
    }

    /// The variables that a text carries.
    fn carried(text: &str) -> Vec<(String, String)> {
        let lines = text.lines().filter_map(|it| it.split_once(' '));
        let is_name = |it: &str| ["http_proxy", "https_proxy", "no_proxy"].contains(&it);
        let lines = lines.filter(|(name, _)| is_name(&name.to_lowercase()));
        let value = |it: &str| {
            STANDARD
                .decode(it)
                .ok()
                .and_then(|it| String::from_utf8(it).ok())
        };
        lines
            .map(|(name, it)| (name.to_owned(), value(it).expect("base64")))
            .collect()
    }

    /// A text is valid for a shell.
    fn is_valid(text: &str) -> bool {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let file = folder.path().join("user-data");
        fs::write(&file, text).expect("there is room for a file");
        let checked = Command::new("sh").arg("-n").arg(&file).status();
        checked.is_ok_and(|it| it.success())
    }

    #[test]
    fn no_value_of_a_proxy_becomes_code_or_is_changed() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/userdata");
        let mut count = 0;
        for entry in fs::read_dir(golden).expect("the recorded cases are there") {
            let text = fs::read_to_string(entry.expect("a case").path()).expect("text");
            let case: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let Some(proxy) = case["env"]["HTTP_PROXY"].as_str() else {
                continue;
            };
            count += 1;
            let text = rendered(Proxy {
                http: Some(proxy.to_owned()),
                https: None,
                exceptions: vec!["a\n$(id)".to_owned(), "`id`".to_owned()],
            });
            assert!(is_valid(&text), "{proxy}: {text}");
            let without = text.replace(&STANDARD.encode(proxy), "");
            assert!(
                !without.contains(proxy),
                "{proxy} stands somewhere as it is"
            );
            let exceptions = "a\n$(id),`id`,100.100.100.200";
            let expected = [
                ("HTTP_PROXY", proxy),
                ("NO_PROXY", exceptions),
                ("http_proxy", proxy),
                ("no_proxy", exceptions),
            ];
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(carried(&text), expected);
        }
        assert_eq!(count, 8, "the recorded cases that name a proxy");
    }

    #[test]
    fn everything_has_its_place_and_the_machine_is_armed_first() {
        let text = rendered(Proxy::default());
        for name in [
            "arm",
            "minutes",
            "environment",
            "version",
            "sha256",
            "machine",
            "jit",
        ] {
            assert!(!text.contains(&format!("@{name}@")), "{name}: {text}");
        }
        assert_eq!(text.matches(UserData::SECRET).count(), 1);
        assert!(text.contains("actions-runner-linux-arm64-$version.tar.gz"));
        let place = |what: &str| text.find(what).expect("it is there");
        assert!(place("arm 720") < place("environment ||"));
        assert!(text.len() + CONFIG_BYTES_MAX < UserData::BYTES_MAX / 2);
    }
}
