//! Alibaba Cloud: signing, credentials, and the calls of ECS, VPC and STS that are needed.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::ids::AccountId;
use crate::providers::Settings;
use crate::providers::cache::Cache;
use crate::providers::http::Http;
use crate::providers::limiter::Limiter;
use crate::retry::{Effect, Patience};

use self::call::{Call, Nonces, Parameters};
use self::catalogue::Catalogue;
use self::credentials::Session;
use self::place::Service;
use self::wire::Fields;

mod base;
mod call;
mod catalogue;
mod command;
pub mod credentials;
mod endpoint;
pub mod fault;
mod image;
mod index;
mod instance;
mod instance_type;
mod launch;
mod launch_template;
mod listing;
mod place;
mod price;
mod share;
pub mod sign;
mod snapshot;
mod spot_price;
mod stock;
mod tag;
mod v_switch;
mod wire;

pub use self::command::{Command, Invocation, Output, Progress};
pub use self::endpoint::{Endpoint, Endpoints, refuse_endpoint};
pub use self::image::{Image, ImageChange, ImageStatus, NewImage};
pub use self::index::{Images, Snapshots};
pub use self::instance::{Instance, InstanceStatus};
pub use self::instance_type::{InstanceType, InstanceTypes, TypeFilter};
pub use self::launch::{Launch, UserData};
pub use self::launch_template::{LaunchTemplate, LaunchTemplateVersion};
pub use self::place::Place;
pub use self::price::Price;
pub use self::share::ACCOUNTS_MAX;
pub use self::snapshot::Snapshot;
pub use self::spot_price::{Quote, Quotes};
pub use self::stock::{Purchase, Stock};
pub use self::tag::Taggable;
pub use self::v_switch::VSwitch;

/// The client of Alibaba Cloud. It remembers whole listings until [`Aliyun::forget`], or until it changes them.
#[derive(Debug)]
pub struct Aliyun {
    settings: Settings,
    endpoints: Endpoints,
    http: Arc<Http>,
    patience: Arc<Patience>,
    limiter: Limiter,
    nonces: Nonces,
    session: Session,
    images: Cache<Place, Images>,
    /// What others publish, by owner and architecture.
    published: Cache<(Place, String, String), Complete<Image>>,
    /// What image families hold.
    families: Cache<(Place, String), Complete<Image>>,
    instances: Cache<Place, Complete<Instance>>,
    snapshots: Cache<Place, Snapshots>,
    visible: Cache<Place, ()>,
    /// STS answers the same for every place.
    callers: Cache<(), Caller>,
    templates: Cache<Place, Complete<LaunchTemplate>>,
    /// Those that were read again, for what is deleted on their word.
    templates_again: Cache<Place, Complete<LaunchTemplate>>,
    catalogue: Catalogue,
    types: Cache<(Place, TypeFilter), InstanceTypes>,
    stocks: Cache<(Place, Purchase), Stock>,
    quotes: Cache<(Place, String), Quotes>,
    v_switches: Cache<(Place, String), Complete<VSwitch>>,
}

/// Whose credentials these are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The full name of the user or role.
    pub arn: String,
}

impl Aliyun {
    /// Contacts nothing; fails when the settings name an endpoint that must not be used.
    pub(super) fn new(
        settings: &Settings,
        http: Arc<Http>,
        patience: Arc<Patience>,
        seed: u64,
    ) -> Result<Self, Fault> {
        Ok(Self {
            settings: settings.clone(),
            endpoints: Endpoints::new(settings)?,
            limiter: Limiter::new(Arc::clone(&http), Arc::clone(&patience)),
            http,
            patience,
            nonces: Nonces::new(seed),
            session: Session::default(),
            images: Cache::default(),
            published: Cache::default(),
            families: Cache::default(),
            instances: Cache::default(),
            snapshots: Cache::default(),
            visible: Cache::default(),
            callers: Cache::default(),
            templates: Cache::default(),
            templates_again: Cache::default(),
            catalogue: Catalogue::default(),
            types: Cache::default(),
            stocks: Cache::default(),
            quotes: Cache::default(),
            v_switches: Cache::default(),
        })
    }

    /// Keeps what lasts beyond the process in this folder. Losing it costs a call.
    pub fn keep_in(&self, folder: &Path) {
        self.catalogue.keep_in(folder);
    }

    /// Forgets what was read: a new pass begins. Keys that last are kept, unless their source has changed.
    pub fn forget(&self) {
        self.images.clear();
        self.published.clear();
        self.families.clear();
        self.instances.clear();
        self.snapshots.clear();
        self.visible.clear();
        self.callers.clear();
        self.templates.clear();
        self.templates_again.clear();
        self.types.clear();
        self.stocks.clear();
        self.quotes.clear();
        self.v_switches.clear();
        self.session.look_again(self.http.now());
    }

    /// The fewest requests that the credentials took which were needed since the start.
    pub(super) fn calls_for_credentials(&self) -> u64 {
        self.session.calls()
    }

    /// Asks whose credentials these are, once a pass; needs no permission.
    pub async fn caller(&self, place: &Place) -> Result<Arc<Caller>, Fault> {
        self.callers.get(&(), || self.caller_now(place)).await
    }

    /// The same, asked anew.
    pub async fn caller_now(&self, place: &Place) -> Result<Caller, Fault> {
        let call = Call {
            service: Service::Sts,
            action: "GetCallerIdentity",
            doing: "ask whose credentials these are",
            effect: Effect::Read,
            subject: None,
            parameters: Parameters::new(),
        };
        let reply = self.call(place, &call).await?;
        let fields = Fields(&reply.body);
        let read = || {
            Ok(Caller {
                account: AccountId::new(fields.id("AccountId")?),
                arn: fields.id("Arn")?.to_owned(),
            })
        };
        let unreadable = Class::Unavailable {
            maybe_applied: false,
        };
        read().map_err(|why: String| call.fault(unreadable, &why))
    }
}
