//! Which hosts may be sent anything: in a pull request, whose files and scripts anybody may have written, only listed ones.

use reqwest::Url;

use super::Settings;
use crate::fault::{Class, Fault};

/// Lists the hosts for pull requests, with commas between them.
pub const ALLOWED_HOSTS: &str = "RECONCILE_ALLOWED_HOSTS";

/// What is allowed when nothing is listed: the cloud, GitHub with the hosts that its registry leads to for blobs and that its
/// workflows ask for tokens, and the address at which only the cloud itself can answer.
const USUAL: [&str; 6] = [
    "aliyuncs.com",
    "github.com",
    "ghcr.io",
    "pkg-containers.githubusercontent.com",
    "actions.githubusercontent.com",
    "100.100.100.200",
];

/// The hosts that may be sent something that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// None: all of them.
    hosts: Option<Vec<String>>,
}

impl Reach {
    /// Everywhere, but for pull requests (GitHub Docs, "Default environment variables").
    pub fn new(settings: &Settings) -> Self {
        let event = settings.get("GITHUB_EVENT_NAME").unwrap_or_default();
        let is_pull_request =
            settings.get("GITHUB_ACTIONS") == Some("true") && event.starts_with("pull_request");
        Self {
            hosts: is_pull_request.then(|| listed(settings)),
        }
    }

    /// The hosts, each with its subdomains; none: there is no limit.
    pub fn hosts(&self) -> Option<&[String]> {
        self.hosts.as_deref()
    }

    /// Refuses a URL whose host is not allowed. `named_by` says where the URL is written, as in `spec.endpoint`.
    pub fn check(&self, url: &Url, named_by: &str) -> Result<(), Fault> {
        let Some(hosts) = &self.hosts else {
            return Ok(());
        };
        let host = url.host_str().unwrap_or_default();
        if hosts.iter().any(|it| covers(it, host)) {
            return Ok(());
        }
        let message = format!(
            "this is a pull request, and {named_by} names the host {host}, which may not be sent anything secret"
        );
        let listed = hosts.join(",");
        Err(
            Fault::new(Class::Denied, "send a request", &message).hint(&format!(
                "nothing was sent to it; where that is right, add it to {ALLOWED_HOSTS} (now {listed})"
            )),
        )
    }
}

fn listed(settings: &Settings) -> Vec<String> {
    let usual = || USUAL.map(str::to_owned).to_vec();
    settings.get(ALLOWED_HOSTS).map_or_else(usual, |list| {
        let hosts = list.split(',').map(|it| it.trim().to_ascii_lowercase());
        hosts.filter(|it| !it.is_empty()).collect()
    })
}

/// Whether a host is the listed one or below it.
fn covers(listed: &str, host: &str) -> bool {
    let above = host.strip_suffix(listed);
    above.is_some_and(|it| it.is_empty() || it.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(named: &[(&str, &str)]) -> Reach {
        let named = named
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Reach::new(&Settings::new(named.collect()))
    }

    fn allows(reach: &Reach, url: &str) -> bool {
        let url = Url::parse(url).expect("a URL");
        reach.check(&url, "spec.endpoint").is_ok()
    }

    const PULL_REQUEST: [(&str, &str); 2] = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", "pull_request_target"),
    ];

    #[test]
    fn a_pull_request_reaches_only_the_usual_hosts_and_what_is_below_them() {
        let reach = reach(&PULL_REQUEST);
        for (url, expected) in [
            ("https://sts.aliyuncs.com", true),
            ("https://ecs-vpc.cn-beijing.aliyuncs.com", true),
            ("https://api.github.com", true),
            ("https://ghcr.io", true),
            ("https://pipelines.actions.githubusercontent.com/x", true),
            ("http://100.100.100.200", true),
            ("https://raw.githubusercontent.com", false),
            ("https://evil-aliyuncs.com", false),
            ("https://aliyuncs.com.evil.example", false),
            ("https://aliyuncs.com.", false),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
            ("http://localhost", false),
        ] {
            assert_eq!(allows(&reach, url), expected, "{url}");
        }
    }

    #[test]
    fn a_list_replaces_the_usual_hosts() {
        let list = (ALLOWED_HOSTS, " 127.0.0.1 ,, Example.com");
        let reach = reach(&[PULL_REQUEST[0], PULL_REQUEST[1], list]);
        for (url, expected) in [
            ("http://127.0.0.1:8080", true),
            ("https://ecs.example.com", true),
            ("https://ECS.EXAMPLE.com", true),
            ("https://sts.aliyuncs.com", false),
            ("http://127.0.0.2", false),
        ] {
            assert_eq!(allows(&reach, url), expected, "{url}");
        }
    }

    #[test]
    fn everything_else_is_no_pull_request() {
        for named in [
            &[][..],
            &[("GITHUB_EVENT_NAME", "pull_request")],
            &[
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_EVENT_NAME", "schedule"),
            ],
        ] {
            assert!(allows(&reach(named), "https://x.example"), "{named:?}");
        }
    }
}
