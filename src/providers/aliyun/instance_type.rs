//! The types of machines that there are: what they are made of, whether or not they are sold anywhere today.
//!
//! Source: ECS API reference, `DescribeInstanceTypes`. Without a token only the first 100 come.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Aliyun;
use super::call::Parameters;
use super::listing::Listing;
use super::place::{Place, Service};
use super::wire::Fields;
use crate::fault::Fault;
use crate::resource::{Bytes, Decimal};

/// A type of machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceType {
    /// Its id, as in `ecs.c8y.2xlarge`.
    pub id: String,
    /// Its family, as in `ecs.c8y`.
    pub family: String,
    /// As ECS writes it: `X86` or `ARM`.
    pub architecture: String,
    /// How many cores it has.
    pub cores: u32,
    /// How much memory it has, in bytes.
    pub memory_bytes: u64,
}

/// The types that pass a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceTypes {
    /// All of them.
    pub all: Vec<InstanceType>,
    /// How many calls that took; none: they were read within a day before.
    pub calls: u64,
}

/// Which types are asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeFilter {
    /// As ECS writes it: `X86` or `ARM`.
    pub architecture: &'static str,
    /// The fewest and the most cores.
    pub cores: (u32, u32),
    /// The least and the most memory.
    pub memory: (Bytes, Bytes),
    /// Only these; empty: all. At most ten.
    pub types: BTreeSet<String>,
    /// Only of these families; empty: of all. At most ten.
    pub families: BTreeSet<String>,
}

impl TypeFilter {
    fn parameters(&self) -> Parameters {
        let ((least, most), (small, great)) = (self.cores, self.memory);
        let mut parameters = Parameters::from([
            ("CpuArchitecture".to_owned(), self.architecture.to_owned()),
            ("MinimumCpuCoreCount".to_owned(), least.to_string()),
            ("MaximumCpuCoreCount".to_owned(), most.to_string()),
            ("MinimumMemorySize".to_owned(), small.in_gib().to_string()),
            ("MaximumMemorySize".to_owned(), great.in_gib().to_string()),
        ]);
        let lists = [
            ("InstanceTypes", &self.types),
            ("InstanceTypeFamilies", &self.families),
        ];
        for (name, values) in lists {
            let numbered = values.iter().zip(1..);
            parameters
                .extend(numbered.map(|(it, number)| (format!("{name}.{number}"), it.clone())));
        }
        parameters
    }

    /// What the listing of these types is called.
    pub fn listing(&self) -> String {
        let parameters = self.parameters();
        let filters = parameters.iter().map(|(name, it)| format!(" {name}={it}"));
        format!("types{}", filters.collect::<String>())
    }

    /// Whether a type passes: what the service filters is looked at again.
    pub fn accepts(&self, it: &InstanceType) -> bool {
        let is_among = |all: &BTreeSet<String>, one| all.is_empty() || all.contains(one);
        let ((least, most), (small, great)) = (self.cores, self.memory);
        it.architecture.eq_ignore_ascii_case(self.architecture)
            && (least..=most).contains(&it.cores)
            && (small.0..=great.0).contains(&it.memory_bytes)
            && is_among(&self.types, &it.id)
            && is_among(&self.families, &it.family)
    }
}

const TYPES: Listing<InstanceType> = Listing {
    service: Service::Ecs,
    action: "DescribeInstanceTypes",
    doing: "list the types of machines",
    outer: "InstanceTypes",
    inner: "InstanceType",
    id: "InstanceTypeId",
    page_size: 100,
    read,
};

fn read(item: Fields<'_>) -> Result<InstanceType, String> {
    let gib = item.decimal("MemorySize")?;
    let gib = gib.ok_or_else(|| "MemorySize is missing".to_owned())?;
    let memory = Decimal::read(&gib).and_then(Bytes::of_gib);
    let cores = item.count("CpuCoreCount")?;
    Ok(InstanceType {
        id: item.id("InstanceTypeId")?.to_owned(),
        family: item.id("InstanceTypeFamily")?.to_owned(),
        architecture: item.id("CpuArchitecture")?.to_owned(),
        cores: u32::try_from(cores).map_err(|_| format!("CpuCoreCount is {cores}"))?,
        memory_bytes: memory.ok_or_else(|| format!("MemorySize is {gib}"))?.0,
    })
}

impl Aliyun {
    /// All types that pass a filter. What was read within a day is not read again; see [`Aliyun::keep_in`].
    pub async fn instance_types(
        &self,
        place: &Place,
        filter: &TypeFilter,
    ) -> Result<Arc<InstanceTypes>, Fault> {
        let parameters = filter.parameters();
        let read = || async {
            let now = self.http.now();
            if let Some(all) = self.catalogue.get(place, &parameters, now) {
                return Ok(InstanceTypes { all, calls: 0 });
            }
            let listed = self.list_by_token(place, &TYPES, &parameters).await?;
            let all = listed.items().iter().filter(|it| filter.accepts(it));
            let all: Vec<_> = all.cloned().collect();
            self.catalogue.put(place, &parameters, (&all, listed.at()));
            let read = u64::try_from(listed.items().len()).unwrap_or(u64::MAX);
            let calls = read.div_ceil(TYPES.page_size).max(1);
            Ok(InstanceTypes { all, calls })
        };
        let key = (place.clone(), filter.clone());
        self.types.get(&key, read).await
    }
}
