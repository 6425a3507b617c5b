//! Where the services answer.

use reqwest::Url;

use super::place::{Place, Service};
use crate::fault::{Class, Fault};
use crate::ids::RegionId;
use crate::providers::Settings;
use crate::providers::http::{is_loopback, is_metadata_service};
use crate::providers::reach::Reach;

/// Says why a base URL must not be used; none: it may be.
pub fn refuse_endpoint(url: &str) -> Option<String> {
    parse(&format!("`{url}`"), url).err().map(|it| it.message)
}

/// Where a service answers, and what says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The base URL.
    pub url: Url,
    /// A setting, a field of a state file, or a rule.
    pub named_by: String,
}

/// The endpoints that the settings name; they win over all others.
#[derive(Clone, Debug)]
pub struct Endpoints {
    ecs: Option<Url>,
    vpc: Option<Url>,
    sts: Option<Url>,
    sts_host: Option<String>,
    metadata: Option<Url>,
    reach: Reach,
}

const ECS: &str = "ALIYUN_ECS_ENDPOINT";
const VPC: &str = "ALIYUN_VPC_ENDPOINT";
const STS: &str = "ALIYUN_STS_ENDPOINT";
const STS_REGION: &str = "ALIBABA_CLOUD_STS_REGION";
const STS_VPC: &str = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED";
const METADATA: &str = "ALIYUN_METADATA_ENDPOINT";

impl Endpoints {
    /// Fails when the settings name an endpoint that must not be used.
    pub fn new(settings: &Settings) -> Result<Self, Fault> {
        let named = |name| {
            settings
                .get(name)
                .map(|value| parse(name, value))
                .transpose()
        };
        let metadata = settings.get(METADATA).map(metadata_of).transpose()?;
        let sts_region = settings.get(STS_REGION);
        let is_vpc = settings.is_true(STS_VPC);
        Ok(Self {
            ecs: named(ECS)?,
            vpc: named(VPC)?,
            sts: named(STS)?,
            sts_host: sts_region.map(|it| sts_host(it, is_vpc)).transpose()?,
            metadata,
            reach: Reach::new(settings),
        })
    }

    /// Where `service` answers for `place`. Nothing is said of a place whose own endpoint may not be used.
    pub(super) fn url(&self, service: Service, place: &Place) -> Result<Url, Fault> {
        if let Some(url) = &place.endpoint {
            let url = parse("the region's endpoint", url)?;
            self.reach.check(&url, FIELD)?;
        }
        let endpoint = match service {
            Service::Ecs => self.ecs(place)?,
            Service::Vpc => self.vpc(place)?,
            Service::Sts => self.sts(None)?,
        };
        self.permitted(endpoint)
    }

    /// Where STS answers to who wants a role; `host` is what the role's own profile asks for.
    pub(super) fn url_for_roles(&self, host: Option<&str>) -> Result<Url, Fault> {
        self.permitted(self.sts(host)?)
    }

    /// Where the metadata service answers.
    pub(super) fn metadata_url(&self) -> Result<Url, Fault> {
        self.permitted(self.metadata()?)
    }

    /// Refuses a URL that `named_by` names and that may not be sent anything secret.
    pub(super) fn check(&self, url: &Url, named_by: &str) -> Result<(), Fault> {
        self.reach.check(url, named_by)
    }

    fn permitted(&self, endpoint: Endpoint) -> Result<Url, Fault> {
        self.reach.check(&endpoint.url, &endpoint.named_by)?;
        Ok(endpoint.url)
    }

    /// Where ECS answers, whether or not it may be used.
    pub fn ecs(&self, place: &Place) -> Result<Endpoint, Fault> {
        match (&self.ecs, &place.endpoint) {
            (Some(url), _) => Ok(Endpoint::new(url.clone(), ECS)),
            (None, Some(url)) => Ok(Endpoint::new(parse("the region's endpoint", url)?, FIELD)),
            (None, None) => Ok(Endpoint::new(ecs_of(&place.region)?, "the region's rule")),
        }
    }

    /// Where VPC answers, whether or not it may be used. A state file names the endpoint of ECS alone.
    pub fn vpc(&self, place: &Place) -> Result<Endpoint, Fault> {
        match &self.vpc {
            Some(url) => Ok(Endpoint::new(url.clone(), VPC)),
            None => Ok(Endpoint::new(vpc_of(&place.region)?, "the region's rule")),
        }
    }

    /// Where STS answers, whether or not it may be used.
    pub fn sts(&self, host: Option<&str>) -> Result<Endpoint, Fault> {
        let (host, named_by) = match (&self.sts, host, &self.sts_host) {
            (Some(url), _, _) => return Ok(Endpoint::new(url.clone(), STS)),
            (None, Some(host), _) => (host, "the profile's sts_region"),
            (None, None, Some(host)) => (host.as_str(), STS_REGION),
            (None, None, None) => ("sts.aliyuncs.com", "the default"),
        };
        let url = parse("the endpoint of STS", &format!("https://{host}"))?;
        Ok(Endpoint::new(url, named_by))
    }

    /// Where the metadata service answers, whether or not it may be used.
    pub fn metadata(&self) -> Result<Endpoint, Fault> {
        match &self.metadata {
            Some(url) => Ok(Endpoint::new(url.clone(), METADATA)),
            None => Ok(Endpoint::new(metadata_of(METADATA_SERVICE)?, "the default")),
        }
    }
}

impl Endpoint {
    fn new(url: Url, named_by: &str) -> Self {
        Self {
            url,
            named_by: named_by.to_owned(),
        }
    }
}

/// Where a state file names an endpoint.
const FIELD: &str = "spec.endpoint of the AliyunRegion";

/// ECS documentation, "Instance metadata".
const METADATA_SERVICE: &str = "http://100.100.100.200";

fn metadata_of(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).ok();
    let url = url.filter(|it| {
        it.path() == "/" && (is_metadata_service(it) || it.scheme() == "http" && is_loopback(it))
    });
    url.ok_or_else(|| {
        let message =
            format!("{METADATA} is neither {METADATA_SERVICE} nor plain http on loopback");
        Fault::new(Class::Invalid, DOING, &message)
    })
}

/// The host of STS in one region (STS documentation, "Endpoints").
pub(super) fn sts_host(region: &str, is_vpc: bool) -> Result<String, Fault> {
    let name = if is_vpc { "sts-vpc" } else { "sts" };
    check_region(region)?;
    Ok(format!("{name}.{region}.aliyuncs.com"))
}

fn check_region(name: &str) -> Result<(), Fault> {
    let is_name = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    if !name.is_empty() && name.bytes().all(is_name) {
        return Ok(());
    }
    Err(Fault::new(Class::Invalid, DOING, "a region is named like cn-hangzhou").of(name))
}

/// Follows the table of the official SDK for Python (alibabacloud-ecs20140526, `_endpoint_map`), then its rule.
fn ecs_of(region: &RegionId) -> Result<Url, Fault> {
    let name = region.as_str();
    check_region(name)?;
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

/// Follows the table of the official SDK for Python (alibabacloud-vpc20160428, `_endpoint_map`), then its rule.
fn vpc_of(region: &RegionId) -> Result<Url, Fault> {
    let name = region.as_str();
    check_region(name)?;
    let host = match name {
        "cn-hangzhou"
        | "cn-hangzhou-finance"
        | "cn-shanghai-finance-1"
        | "cn-shenzhen-finance-1"
        | "cn-north-2-gov-1" => "vpc".to_owned(),
        _ => format!("vpc.{name}"),
    };
    parse(
        "the region's endpoint of VPC",
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
    fn vpc_answers_where_the_setting_or_the_region_says_whatever_the_endpoint_of_ecs() {
        let own = [(VPC, "http://127.0.0.1:9")];
        for (named, region, expected) in [
            (&[][..], "cn-hangzhou", "https://vpc.aliyuncs.com/"),
            (&[], "cn-beijing", "https://vpc.cn-beijing.aliyuncs.com/"),
            (&own, "cn-beijing", "http://127.0.0.1:9/"),
        ] {
            let place = Place {
                region: RegionId::new(region),
                endpoint: Some("https://ecs-vpc.cn-beijing.aliyuncs.com".to_owned()),
            };
            let url = endpoints(named).and_then(|it| it.url(Service::Vpc, &place));
            assert_eq!(url.map(String::from).as_deref(), Ok(expected));
        }
        assert!(endpoints(&[(VPC, "http://10.0.0.1")]).is_err());
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

    fn endpoints(named: &[(&str, &str)]) -> Result<Endpoints, Fault> {
        let named = named
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Endpoints::new(&Settings::new(named.collect()))
    }

    #[test]
    fn the_metadata_service_is_at_its_one_address_or_on_loopback() {
        for (url, is_right) in [
            ("http://100.100.100.200", true),
            ("http://100.100.100.200:80/", true),
            ("http://127.0.0.1:8080", true),
            ("http://100.100.100.200:8080", false),
            ("http://100.100.100.201", false),
            ("http://100.100.100.200.example", false),
            ("https://metadata.example", false),
            ("http://127.0.0.1:8080/latest", false),
            ("metadata", false),
        ] {
            let found = endpoints(&[(METADATA, url)]);
            assert_eq!(found.is_ok(), is_right, "{url}");
        }
        let usual = endpoints(&[]).and_then(|it| it.metadata_url());
        assert!(usual.is_ok_and(|it| is_metadata_service(&it)));
    }

    #[test]
    fn sts_answers_where_the_setting_the_profile_or_the_region_says() {
        let region = [(STS_REGION, "cn-beijing"), (STS_VPC, "true")];
        let own = [(STS, "http://127.0.0.1:9"), region[0]];
        for (named, host, expected) in [
            (&[][..], None, "https://sts.aliyuncs.com/"),
            (&region[..1], None, "https://sts.cn-beijing.aliyuncs.com/"),
            (
                &region[..],
                None,
                "https://sts-vpc.cn-beijing.aliyuncs.com/",
            ),
            (
                &region[..],
                Some("sts.cn-shanghai.aliyuncs.com"),
                "https://sts.cn-shanghai.aliyuncs.com/",
            ),
            (
                &own[..],
                Some("sts.cn-shanghai.aliyuncs.com"),
                "http://127.0.0.1:9/",
            ),
        ] {
            let url = endpoints(named).and_then(|it| it.url_for_roles(host));
            assert_eq!(url.map(String::from).as_deref(), Ok(expected));
        }
        assert!(endpoints(&[(STS_REGION, "evil.example/#")]).is_err());
    }
}
