//! Where registries answer, and where they may lead us.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use super::Site;
use crate::fault::{Class, Fault};
use crate::providers::Settings;
use crate::providers::http::is_loopback;

/// Where registries really answer, as in `ghcr.io=http://127.0.0.1:5000`, with commas between them; on loopback only. `*`
/// stands for every other registry.
pub const REGISTRIES: &str = "RECONCILE_REGISTRIES";

/// Where the registry that everybody calls `docker.io` answers (Docker documentation, "Registry authentication").
const DOCKER: [&str; 2] = ["docker.io", "index.docker.io"];
const DOCKER_ANSWERS: &str = "registry-1.docker.io";

/// The registries that answer elsewhere than by their name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places(BTreeMap<String, Url>);

impl Places {
    /// Fails when the settings name a place that must not be used.
    pub(super) fn new(settings: &Settings) -> Result<Self, Fault> {
        let listed = settings.get(REGISTRIES).unwrap_or_default().split(',');
        let listed = listed.map(str::trim).filter(|it| !it.is_empty());
        listed.map(place).collect::<Result<_, _>>().map(Self)
    }

    /// The base URL of a registry. Plain http is for this machine alone.
    pub(super) fn url(&self, site: &Site) -> Result<Url, Fault> {
        if let Some(url) = self.0.get(&site.host).or_else(|| self.0.get("*")) {
            return Ok(url.clone());
        }
        let host = match site.host.as_str() {
            host if DOCKER.contains(&host) => DOCKER_ANSWERS,
            host => host,
        };
        let scheme = if site.insecure { "http" } else { "https" };
        let refuse = |why| Err(Fault::new(Class::Invalid, "find a registry", why).of(&site.host));
        let Ok(url) = Url::parse(&format!("{scheme}://{host}/")) else {
            return refuse("this is no host");
        };
        if !is_bare(&url) {
            return refuse("this is no host");
        }
        if site.insecure && !is_loopback(&url) {
            return refuse("plain http is only allowed on loopback");
        }
        Ok(url)
    }
}

fn place(text: &str) -> Result<(String, Url), Fault> {
    let refuse = |why: &str| {
        Err(Fault::new(
            Class::Invalid,
            "read the settings",
            &format!("{REGISTRIES}: {why}"),
        )
        .of(text))
    };
    let Some((host, url)) = text.split_once('=') else {
        return refuse("this is not HOST=URL, as in ghcr.io=http://127.0.0.1:5000");
    };
    match Url::parse(url.trim()) {
        Err(_) => refuse("behind = is no URL"),
        Ok(url) if !is_loopback(&url) => refuse("a registry may only be led to loopback"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            refuse("the URL is neither http nor https")
        }
        Ok(url) if !is_bare(&url) => refuse("the URL is more than a host and a port"),
        Ok(url) => Ok((host.trim().to_ascii_lowercase(), url)),
    }
}

/// Why a registry must not lead us to `url`; none: it may.
///
/// Plain http is for loopback alone, and only a registry on a private network may name an address on one: any other would
/// make us ask what only this machine can reach. Names are not looked up for that: behind https whoever answers there must
/// prove to have that name before anything is sent, and a lookup proves nothing of the next one. Those that no public
/// registry can have are private.
pub(super) fn refuse_way(registry: &Url, url: &Url) -> Option<String> {
    let host = url.host_str().unwrap_or_default();
    let is_near = is_loopback(registry) && is_loopback(url);
    match url.scheme() {
        "https" => {}
        "http" if is_near => {}
        scheme => return Some(format!("{scheme}://{host} is not https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(format!("the URL at {host} holds a user or a password"));
    }
    (is_private(url) && !is_private(registry))
        .then(|| format!("{host} is a private or link-local address"))
}

/// Whether a URL is a host and a port alone.
fn is_bare(url: &Url) -> bool {
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    url.path() == "/" && url.query().is_none() && is_anonymous
}

fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse() {
        Ok(IpAddr::V4(it)) => is_private_v4(it),
        Ok(IpAddr::V6(it)) => is_private_v6(it),
        Err(_) => is_private_name(host.trim_end_matches('.')),
    }
}

/// A name without a dot, which only a search list can complete, or one that is reserved for private networks (RFC 6761,
/// RFC 6762, RFC 8375; ICANN, resolution 2024.07.29.06).
fn is_private_name(host: &str) -> bool {
    let ends = [".localhost", ".local", ".home.arpa", ".internal"];
    !host.contains('.') || ends.iter().any(|it| host.ends_with(it))
}

/// RFC 1918, RFC 3927, RFC 6598 and what RFC 6890 keeps for a host and its network; Alibaba Cloud's metadata service is
/// in the range of RFC 6598.
fn is_private_v4(it: Ipv4Addr) -> bool {
    let [first, second, ..] = it.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_here = first == 0 || it.is_loopback() || it.is_broadcast() || it.is_multicast();
    it.is_private() || it.is_link_local() || is_here || is_shared
}

fn is_private_v6(it: Ipv6Addr) -> bool {
    it.is_loopback()
        || it.is_unspecified()
        || it.is_unique_local()
        || it.is_unicast_link_local()
        || it.is_multicast()
        || it
            .to_ipv4()
            .or_else(|| translated(it))
            .is_some_and(is_private_v4)
}

/// The address behind one of a network that only has IPv6 (RFC 6052, "Well-Known Prefix").
fn translated(it: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = it.segments() else {
        return None;
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(value: &str) -> Result<Places, String> {
        let named = [(REGISTRIES.to_owned(), value.to_owned())];
        Places::new(&Settings::new(named.into())).map_err(|it| it.to_string())
    }

    fn site(host: &str, insecure: bool) -> Site {
        Site {
            host: host.to_owned(),
            insecure,
            login: None,
        }
    }

    #[test]
    fn a_registry_answers_by_its_name_unless_it_is_said_otherwise() {
        let places =
            places(" ghcr.io=http://127.0.0.1:5000, a.example=https://[::1]:5 ,").expect("valid");
        for (host, insecure, expected) in [
            ("ghcr.io", false, "http://127.0.0.1:5000/"),
            ("a.example", false, "https://[::1]:5/"),
            ("docker.io", false, "https://registry-1.docker.io/"),
            ("b.example:8443", false, "https://b.example:8443/"),
            ("127.0.0.1:5000", true, "http://127.0.0.1:5000/"),
        ] {
            let url = places.url(&site(host, insecure)).map(|it| it.to_string());
            assert_eq!(url.as_deref(), Ok(expected));
        }
        for (host, insecure) in [
            ("b.example", true),
            ("a/b", false),
            ("u@b.example", false),
            (":p@b.example", false),
            ("", false),
        ] {
            assert!(places.url(&site(host, insecure)).is_err(), "{host}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_setting() {
        for (value, why) in [
            ("ghcr.io", "this is not HOST=URL"),
            ("ghcr.io=", "behind = is no URL"),
            ("ghcr.io=http://b.example", "only be led to loopback"),
            ("ghcr.io=ftp://127.0.0.1", "neither http nor https"),
            (
                "ghcr.io=http://127.0.0.1:1/v2",
                "more than a host and a port",
            ),
            (
                "ghcr.io=http://u:p@127.0.0.1",
                "more than a host and a port",
            ),
            ("ghcr.io=http://:p@127.0.0.1", "more than a host and a port"),
        ] {
            let said = places(value).expect_err(value);
            assert!(said.contains(why) && said.contains(REGISTRIES), "{said}");
        }
    }

    #[test]
    fn a_registry_leads_to_https_alone_and_not_into_a_private_network() {
        let (far, near, private) = (
            "https://ghcr.io",
            "http://127.0.0.1:5000",
            "https://10.0.0.1",
        );
        for (registry, to, may) in [
            (far, "https://ghcr.io/token", true),
            (far, "https://auth.example/token", true),
            (far, "http://auth.example/token", false),
            (far, "http://127.0.0.1/token", false),
            (far, "https://127.0.0.1/token", false),
            (far, "https://10.1.2.3/token", false),
            (far, "https://169.254.169.254/latest", false),
            (far, "https://100.100.100.200/latest", false),
            (far, "http://100.100.100.200/latest", false),
            (far, "https://[fe80::1]/", false),
            (far, "https://[fd00::1]/", false),
            (far, "https://[::ffff:10.0.0.1]/", false),
            (far, "https://[64:ff9b::a00:1]/", false),
            (far, "https://[64:ff9b::101:101]/", true),
            (far, "https://[ff02::1]/", false),
            (far, "https://0.0.0.1/", false),
            (far, "https://127.1/", false),
            (far, "https://2130706433/", false),
            (far, "https://localhost/", false),
            (far, "https://LOCALHOST./", false),
            (far, "https://a.localhost/", false),
            (far, "https://vault/token", false),
            (far, "https://vault.corp.internal/token", false),
            (far, "https://printer.local./token", false),
            (far, "https://internal.example/token", true),
            (far, "https://u:p@auth.example/", false),
            (near, "http://127.0.0.1:5001/token", true),
            (near, "http://auth.example/token", false),
            (near, "http://10.0.0.1/token", false),
            (private, "https://10.0.0.2/token", true),
            (private, "https://auth.internal/token", true),
            ("https://registry.internal", "https://10.0.0.2/token", true),
            (private, "http://10.0.0.1/token", false),
        ] {
            let url = |it| Url::parse(it).expect("a URL");
            assert_eq!(
                refuse_way(&url(registry), &url(to)).is_none(),
                may,
                "{registry} {to}"
            );
        }
    }
}
