//! The schemas of the real kinds: what an editor accepts, the loader accepts, but for what only the whole folder shows.

use std::path::Path;

use reconcile::engine;
use reconcile::kind::Registration;
use reconcile::kinds::KINDS;
use reconcile::resource::{
    Finding, KindSchema, NamedFiles, document_schema, is_supported, read_text, to_yaml, yaml_value,
};
use serde_json::Value;

use super::Place;
use crate::state_files::agreement::{mutations, validator};

/// A valid document of every kind that writes every key, as YAML.
const EVERY_KEY: &str = r#"
apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home, labels: {team: edge}}
policy: {suspend: until Friday, ensure: Absent, guards: {maxDeletes: 0, maxDeletePercent: 100}}
spec:
  regionId: cn-hangzhou
  scope: demo
  accountId: "1000000000000001"
  endpoint: https://ecs.cn-hangzhou.aliyuncs.com
  network:
    vpcId: vpc-1
    securityGroupId: sg-1
    vSwitches: {cn-hangzhou-k: vsw-1}
    discoverVSwitches: false
    proxy: {http: "http://10.0.0.1:3128", https: "http://10.0.0.1:3128", noProxy: [example.org]}
  requiredTags: {team: edge}
  keyPairName: ops
---
apiVersion: reconcile/v1alpha1
kind: InstanceClass
metadata: {name: builder, labels: {team: edge}}
policy: {suspend: until Friday, ensure: Present, guards: {maxDeletes: 1, maxDeletePercent: 1}}
spec:
  regionRef: home
  architecture: amd64
  requirements:
    cpu: {min: 2, max: 8}
    memory: {min: 2Gi, max: 16Gi}
    memoryPerCpu: 1Gi
    instanceTypes: [ecs.c8i-nps.2xlarge]
    families: [ecs.c8i-nps]
  selection: {strategy: LowestTotalPrice, maxCandidates: 3}
  spot: {enabled: true, priceMultiplier: "1.5", maxPrice: "0.5"}
  systemDisk: {categories: [cloud_essd, cloud_auto], headroom: 5Gi, minSize: 40Gi}
  instanceRoleName: builder
  ttl: 1h
---
apiVersion: reconcile/v1alpha1
kind: MachineImage
metadata: {name: line, labels: {team: edge}}
policy: {suspend: until Friday, ensure: Present, guards: {maxDeletes: 1, maxDeletePercent: 1}}
spec:
  regionRef: home
  namePrefix: line
  architectures: [amd64, arm64]
  retention: {keep: 5, keepIds: [m-1], deleteSnapshots: false}
  adopt: ByTag
  latest: {imageId: m-2}
  imageFamily: <prefix>-of-<arch>
  base: {family: {amd64: "acs:ubuntu_24_04_x64", arm64: "acs:ubuntu_24_04_arm64"}}
  provision: {script: scripts/line.sh, inputs: {RUNNER_VERSION: "2.330.0"}, timeout: 30m}
  backoff: {limit: 6}
  instanceClassRefs: {amd64: builder-amd64, arm64: builder-arm64}
  forceNonce: "1"
  share: {accounts: ["1000000000000002"]}
---
apiVersion: reconcile/v1alpha1
kind: RunnerSet
metadata: {name: jobs, labels: {team: edge}}
policy: {suspend: until Friday, ensure: Present, guards: {maxDeletes: 1, maxDeletePercent: 1}}
spec:
  githubConfigUrl: https://github.com/example
  repositories: [demo]
  labels: [self-hosted, linux]
  instanceClassRef: builder
  imageRef: {machineImage: line, fallback: {family: runner}, family: runner, id: m-1}
  minRunners: 1
  maxRunners: 5
  startupTimeout: 5m
  idleAfter: 5m
  lease: 1h
  maxLifetime: 12h
  backoff: {limit: 5}
  runnerVersion: 2.330.0
  runnerSha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
---
apiVersion: reconcile/v1alpha1
kind: InstancePolicy
metadata: {name: ci, labels: {team: edge}}
policy: {suspend: until Friday, ensure: Present, guards: {maxDeletes: 1, maxDeletePercent: 1}}
spec:
  regionRef: home
  selector: {tags: {ci: "yes"}}
  purchase: PayAsYouGo
  maxIdle: 1
  idleAfter: 10m
  maxAge: 4h
  runnersOf: ["https://github.com/example/demo"]
  sweepRunners: false
---
apiVersion: reconcile/v1alpha1
kind: Registry
metadata: {name: ghcr, labels: {team: edge}}
policy: {suspend: until Friday, ensure: Present, guards: {maxDeletes: 1, maxDeletePercent: 1}}
spec:
  host: ghcr.io
  insecure: false
  credentials: {usernameEnv: RECONCILE_USER_GHCR, passwordEnv: RECONCILE_PASSWORD_GHCR}
  attestations: auto
  maxPathDepth: 2
  deletion: Packages
---
apiVersion: reconcile/v1alpha1
kind: ImageRepository
metadata: {name: app, labels: {team: edge}}
policy: {suspend: until Friday, ensure: Present, guards: {maxDeletes: 1, maxDeletePercent: 1}}
spec:
  registryRef: ghcr
  repository: example/app
  platforms: [linux/amd64, linux/arm64]
  tags: [latest, {pattern: "v*"}]
  sources: {suffix: {linux/amd64: -amd64, linux/arm64: -arm64}, consistency: Any}
  compression: estargz
  mirrors: [{registryRef: acr, repository: example/app}]
  retention: {tagged: {keepLast: 10, keep: ["v*"], olderThan: 30d}, untagged: {olderThan: 7d}}
  onMissing: {dispatch: {repository: example/app, workflow: build.yml, ref: main, inputs: {tag: "{{tag}}"}}}
"#;

fn kinds() -> Vec<KindSchema> {
    let kind = |it: &Registration| KindSchema {
        name: it.name,
        spec: (it.schema)(),
    };
    KINDS.iter().map(kind).collect()
}

/// One value a document.
fn documents(text: &str) -> Vec<Value> {
    let values = text.split("---\n").map(yaml_value);
    values.collect::<Result<_, _>>().expect("the text is YAML")
}

/// Whether the loader takes a document by itself, its types included.
fn is_loaded(document: &Value, kinds: &[KindSchema]) -> Result<(), Vec<Finding>> {
    // No file lies there: whether those that are named can be read is another matter.
    let mut files = NamedFiles::of(Path::new("/nowhere"));
    for manifest in read_text("state/a.yaml", &to_yaml(document), kinds)? {
        let kind = KINDS.iter().find(|it| it.name == manifest.id.kind);
        let kind = kind.expect("the reader accepts known kinds only");
        // What the schema accepts and its type does not is a finding of its own, and a disagreement.
        (kind.load)(&manifest, &mut files).map_err(|it| vec![it])?;
    }
    Ok(())
}

/// The keys of a spec's schema, and of the maps in it.
fn keys_of(schema: &Value, known: &Value, keys: &mut Vec<(String, bool)>, path: &str) {
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        keys.push((path.clone(), known.get(key).is_some()));
        let below = below["anyOf"].get(0).unwrap_or(below);
        keys_of(below, &known[key], keys, &path);
    }
}

#[test]
fn the_loader_and_the_schema_of_every_kind_agree_on_every_mutation() {
    let kinds = kinds();
    let documents = documents(EVERY_KEY);
    let (mut accepted, mut refused) = (0, 0);
    for kind in &kinds {
        assert_eq!(is_supported(kind), Ok(()), "{}", kind.name);
        let is_of_kind = |it: &&Value| it["kind"] == kind.name;
        let document = documents.iter().find(is_of_kind);
        let document = document.unwrap_or_else(|| panic!("no document of {}", kind.name));
        let mut keys = Vec::new();
        keys_of(&kind.spec, &document["spec"], &mut keys, "spec");
        assert!(keys.len() > 6, "{}: {keys:?}", kind.name);
        for (key, is_written) in keys {
            assert!(is_written, "{}: {key} is not written", kind.name);
        }
        let one = validator(&document_schema(kind));
        assert_eq!(is_loaded(document, &kinds), Ok(()), "{document:#}");
        for mutated in mutations(document) {
            if mutated["kind"] != document["kind"] {
                continue;
            }
            let loaded = is_loaded(&mutated, &kinds);
            assert_eq!(
                loaded.is_ok(),
                one.is_valid(&mutated),
                "{mutated:#}\n{loaded:?}"
            );
            match loaded {
                Ok(()) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        accepted > 200 && refused > 2000,
        "{accepted} accepted, {refused} refused"
    );
}

/// What a schema cannot say (a circle of references is another such thing, but no kind of today can be in one): each class with a change to the examples, and what is said of it.
const ONLY_WHEN_LOADED: [(&str, &str, &str, &str); 13] = [
    (
        "least above most",
        "maxAge: 4h\n",
        "maxAge: 10s\n",
        "more than maxAge",
    ),
    (
        "one family for two lines",
        "keep: 5\n",
        "keep: 5\n  imageFamily: all\n",
        "one family for 2 architectures",
    ),
    (
        "http beyond loopback",
        "scope: demo\n",
        "scope: demo\n  endpoint: http://10.0.0.1\n",
        "spec.endpoint",
    ),
    (
        "credentials in an endpoint",
        "scope: demo\n",
        "scope: demo\n  endpoint: https://u:p@ecs.aliyuncs.com\n",
        "spec.endpoint",
    ),
    (
        "a prefix that is reserved",
        "namePrefix: demo-runner",
        "namePrefix: Aliyun-runner",
        "must not begin with",
    ),
    (
        "another one",
        "namePrefix: demo-runner",
        "namePrefix: acs:runner",
        "must not begin with",
    ),
    (
        "a tag that is reserved",
        "scope: demo\n",
        "scope: demo\n  requiredTags: {ACS:x: y}\n",
        "is no key for a tag",
    ),
    (
        "a tag that is ours",
        "scope: demo\n",
        "scope: demo\n  requiredTags: {\"reconcile:owner\": y}\n",
        "is no key for a tag",
    ),
    (
        "too many tags",
        "scope: demo\n",
        "scope: demo\n  requiredTags: {a: a, b: b, c: c, d: d, e: e, f: f, g: g, h: h, i: i, j: j, k: k}\n",
        "the most allowed is 10",
    ),
    (
        "vSwitches both ways",
        "    vSwitches:\n",
        "    discoverVSwitches: true\n    vSwitches:\n",
        "write one of the two",
    ),
    (
        "a reference that leads nowhere",
        "regionRef: hangzhou\n  namePrefix",
        "regionRef: nowhere\n  namePrefix",
        "there is no AliyunRegion `nowhere`",
    ),
    (
        "a resource that is declared twice",
        "name: demo-ci\n",
        "name: demo-builders\n",
        "demo-builders",
    ),
    (
        "a key that stands twice",
        "keep: 5\n",
        "keep: 5\n    keep: 5\n",
        "keep",
    ),
];

#[test]
fn what_no_schema_can_say_is_refused_when_all_is_put_together() {
    let validators: Vec<_> = kinds()
        .iter()
        .map(|it| (it.name, validator(&document_schema(it))))
        .collect();
    for (class, from, to, said) in ONLY_WHEN_LOADED {
        let place = Place::with_examples();
        let mut found = false;
        for file in ["region", "images", "instances"] {
            let path = place.path(&format!("state/{file}.yaml"));
            let text = std::fs::read_to_string(&path).expect("the example is there");
            found |= text.contains(from);
            let text = text.replace(from, to);
            // A key that stands twice is no value at all, so no schema ever sees it.
            let values = text.split("---\n").filter_map(|it| yaml_value(it).ok());
            for value in values {
                let (_, validator) = validators
                    .iter()
                    .find(|it| value["kind"] == it.0)
                    .expect("a known kind");
                assert!(validator.is_valid(&value), "{class}: {value:#}");
            }
            place.write(&format!("state/{file}.yaml"), &text);
        }
        assert!(found, "{class}: no {from}");
        let findings = engine::load(&place.path("state"), KINDS).expect_err(class);
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(
            lines.iter().any(|it| it.contains(said)),
            "{class}: {lines:#?}"
        );
        place.run(&["check"]).exits(65);
    }
}
