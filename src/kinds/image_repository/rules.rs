//! What must hold of an `ImageRepository` beyond its schema: pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::resource::Problem;

use super::platform::Platform;
use super::spec::{Sources, Spec};

/// How long a tag may be (OCI distribution specification, "Pulling manifests").
const TAG_LENGTH_MAX: usize = 128;
/// What is untagged is younger than this while it is still being pushed.
const UNTAGGED_AGE_MIN: Duration = Duration::from_secs(24 * 3600);
/// How many inputs a workflow takes (GitHub REST API, "Create a workflow dispatch event").
const INPUTS_MAX: usize = 25;

pub(super) fn validate(spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    platforms(spec, &mut problems);
    suffixes(spec, &mut problems);
    named_tags(spec, &mut problems);
    patterns(spec, &mut problems);
    mirrors(spec, &mut problems);
    retention(spec, &mut problems);
    dispatch(spec, &mut problems);
    problems
}

fn platforms(spec: &Spec, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<Platform, &str> = BTreeMap::new();
    for (index, text) in spec.platforms.iter().enumerate() {
        let path = format!("spec.platforms[{index}]");
        let Some(platform) = Platform::parse(text) else {
            let message = format!("`{text}` is no platform: write one as in `linux/amd64`");
            problems.push(Problem::new(&path, &message));
            continue;
        };
        if let Some(other) = seen.insert(platform, text) {
            let message =
                format!("`{text}` is the same platform as `{other}`: write one of the two");
            problems.push(Problem::new(&path, &message));
        }
    }
}

fn suffixes(spec: &Spec, problems: &mut Vec<Problem>) {
    let wanted: BTreeSet<Platform> = parsed(&spec.platforms);
    let usual = Sources::default().suffix;
    let mut platforms: BTreeMap<Platform, &str> = BTreeMap::new();
    let mut suffixes: BTreeMap<&str, &str> = BTreeMap::new();
    for (text, suffix) in &spec.sources.suffix {
        let path = format!("spec.sources.suffix.{text}");
        let Some(platform) = Platform::parse(text).filter(|it| wanted.contains(it)) else {
            // What stands there by default is no mistake of anybody's.
            if usual.get(text) != Some(suffix) {
                let message = format!("`{text}` is none of spec.platforms");
                problems.push(Problem::new(&path, &message));
            }
            continue;
        };
        if let Some(other) = platforms.insert(platform, text) {
            let message =
                format!("`{text}` is the same platform as `{other}`: write one of the two");
            problems.push(Problem::new(&path, &message));
        }
        if let Some(other) = suffixes.insert(suffix, text) {
            let message = format!(
                "`{suffix}` is the suffix of `{other}` already: one source cannot be of two platforms"
            );
            problems.push(Problem::new(&path, &message));
        }
    }
    for platform in wanted.iter().filter(|it| !platforms.contains_key(it)) {
        let message =
            format!("no suffix is written for {platform}, which is one of spec.platforms");
        problems.push(Problem::new("spec.sources.suffix", &message));
    }
}

fn parsed(platforms: &[String]) -> BTreeSet<Platform> {
    platforms
        .iter()
        .filter_map(|it| Platform::parse(it))
        .collect()
}

fn named_tags(spec: &Spec, problems: &mut Vec<Problem>) {
    let named: BTreeSet<&str> = spec.named_tags().collect();
    for tag in &named {
        for source in spec.sources_of(tag) {
            let source = source.tag;
            if source.len() > TAG_LENGTH_MAX {
                let message = format!(
                    "`{tag}` is too long: its source `{source}` would have more than {TAG_LENGTH_MAX} characters"
                );
                problems.push(Problem::new("spec.tags", &message));
            }
            if named.contains(source.as_str()) {
                let message = format!(
                    "`{source}` is what `{tag}` is merged from: a source cannot be a required tag"
                );
                problems.push(Problem::new("spec.tags", &message));
            }
        }
        let stem = spec.stem(tag).filter(|it| spec.fits_pattern(it));
        if let Some(stem) = stem {
            let message = format!(
                "`{tag}` is what `{stem}` is merged from, which a pattern requires: a source cannot be a required tag"
            );
            problems.push(Problem::new("spec.tags", &message));
        }
    }
}

fn patterns(spec: &Spec, problems: &mut Vec<Problem>) {
    for pattern in spec.patterns() {
        let tail = pattern.rsplit(['*', '?']).next().unwrap_or_default();
        if spec.is_source(&format!("x{tail}")) {
            let message =
                format!("`{pattern}` fits nothing but sources, and those are never required tags");
            problems.push(Problem::new("spec.tags", &message));
        }
        if let Some(tag) = spec.named_tags().find(|it| *it == pattern) {
            let message =
                format!("`{tag}` is required by its name and by a pattern: write one of the two");
            problems.push(Problem::new("spec.tags", &message));
        }
    }
}

fn mirrors(spec: &Spec, problems: &mut Vec<Problem>) {
    let own = (spec.registry_ref.as_str(), spec.repository.as_str());
    let mut seen = BTreeSet::new();
    for (index, mirror) in spec.mirrors.iter().enumerate() {
        let path = format!("spec.mirrors[{index}]");
        let place = (mirror.registry_ref.as_str(), mirror.repository.as_str());
        if place == own {
            let message = format!(
                "{} is the repository itself, which cannot be its own mirror",
                place.1
            );
            problems.push(Problem::new(&path, &message));
        } else if !seen.insert(place) {
            let message = format!("{} of {} is a mirror already", place.1, place.0);
            problems.push(Problem::new(&path, &message));
        }
    }
}

fn retention(spec: &Spec, problems: &mut Vec<Problem>) {
    let Some(untagged) = spec.retention.as_ref().and_then(|it| it.untagged.as_ref()) else {
        return;
    };
    if untagged.older_than.0 < UNTAGGED_AGE_MIN {
        let message = format!(
            "olderThan is {}, the least allowed is 1d: a push that is under way writes what a tag needs before the tag",
            untagged.older_than
        );
        problems.push(Problem::new("spec.retention.untagged.olderThan", &message));
    }
}

fn dispatch(spec: &Spec, problems: &mut Vec<Problem>) {
    let Some(on_missing) = &spec.on_missing else {
        return;
    };
    if on_missing.dispatch.repository.is_none() && spec.repository.split('/').count() != 2 {
        let message = format!(
            "`{}` is the name of no repository on GitHub: write the one that has the workflow",
            spec.repository
        );
        problems.push(Problem::new("spec.onMissing.dispatch.repository", &message));
    }
    let inputs = &on_missing.dispatch.inputs;
    if inputs.len() > INPUTS_MAX {
        let message = format!("{} are too many: GitHub takes {INPUTS_MAX}", inputs.len());
        problems.push(Problem::new("spec.onMissing.dispatch.inputs", &message));
    }
    for (name, text) in inputs {
        let rest = text.replace("{{tag}}", "").replace("{{platform}}", "");
        if rest.contains("{{") {
            let message = "only `{{tag}}` and `{{platform}}` are filled in";
            let path = format!("spec.onMissing.dispatch.inputs.{name}");
            problems.push(Problem::new(&path, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::Spec;
    use super::validate;

    /// What is wrong with a spec, one line each; `more` is JSON that is added to the least that must be there.
    fn problems(more: &str) -> String {
        let text = format!(r#"{{"registryRef": "ghcr", "repository": "example/app", {more}}}"#);
        let spec: Spec = serde_json::from_str(&text).expect("the spec of a test can be read");
        let said = validate(&spec).into_iter();
        let lines: Vec<String> = said
            .map(|it| format!("{}: {}", it.path, it.message))
            .collect();
        lines.join("\n")
    }

    /// Names the part of the spec that is refused, and what is said.
    fn refused(more: &str, path: &str, said: &str) {
        let problems = problems(more);
        let is_said = |it: &str| it.starts_with(&format!("{path}: ")) && it.contains(said);
        assert!(problems.lines().any(is_said), "{more}\n{problems}");
    }

    #[test]
    fn what_is_usual_is_accepted() {
        for more in [
            r#""tags": ["latest", "v1.0.0", {"pattern": "v*"}]"#,
            r#""tags": []"#,
            r#""tags": ["latest"], "platforms": ["linux/amd64"]"#,
            r#""tags": ["latest-arm"], "platforms": ["linux/arm64/v8"]"#,
            r#""tags": ["latest"], "platforms": ["linux/riscv64"], "sources": {"suffix": {"linux/riscv64": "-riscv64"}}"#,
            r#""tags": [{"pattern": "*"}], "mirrors": [{"registryRef": "acr", "repository": "example/app"}]"#,
            r#""tags": [], "onMissing": {"dispatch": {"workflow": "build.yml", "ref": "main"}}"#,
            r#""tags": [], "retention": {"untagged": {"olderThan": "1d"}}"#,
        ] {
            assert_eq!(problems(more), "", "{more}");
        }
    }

    #[test]
    fn platforms_and_their_suffixes_belong_together() {
        refused(
            r#""tags": [], "platforms": ["linux/arm64", "linux/arm64/v8"]"#,
            "spec.platforms[1]",
            "the same platform as `linux/arm64`",
        );
        refused(
            r#""tags": [], "platforms": ["linux/amd64", "linux/arm/v6"]"#,
            "spec.sources.suffix",
            "no suffix is written for linux/arm/v6",
        );
        refused(
            r#""tags": [], "platforms": ["linux/amd64"], "sources": {"suffix": {"linux/amd64": "-x", "linux/s390x": "-s"}}"#,
            "spec.sources.suffix.linux/s390x",
            "is none of spec.platforms",
        );
        refused(
            r#""tags": [], "sources": {"suffix": {"linux/amd64": "-x", "linux/arm64": "-x"}}"#,
            "spec.sources.suffix.linux/arm64",
            "is the suffix of `linux/amd64` already",
        );
        refused(
            r#""tags": [], "sources": {"suffix": {"linux/amd64": "-x", "linux/arm64": "-a", "linux/arm64/v8": "-b"}}"#,
            "spec.sources.suffix.linux/arm64/v8",
            "the same platform as `linux/arm64`",
        );
    }

    #[test]
    fn a_source_is_no_required_tag() {
        refused(
            r#""tags": ["v1", "v1-amd64"]"#,
            "spec.tags",
            "`v1-amd64` is what `v1` is merged from",
        );
        refused(
            r#""tags": ["v1-arm64", {"pattern": "v*"}]"#,
            "spec.tags",
            "`v1-arm64` is what `v1` is merged from, which a pattern requires",
        );
        refused(
            r#""tags": [{"pattern": "v*-amd64"}]"#,
            "spec.tags",
            "`v*-amd64` fits nothing but sources",
        );
        refused(
            r#""tags": ["v1", {"pattern": "v1"}]"#,
            "spec.tags",
            "by its name and by a pattern",
        );
        let long = "x".repeat(123);
        refused(
            &format!(r#""tags": ["{long}"]"#),
            "spec.tags",
            "would have more than 128 characters",
        );
    }

    #[test]
    fn nothing_mirrors_itself_or_is_mirrored_twice_to_one_place() {
        refused(
            r#""tags": [], "mirrors": [{"registryRef": "ghcr", "repository": "example/app"}]"#,
            "spec.mirrors[0]",
            "cannot be its own mirror",
        );
        let mirror = r#"{"registryRef": "acr", "repository": "example/app"}"#;
        refused(
            &format!(r#""tags": [], "mirrors": [{mirror}, {mirror}]"#),
            "spec.mirrors[1]",
            "is a mirror already",
        );
    }

    #[test]
    fn what_a_push_under_way_has_written_is_left_its_time() {
        refused(
            r#""tags": [], "retention": {"untagged": {"olderThan": "23h"}}"#,
            "spec.retention.untagged.olderThan",
            "the least allowed is 1d",
        );
    }

    #[test]
    fn a_workflow_is_looked_for_where_it_can_be() {
        let dispatch = r#""onMissing": {"dispatch": {"workflow": "build.yml", "ref": "main"}}"#;
        let text =
            format!(r#"{{"registryRef": "acr", "repository": "a/b/c", "tags": [], {dispatch}}}"#);
        let spec: Spec = serde_json::from_str(&text).expect("the spec of a test can be read");
        let problems = validate(&spec);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].path, "spec.onMissing.dispatch.repository");
    }

    #[test]
    fn a_workflow_is_given_what_can_be_filled_in_and_no_more_than_github_takes() {
        let with = |inputs: &str| {
            format!(
                r#""tags": [], "onMissing": {{"dispatch": {{"workflow": "build.yml", "ref": "main", "inputs": {{{inputs}}}}}}}"#
            )
        };
        refused(
            &with(r#""version": "{{tga}}""#),
            "spec.onMissing.dispatch.inputs.version",
            "only `{{tag}}` and `{{platform}}` are filled in",
        );
        let many = |count: usize| {
            let inputs = (0..count).map(|it| format!(r#""i{it}": "{{{{tag}}}}-{{{{platform}}}}""#));
            with(&inputs.collect::<Vec<_>>().join(", "))
        };
        refused(
            &many(26),
            "spec.onMissing.dispatch.inputs",
            "GitHub takes 25",
        );
        assert_eq!(problems(&many(25)), "");
    }
}
