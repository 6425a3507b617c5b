//! Where the services answer.

use std::fmt;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::fault::{Class, Fault};
use crate::ids::RegionId;
use crate::providers::Settings;
use crate::providers::http::is_loopback;

/// A region, and where its ECS answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The region.
    pub region: RegionId,
    /// The base URL of ECS from a state file; none: by the region.
    pub endpoint: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => write!(f, "{} at {endpoint}", self.region),
            None => write!(f, "{}", self.region),
        }
    }
}

/// Says why a base URL must not be used; none: it may be.
pub fn refuse_endpoint(url: &str) -> Option<String> {
    parse(&format!("`{url}`"), url).err().map(|it| it.message)
}

/// A service of the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Machines, images, snapshots.
    Ecs,
    /// Who we are.
    Sts,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Sts => "sts",
        }
    }

    /// The version of its API.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Ecs => "2014-05-26",
            Self::Sts => "2015-04-01",
        }
    }
}

/// The endpoints that the settings name; they win over all others.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    ecs: Option<Url>,
    sts: Option<Url>,
}

impl Endpoints {
    pub(super) fn new(settings: &Settings) -> Result<Self, Fault> {
        let named = |name| {
            settings
                .get(name)
                .map(|value| parse(name, value))
                .transpose()
        };
        Ok(Self {
            ecs: named("ALIYUN_ECS_ENDPOINT")?,
            sts: named("ALIYUN_STS_ENDPOINT")?,
        })
    }

    /// Where `service` answers for `place`.
    pub(super) fn url(&self, service: Service, place: &Place) -> Result<Url, Fault> {
        match service {
            Service::Ecs => match (&self.ecs, &place.endpoint) {
                (Some(url), _) => Ok(url.clone()),
                (None, Some(url)) => parse("the region's endpoint", url),
                (None, None) => ecs_of(&place.region),
            },
            Service::Sts => match &self.sts {
                Some(url) => Ok(url.clone()),
                None => parse("the endpoint of STS", "https://sts.aliyuncs.com"),
            },
        }
    }
}

/// Follows the table of the official SDK for Python (alibabacloud-ecs20140526, `_endpoint_map`), then its rule.
fn ecs_of(region: &RegionId) -> Result<Url, Fault> {
    let name = region.as_str();
    let is_name = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(
            Fault::new(Class::Invalid, DOING, "a region is named like cn-hangzhou").of(name),
        );
    }
    let host = match name {
        "cn-hangzhou" | "cn-shanghai-finance-1" | "cn-shenzhen-finance-1" => {
            "ecs-cn-hangzhou".to_owned()
        }
        _ => format!("ecs.{name}"),
    };
    parse(
        "the region's endpoint",
        &format!("https://{host}.aliyuncs.com"),
    )
}

const DOING: &str = "find an endpoint of Alibaba Cloud";

fn parse(what: &str, text: &str) -> Result<Url, Fault> {
    let refuse = |why: &str| {
        let fault = Fault::new(Class::Invalid, DOING, &format!("{what} {why}"));
        fault.hint(
            "it is written like https://ecs.cn-hangzhou.aliyuncs.com or http://127.0.0.1:8080",
        )
    };
    let url = Url::parse(text).map_err(|_| refuse("is no URL"))?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(refuse("holds a user or a password"))
        }
        _ if !is_bare => Err(refuse("has more than a host and a port")),
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(refuse("is http, which is only allowed on loopback")),
        _ => Err(refuse("is neither https nor http")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn ecs(setting: &str, region: &str, endpoint: Option<&str>) -> Result<String, String> {
        let named = BTreeMap::from([("ALIYUN_ECS_ENDPOINT".to_owned(), setting.to_owned())]);
        let place = Place {
            region: RegionId::new(region),
            endpoint: endpoint.map(str::to_owned),
        };
        let url = Endpoints::new(&Settings::new(named)).and_then(|it| it.url(Service::Ecs, &place));
        url.map(String::from).map_err(|fault| fault.message)
    }

    #[test]
    fn the_setting_wins_over_the_state_file_and_that_over_the_rule() {
        for (setting, region, endpoint, expected) in [
            (
                "",
                "cn-hangzhou",
                None,
                "https://ecs-cn-hangzhou.aliyuncs.com/",
            ),
            (
                "",
                "cn-beijing",
                None,
                "https://ecs.cn-beijing.aliyuncs.com/",
            ),
            (
                "",
                "cn-beijing",
                Some("https://ecs-vpc.cn-beijing.aliyuncs.com"),
                "https://ecs-vpc.cn-beijing.aliyuncs.com/",
            ),
            (
                "http://127.0.0.1:9",
                "cn-beijing",
                Some("https://x.example"),
                "http://127.0.0.1:9/",
            ),
            ("http://[::1]:9", "cn-beijing", None, "http://[::1]:9/"),
        ] {
            assert_eq!(ecs(setting, region, endpoint).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn refuses_what_would_send_credentials_elsewhere_or_in_clear() {
        for (setting, region, endpoint) in [
            ("http://ecs.cn-beijing.aliyuncs.com", "cn-beijing", None),
            ("", "cn-beijing", Some("http://10.0.0.1")),
            ("", "cn-beijing", Some("http://127.0.0.1.example")),
            ("", "cn-beijing", Some("https://u:p@ecs.aliyuncs.com")),
            ("", "cn-beijing", Some("https://ecs.aliyuncs.com/path")),
            ("", "cn-beijing", Some("ecs.aliyuncs.com")),
            ("", "evil.example/#", None),
            ("", "", None),
        ] {
            assert!(
                ecs(setting, region, endpoint).is_err(),
                "{setting} {region} {endpoint:?}"
            );
        }
    }
}
