//! Versions of packages: what one is, how it goes, and how it comes back.

use reconcile::sim::registry::history::{By, Deed};
use serde_json::json;

use super::{VERSIONS, act, get, id_of, world};
use crate::sim::registry::app;

#[test]
fn a_version_is_a_manifest_with_all_its_tags() {
    let mut desk = world(&app(), &json!({}));
    let versions = get(&mut desk, VERSIONS);
    assert_eq!(versions.as_array().expect("versions").len(), 7);
    let id = id_of(&mut desk, "v1");
    let version = get(&mut desk, &format!("{VERSIONS}/{id}"));
    assert_eq!(version["name"], desk.tags()["v1"].to_string());
    assert_eq!(version["metadata"]["container"]["tags"], json!(["v1"]));
    let package = get(&mut desk, "orgs/example/packages/container/app");
    assert_eq!(
        (&package["version_count"], &package["visibility"]),
        (&json!(7), &json!("private"))
    );
}

#[test]
fn names_are_encoded_and_an_organization_is_no_user() {
    let mut repositories = app();
    repositories["example/team/app"] = json!({"manifests": [{"tags": ["v1"]}]});
    repositories["someone/app"] = json!({"manifests": [{"tags": ["v1"]}]});
    let mut desk = world(&repositories, &json!({}));
    let nested = get(
        &mut desk,
        "orgs/example/packages/container/team%2Fapp/versions",
    );
    assert_eq!(nested.as_array().expect("versions").len(), 1);
    let own = get(&mut desk, "users/someone/packages/container/app/versions");
    assert_eq!(own.as_array().expect("versions").len(), 1);
    let ours = get(&mut desk, "user/packages/container/app");
    assert_eq!(ours, get(&mut desk, "users/someone/packages/container/app"));
    let own = get(&mut desk, "user/packages/container/app/versions");
    assert_eq!(own.as_array().expect("versions").len(), 1);
    let wrong = act(
        &mut desk,
        "GET",
        "users/example/packages/container/app/versions",
    );
    assert_eq!(wrong.0, 404);
    assert_eq!(
        act(
            &mut desk,
            "GET",
            "orgs/someone/packages/container/app/versions"
        )
        .0,
        404
    );
}

#[test]
fn a_deleted_version_takes_all_its_tags_and_comes_back_within_thirty_days() {
    let mut desk = world(&app(), &json!({}));
    desk.meddle(&json!({"manifests": [{"tags": ["v1-amd64", "latest-amd64"], "platform": "linux/amd64", "revision": "abc", "attested": true, "layers": ["v1-amd64"]}]}));
    let id = id_of(&mut desk, "v1-amd64");
    let place = format!("{VERSIONS}/{id}");
    assert_eq!(act(&mut desk, "DELETE", &place).0, 204);
    assert_eq!(
        act(&mut desk, "DELETE", &place),
        (404, "Package not found.".to_owned())
    );
    assert_eq!(
        desk.tags().into_keys().collect::<Vec<_>>(),
        ["v1", "v1-arm64"]
    );
    let deleted = get(&mut desk, &format!("{VERSIONS}?state=deleted"));
    assert_eq!(
        (&deleted[0]["id"], deleted.as_array().map(Vec::len)),
        (&json!(id), Some(1))
    );
    assert_eq!(deleted[0]["deleted_at"], desk.now.to_string());

    assert_eq!(act(&mut desk, "POST", &format!("{place}/restore")).0, 204);
    assert_eq!(desk.tags().len(), 4);
    assert_eq!(act(&mut desk, "POST", &format!("{place}/restore")).0, 404);
    assert_eq!(act(&mut desk, "DELETE", &place).0, 204);
    desk.wait(30 * 24 * 3600 + 1);
    assert_eq!(act(&mut desk, "POST", &format!("{place}/restore")).0, 404);
    let deeds = desk.deeds();
    let is_deletion = |it: &&(By, Deed)| matches!(it, (By::Client, Deed::VersionDeleted { tags, .. }) if tags.len() == 2);
    assert_eq!(deeds.iter().filter(is_deletion).count(), 2, "{deeds:#?}");
    let is_back = |it: &&(By, Deed)| matches!(it, (By::Client, Deed::VersionRestored { .. }));
    assert_eq!(deeds.iter().filter(is_back).count(), 1);
}

#[test]
fn a_tag_that_was_taken_meanwhile_stays_where_it_is_when_a_version_comes_back() {
    let mut desk = world(&app(), &json!({}));
    let id = id_of(&mut desk, "v1-amd64");
    assert_eq!(act(&mut desk, "DELETE", &format!("{VERSIONS}/{id}")).0, 204);
    desk.meddle(&json!({"manifests": [{"tags": ["v1-amd64"], "revision": "new"}]}));
    let taken = desk.tags()["v1-amd64"].clone();
    assert_eq!(
        act(&mut desk, "POST", &format!("{VERSIONS}/{id}/restore")).0,
        204
    );
    assert_eq!(desk.tags()["v1-amd64"], taken);
}

#[test]
fn a_tag_that_moves_leaves_an_untagged_version_and_changes_both() {
    let mut desk = world(&app(), &json!({}));
    let old = id_of(&mut desk, "v1");
    desk.wait(60);
    desk.meddle(&json!({"manifests": [{"tags": ["v1"], "revision": "dummy"}]}));
    let new = id_of(&mut desk, "v1");
    assert_ne!(old, new);
    let moved = desk.now.to_string();
    let left = get(&mut desk, &format!("{VERSIONS}/{old}"));
    assert_eq!(left["metadata"]["container"]["tags"], json!([]));
    assert_eq!(left["updated_at"], moved);
    assert_ne!(left["created_at"], moved);
    // How a tag is taken away: by giving it to something else, and deleting that.
    assert_eq!(
        act(&mut desk, "DELETE", &format!("{VERSIONS}/{new}")).0,
        204
    );
    assert!(!desk.tags().contains_key("v1"));
    assert_eq!(act(&mut desk, "GET", &format!("{VERSIONS}/{old}")).0, 200);
}

#[test]
fn a_child_that_goes_leaves_its_index_and_cannot_come_back_twice() {
    let mut desk = world(&app(), &json!({}));
    let index = desk.tags()["v1"].clone();
    let child = id_of(&mut desk, "v1-amd64");
    let digest = desk.tags()["v1-amd64"].clone();
    let place = format!("{VERSIONS}/{child}");
    assert_eq!(act(&mut desk, "DELETE", &place).0, 204);
    assert_eq!(desk.tags()["v1"], index);
    let image = json!({"tags": ["v1-amd64"], "platform": "linux/amd64", "revision": "abc", "attested": true});
    desk.meddle(&json!({ "manifests": [image] }));
    assert_eq!(desk.tags()["v1-amd64"], digest);
    let (status, said) = act(&mut desk, "POST", &format!("{place}/restore"));
    assert_eq!(
        (status, said.as_str()),
        (400, "A version of this name exists already.")
    );
}

#[test]
fn the_last_tagged_version_and_one_that_many_have_stay() {
    let mut repositories = json!({"example/app": {"public": true, "manifests": [
        {"tags": ["v1"], "downloads": 10},
        {"name": "untagged", "layers": ["other"], "downloads": 5001},
    ]}});
    let mut desk = world(&repositories, &json!({}));
    let id = id_of(&mut desk, "v1");
    let (status, said) = act(&mut desk, "DELETE", &format!("{VERSIONS}/{id}"));
    let words = "You cannot delete the last tagged version of a package. You must delete the package instead.";
    assert_eq!((status, said.as_str()), (400, words));
    let versions = get(&mut desk, VERSIONS);
    let untagged = versions
        .as_array()
        .expect("versions")
        .iter()
        .find(|it| it["id"] != id)
        .expect("another");
    let place = format!("{VERSIONS}/{}", untagged["id"]);
    let (status, said) = act(&mut desk, "DELETE", &place);
    assert_eq!(status, 400);
    assert!(said.starts_with("Publicly visible package versions with more than 5000 downloads"));
    repositories["example/app"]["public"] = json!(false);
    let mut private = world(&repositories, &json!({}));
    assert_eq!(act(&mut private, "DELETE", &place).0, 204);
    let (status, said) = act(&mut private, "DELETE", &format!("{VERSIONS}/{id}"));
    assert_eq!(status, 400);
    assert!(said.contains("last version"), "{said}");
}
