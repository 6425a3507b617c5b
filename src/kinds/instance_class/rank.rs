//! Asks what there is and what it costs, as little as the choice needs.

use std::collections::BTreeMap;

use crate::fault::{Class, Fault};
use crate::kinds::aliyun_region;
use crate::providers::Clients;

use super::choice::{Market, Search};
use super::plug::plugs;
use super::ranking::Ranking;
use super::shape::filter;
use super::spec::Spec;

const DOING: &str = "choose a machine";

/// The machines to try for a class, the best first, as they are sold now.
///
/// It takes a call each for types (none within a day of the last), stock and vSwitches, and one for each type whose
/// price is needed; those of one pass share what they read. A question without an answer is a fault: what is missing could
/// have been the best.
pub async fn rank(
    class: &Spec,
    region: &aliyun_region::Spec,
    clients: &Clients,
) -> Result<Ranking, Fault> {
    let (aliyun, place) = (&clients.aliyun, region.home().place);
    let network = region.network.clone().unwrap_or_default();
    let Some(vpc) = &network.vpc_id else {
        let message = "spec.network.vpcId of the region is not written";
        return Err(Fault::new(Class::Invalid, DOING, message));
    };
    let filter = filter(class);
    // Boxed, because three calls side by side are too much to be moved about.
    let (types, stock, v_switches) = tokio::try_join!(
        Box::pin(aliyun.instance_types(&place, &filter)),
        Box::pin(aliyun.stock(&place, class.purchase())),
        Box::pin(aliyun.v_switches(&place, vpc)),
    )?;
    let plugs = plugs(&network, v_switches.items())
        .map_err(|why| Fault::new(Class::Invalid, DOING, &why).of(vpc))?;
    let market = Market {
        types,
        stock,
        plugs,
    };
    let mut search = Search::new(class, &market);
    while let Some(types) = search.next_types() {
        let quotes = aliyun.quotes(&place, &types).await?;
        search.take(&types, &quotes);
    }
    let mut ranking = search.end();
    ranking.listings = BTreeMap::from([
        (filter.listing(), market.types.calls),
        (format!("stock {:?}", class.purchase()), 1),
        (format!("vSwitches of {vpc}"), 1),
    ]);
    let prices = ranking
        .asked
        .iter()
        .map(|it| (format!("prices of {it}"), 1));
    ranking.listings.extend(prices);
    Ok(ranking)
}
