//! `MachineImage`: what is said of everything that can be written wrong about a build.

use std::fs;
use std::path::Path;

use reconcile::engine::load;
use reconcile::kinds::KINDS;
use reconcile::resource::Finding;
use tempfile::TempDir;

/// A line that is built, and what it refers to, as far as it is declared here.
const LINE: &str = "\
apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec: {regionId: cn-hangzhou, scope: demo}
---
apiVersion: reconcile/v1alpha1
kind: MachineImage
metadata: {name: line}
spec:
  regionRef: home
  namePrefix: line
  architectures: [amd64]
  base: {query: {owner: system, distribution: ubuntu, release: '24.04'}}
  provision: {script: line.sh}
  instanceClassRefs: {amd64: builder}
";

/// What is said of the line with these changes, in the order of the file, without what is said of the class.
fn said(changes: &[(&str, &str)]) -> String {
    let folder = folder(changes);
    let findings = load(folder.path(), KINDS).expect_err("the class is not declared");
    let lines = findings.iter().map(|it| line(it, folder.path()));
    let lines: Vec<String> = lines
        .filter(|it| !it.contains("there is no InstanceClass"))
        .collect();
    lines.join("\n")
}

fn folder(changes: &[(&str, &str)]) -> TempDir {
    let mut text = LINE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in the line");
        text = text.replace(from, to);
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(folder.path().join("line.yaml"), text).expect("a file can be written");
    fs::write(folder.path().join("line.sh"), "#!/bin/sh\n").expect("a file can be written");
    folder
}

fn line(finding: &Finding, folder: &Path) -> String {
    let prefix = format!("{}/", folder.display());
    finding.to_string().replace(&prefix, "")
}

const PROVISION: &str = "  provision: {script: line.sh}\n";

#[test]
fn a_line_that_is_built_lacks_nothing_but_its_class() {
    assert_eq!(said(&[]), "");
}

#[test]
fn a_base_and_a_script_need_each_other() {
    assert_eq!(
        said(&[(PROVISION, "")]),
        "line.yaml:13:9: spec.base: nothing is made of a base without `spec.provision`: write both or none"
    );
    let base = "  base: {query: {owner: system, distribution: ubuntu, release: '24.04'}}\n";
    assert_eq!(
        said(&[(base, "")]),
        "line.yaml:13:14: spec.provision: there is nothing to provision without `spec.base`: write both or none"
    );
    assert_eq!(
        said(&[(base, "  forceNonce: a\n"), (PROVISION, "")]),
        "line.yaml:13:15: spec.forceNonce: nothing is built without `spec.base` and `spec.provision`: write them, or \
         leave this out\n\
         line.yaml:14:22: spec.instanceClassRefs: nothing is built without `spec.base` and `spec.provision`: write \
         them, or leave this out"
    );
}

#[test]
fn every_architecture_has_a_base_and_a_class() {
    let base = "{query: {owner: system, distribution: ubuntu, release: '24.04'}}";
    let both = ("architectures: [amd64]", "architectures: [amd64, arm64]");
    assert_eq!(
        said(&[both, (base, "{family: {amd64: ubuntu}}")]),
        "line.yaml:13:18: spec.base.family: no family is given for arm64: add the key\n\
         line.yaml:15:22: spec.instanceClassRefs: no InstanceClass is given for arm64: add the key"
    );
    assert_eq!(
        said(&[(base, "{query: {owner: system}, family: {amd64: ubuntu}}")]),
        "line.yaml:13:9: spec.base: expected a map with `family` or a map with `query`; a map with `query`, `family` was \
         written"
    );
}

#[test]
fn inputs_are_names_of_an_environment_and_harm_nobody() {
    let inputs = |inputs: &str| {
        let text = format!("{{script: line.sh, inputs: {inputs}}}");
        let said = said(&[("{script: line.sh}", &text)]);
        said.replace("line.yaml:14:", "")
            .replace("spec.provision.inputs", "…")
    };
    assert_eq!(
        inputs(r#"{A: "quotes \" and '", b_2: "two\nlines", _C: "$(touch /pwned)", path: ""}"#),
        ""
    );
    assert_eq!(
        inputs("{PATH: /tmp, LD_PRELOAD: x, BASH_ENV: x, IFS: x, HTTP_PROXY: x, no_proxy: x}"),
        "47: ….PATH: `PATH` is a name that shells or programs use themselves: take another\n\
         65: ….LD_PRELOAD: `LD_PRELOAD` is a name that shells or programs use themselves: take another\n\
         78: ….BASH_ENV: `BASH_ENV` is a name that shells or programs use themselves: take another\n\
         86: ….IFS: `IFS` is a name that shells or programs use themselves: take another\n\
         101: ….HTTP_PROXY: `HTTP_PROXY` is set from the region: write `network.proxy` in the AliyunRegion\n\
         114: ….no_proxy: `no_proxy` is set from the region: write `network.proxy` in the AliyunRegion"
    );
    assert_eq!(
        inputs("{1A: x, A-B: x}"),
        "41: …: `1A` cannot be a key; expected letters, digits and `_`, no digit first, 128 at most\n\
         48: …: `A-B` cannot be a key; expected letters, digits and `_`, no digit first, 128 at most"
    );
    assert_eq!(
        inputs(r#"{A: "a\0b"}"#),
        "44: ….A: a NUL stands in it, which no environment can hold"
    );
}

#[test]
fn times_and_accounts_have_their_bounds() {
    let provision = |timeout: &str| {
        let text = format!("{{script: line.sh, timeout: {timeout}}}");
        said(&[("{script: line.sh}", &text)])
    };
    assert_eq!(provision("1m") + &provision("12h"), "");
    for timeout in ["59s", "721m"] {
        let expected = format!(
            "line.yaml:14:41: spec.provision.timeout: `{timeout}` is no time for a script: 1m to 12h"
        );
        assert_eq!(provision(timeout), expected);
    }
    let share = |accounts: &str| {
        let text = format!("{PROVISION}  share: {{accounts: [{accounts}]}}\n");
        said(&[(PROVISION, &text)])
    };
    assert_eq!(share("\"1000000000000002\"") + &share(""), "");
    assert!(share("abc").contains("spec.share.accounts[0]: expected"));
    assert!(share("1000000000000002").contains("without quotes; write \"1000000000000002\""));
    assert!(share("'10001', '10001'").contains("stands twice"));
    let many: Vec<String> = (0..51).map(|it| format!("'{}'", 10_001 + it)).collect();
    assert!(share(&many.join(", ")).contains("has 51 items, the most allowed is 50"));
}

#[test]
fn a_script_is_named_by_a_path_inside_the_folder() {
    for path in [
        "/etc/passwd",
        "../x.sh",
        "a/../../x.sh",
        "./x.sh",
        "a//b",
        ".x",
        "a/",
        "''",
    ] {
        let said = said(&[("script: line.sh", &format!("script: {path}"))]);
        assert!(
            said.contains("spec.provision.script: expected a path in the state folder, without parts that begin with `.`, such as `scripts/provision.sh`; "),
            "{path}: {said}"
        );
    }
}
