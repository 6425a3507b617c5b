//! Retention against what today's scripts do: worlds that were recorded from them, and what should have become of each.
//!
//! The scripts built the new image themselves. Here somebody else has built it, under its dated name, and `reconcile`
//! names it and deletes the surplus. `intended` wins over `upstream`; `keep` counts the total, the new image included.

mod skip;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use reconcile::clock::Timestamp;
use reconcile::sim::history::{Event, What};
use reconcile::sim::object::{Image, ImageStatus};
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use crate::proofs::lab::Lab;
use crate::proofs::state::state_of;

/// The image that somebody else has built.
const BUILT: &str = "m-new";
const REGION: &str = "cn-hangzhou";
/// What the documentation leaves open must not matter.
pub(crate) const WAYS: [(&str, &str); 4] = [
    ("exact", "newestFirst"),
    ("substring", "newestFirst"),
    ("exact", "shuffled"),
    ("substring", "oldestFirst"),
];

/// One recorded world.
struct Golden {
    name: String,
    recorded: Value,
}

fn all() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/retention");
    let files = fs::read_dir(folder).expect("the cases are there");
    let mut cases: Vec<Golden> = files
        .map(|entry| {
            let path = entry.expect("the cases can be read").path();
            let text = fs::read_to_string(&path).expect("a case is text");
            let recorded: Value = serde_json::from_str(&text).expect("a case is JSON");
            Golden {
                name: text_of(&recorded["name"]).to_owned(),
                recorded,
            }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("a case has texts where they belong")
}

impl Golden {
    /// `<prefix>-<arch>-` and `rest`.
    fn named(&self, rest: &str) -> String {
        let config = &self.recorded["config"];
        let (prefix, arch) = (text_of(&config["prefix"]), text_of(&config["arch"]));
        format!("{prefix}-{arch}-{rest}")
    }

    fn keep(&self) -> usize {
        let keep = self.recorded["config"]["keep"].as_u64();
        usize::try_from(keep.expect("a case has a number to keep")).expect("a small number")
    }

    /// The ids in a list of `intended`; empty where there is no such list.
    fn intended(&self, list: &str) -> BTreeSet<String> {
        let ids = self.recorded["intended"][list].as_array();
        ids.into_iter()
            .flatten()
            .map(|it| text_of(it).to_owned())
            .collect()
    }

    /// The names that images should have got; none: any dated name.
    fn renames(&self) -> BTreeMap<String, Option<String>> {
        let renames = self.recorded["intended"]["renames"].as_array();
        let renames = renames.expect("a case has renames").iter();
        renames
            .map(|it| {
                let to = it["to"].as_str().map(str::to_owned);
                (text_of(&it["ImageId"]).to_owned(), to)
            })
            .collect()
    }

    fn started(&self) -> Timestamp {
        Timestamp::parse(text_of(&self.recorded["config"]["now"])).expect("a case has a time")
    }

    /// The new image as a build leaves it: made five and a half minutes after the start, with the scripts' own tags.
    fn built(&self) -> Value {
        let created = self.started().plus(Duration::from_secs(330));
        let calls = self.recorded["upstream"]["calls"].as_array();
        let made = calls
            .into_iter()
            .flatten()
            .find(|it| it["action"] == "CreateImage");
        json!({
            "ImageId": BUILT,
            "ImageName": self.named(&created.minute_digits()),
            "CreationTime": created,
            "Tags": made.expect("every recorded run tried to make an image")["tags"],
        })
    }

    fn scenario(&self, (name_match, order): (&str, &str)) -> Scenario {
        let mut images = self.recorded["initial_images"].clone();
        let list = images.as_array_mut().expect("a case has images");
        for image in list.iter_mut() {
            // The world knows by itself which images are used.
            let image = image.as_object_mut().expect("an image is an object");
            image.remove("Usage");
        }
        list.push(self.built());
        let order_recorded = &self.recorded["server_options"]["list_order"];
        assert_eq!(order_recorded, "newest_first", "{}", self.name);
        let scenario = json!({
            "start": self.started().plus(Duration::from_secs(600)),
            "settings": {"imageNameMatch": name_match, "listingOrder": order},
            "objects": {"images": images},
        });
        Scenario::from_value(scenario).unwrap_or_else(|why| panic!("{}: {why}", self.name))
    }

    /// The same wish as the scripts' settings; they knew no guards.
    fn state(&self) -> String {
        let config = &self.recorded["config"];
        format!(
            "{{apiVersion: reconcile/v1alpha1, kind: AliyunRegion, metadata: {{name: home}}, spec: {{regionId: {REGION}, scope: test}}}}
---
apiVersion: reconcile/v1alpha1
kind: MachineImage
metadata: {{name: line}}
policy: {{guards: {{maxDeletes: 1000, maxDeletePercent: 100}}}}
spec: {{regionRef: home, namePrefix: {prefix}, architectures: [{arch}], retention: {{keep: {keep}}}, adopt: ByNameAndArchitecture}}
",
            prefix = config["prefix"],
            arch = config["arch"],
            keep = config["keep"],
        )
    }

    fn is_dated(&self, name: &str) -> bool {
        let digits = name.strip_prefix(&self.named(""));
        digits.is_some_and(|it| it.len() == 12 && it.bytes().all(|it| it.is_ascii_digit()))
    }

    /// Holds the end against `intended`.
    fn check_end(&self, begin: &[Image], end: &[Image], deleted: &BTreeSet<String>) {
        let case = &self.name;
        let at_end = |id: &str| end.iter().find(|it| it.image_id.as_str() == id);
        let latest: Vec<&str> = end
            .iter()
            .filter(|it| it.image_name == self.named("latest"))
            .map(|it| it.image_id.as_str())
            .collect();
        assert_eq!(latest, [BUILT], "{case}");
        let expected: BTreeSet<String> = &self.intended("deletes") | &self.intended("garbage");
        assert_eq!(*deleted, expected, "{case}");
        let (kept, renames) = (self.intended("kept_old"), self.renames());
        assert!(kept.len() < self.keep(), "{case}: keep counts the total");
        for image in begin {
            let id = image.image_id.as_str();
            let now = at_end(id);
            if id == BUILT || expected.contains(id) {
                continue;
            }
            let now = now.unwrap_or_else(|| panic!("{case}: {id} is gone"));
            match renames.get(id) {
                Some(Some(to)) => assert_eq!(now.image_name, *to, "{case}: {id}"),
                // "The dated minute is that of the image's own creation, or the next free minute": where nobody knows
                // when that was, any minute will do.
                Some(None) => assert!(self.is_dated(&now.image_name), "{case}: {id}"),
                // "A valid dated name is never changed again."
                None => assert_eq!(now.image_name, image.image_name, "{case}: {id}"),
            }
            if !kept.contains(id) {
                assert_eq!(now, image, "{case}: {id} is foreign");
            }
        }
    }

    /// Replays what happened: before the new image serves nothing goes, but for what could not be made.
    fn check_history(&self, begin: &[Image], history: &[Event]) {
        let built = begin.iter().find(|it| it.image_id.as_str() == BUILT);
        let built = built.expect("the new image is there from the start");
        assert_eq!(built.status, ImageStatus::Available, "{}", self.name);
        let mut name = built.image_name.clone();
        for event in history {
            if let What::ImageRenamed { image, to, .. } = &event.what
                && image.as_str() == BUILT
            {
                name.clone_from(to);
            }
            if let What::ImageDeleted { image, used_by, .. } = &event.what {
                let is_garbage = self.intended("garbage").contains(image.image_id.as_str());
                let serves = name == self.named("latest");
                assert!(serves || is_garbage, "{}: {event:?}", self.name);
                assert!(used_by.is_empty(), "{}: {event:?}", self.name);
            }
        }
    }
}

fn images(lab: &Lab) -> Vec<Image> {
    let now = lab.now();
    lab.with_world(|it| it.images(REGION, now))
}

fn check(case: &Golden, way: (&str, &str)) {
    let lab = Lab::declaring(&case.state(), &case.scenario(way));
    lab.block_on(async |lab| {
        let begin = images(lab);
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}: {}", case.name, report.to_json());
        let is_image = |it: &String| it.starts_with("m-");
        let deleted = lab.deleted().into_iter().filter(is_image).collect();
        case.check_end(&begin, &images(lab), &deleted);
        let history = lab.with_world(|it| it.history().to_vec());
        case.check_history(&begin, &history);
        let (state, writes) = (state_of(lab), lab.writes());
        let again = lab.once(2).await;
        assert!(again.actions.is_empty(), "{}", case.name);
        assert_eq!((state_of(lab), lab.writes()), (state, writes));
    });
}

#[test]
fn a_line_that_the_scripts_left_comes_to_what_was_intended_whatever_the_documentation_leaves_open()
{
    let cases = &all();
    assert_eq!(cases.len(), 15);
    // Worlds share nothing, so they run side by side.
    std::thread::scope(|scope| {
        for way in WAYS {
            scope.spawn(move || cases.iter().for_each(|it| check(it, way)));
        }
    });
}
