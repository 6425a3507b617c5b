//! `MachineImage`: what is said of everything that can be written wrong about a build.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use reconcile::engine::load;
use reconcile::kinds::KINDS;
use reconcile::resource::{Finding, NamedFile, NamedFiles, Source};
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
    all(folder.path())
}

fn all(folder: &Path) -> String {
    let findings = load(folder, KINDS).expect_err("the class is not declared");
    let lines = findings.iter().map(|it| line_of(it, folder));
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

fn line_of(finding: &Finding, folder: &Path) -> String {
    let prefix = format!("{}/", folder.display());
    let line = finding.to_string().replace(&prefix, "");
    line.replace(&folder.display().to_string(), "STATE")
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
    let scope = "scope: demo";
    let own = format!("{scope}, accountId: '10001'");
    let text = format!("{PROVISION}  share: {{accounts: ['10002', '10001']}}\n");
    assert_eq!(
        said(&[(scope, &own), (PROVISION, &text)]),
        "line.yaml:15:31: spec.share.accounts[1]: is the region's own account, which may use its images anyway: leave it out"
    );
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

/// What is said of the line when its script holds this.
fn said_of(script: &[u8]) -> String {
    let folder = folder(&[]);
    fs::write(folder.path().join("line.sh"), script).expect("a file can be written");
    all(folder.path())
}

#[test]
fn a_script_is_text_that_says_what_runs_it() {
    let at = |message: &str| format!("line.yaml:14:23: spec.provision.script: `line.sh` {message}");
    assert_eq!(said_of(b"#!/bin/bash\r\necho\r\n"), "");
    assert_eq!(said_of("#! /usr/bin/env bash\n# ä".as_bytes()), "");
    let shebang = at("does not say what runs it: begin it with a line such as `#!/bin/bash`");
    for script in [b"".as_slice(), b"echo\n", b"\n#!/bin/sh\n", b"#!\n"] {
        assert_eq!(said_of(script), shebang);
    }
    let nul = at("holds a NUL in line 2: it is no script");
    assert_eq!(said_of(b"#!/bin/sh\na\0b"), nul);
    let utf = at("is no text in UTF-8: see line 3");
    assert_eq!(said_of(b"#!/bin/sh\n\n\xff"), utf);
    let mark = at("begins with a byte order mark: save it without");
    assert_eq!(said_of(b"\xef\xbb\xbf#!/bin/sh\n"), mark);
    let large = at("has 102400 bytes, the most allowed is 16384");
    assert_eq!(said_of(&vec![b'#'; 102_400]), large);
}

#[test]
fn a_script_that_cannot_be_sent_is_refused_with_the_sizes() {
    // What cannot be compressed: the digits of a generator (Numerical Recipes, "Quick and Dirty").
    let digits = (0..4_000).scan(1_u32, |it, _| {
        *it = it.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(format!("{:04x}", *it >> 16))
    });
    let script = format!("#!/bin/sh\n# {}\n", digits.collect::<String>());
    assert_eq!(said_of(script.as_bytes()), "");
    let folder = folder(&[(
        "{script: line.sh}",
        &format!(
            "{{script: line.sh, inputs: {{A: '{}'}}}}",
            script.trim().replace('\n', "").replace("#!/bin/sh", "x")
        ),
    )]);
    fs::write(folder.path().join("line.sh"), &script).expect("a file can be written");
    let said = all(folder.path());
    assert!(
        said.contains("is too large to be sent: 16013 bytes of script and 16004 of inputs become ")
            && said.contains(" characters with what goes around them, the most allowed is 24576"),
        "{said}"
    );
}

#[test]
fn a_script_is_a_regular_file_that_no_link_takes_out_of_the_folder() {
    let outside = tempfile::tempdir().expect("a temporary folder can be made");
    let secret = outside.path().join("secret.sh");
    fs::write(&secret, "#!/bin/sh\n").expect("a file can be written");
    let folder = folder(&[]);
    let script = folder.path().join("line.sh");
    let replace = |make: &dyn Fn(&Path)| {
        fs::remove_file(&script)
            .or_else(|_| fs::remove_dir(&script))
            .expect("something was there");
        make(&script);
        all(folder.path())
    };
    let at = |message: &str| format!("line.yaml:14:23: spec.provision.script: {message}");
    let out =
        at("`line.sh` leads out of the state folder through a link: put the file itself there");
    assert_eq!(
        replace(&|it| symlink(&secret, it).expect("a link can be made")),
        out
    );
    fs::create_dir(folder.path().join("..data")).expect("a folder can be made");
    fs::write(folder.path().join("..data/x"), "#!/bin/sh\n").expect("a file can be written");
    assert_eq!(
        replace(&|it| symlink("..data/x", it).expect("a link can be made")),
        ""
    );
    let folder_instead = replace(&|it| fs::create_dir(it).expect("a folder can be made"));
    assert_eq!(folder_instead, at("`line.sh` is no regular file"));
    fs::remove_dir(&script).expect("it was made");
    let missing = at("there is no file `line.sh` in the state folder (STATE)");
    assert_eq!(all(folder.path()), missing);
}

#[test]
fn the_hash_of_the_state_files_counts_scripts() {
    let hash = |script: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(folder.path().join("line.sh"), script).expect("a file can be written");
        let mut files = NamedFiles::of(folder.path());
        let name = |name: &str| NamedFile {
            field: String::new(),
            name: name.to_owned(),
            bytes_max: 100,
        };
        let read = files.read(&[name("line.sh")], &Source::start_of("state/line.yaml"));
        assert_eq!(read["line.sh"], script.as_bytes());
        files.finish("hash").0
    };
    assert_eq!(hash("a"), hash("a"));
    assert_ne!(hash("a"), hash("b"));
    assert_eq!(NamedFiles::of(Path::new("/")).finish("hash").0, "hash");
}

#[test]
fn a_class_is_of_its_architecture_and_region_and_lives_long_enough() {
    let class = |region: &str, architecture: &str, ttl: &str| {
        let folder = folder(&[]);
        let class = format!(
            "apiVersion: reconcile/v1alpha1\nkind: InstanceClass\nmetadata: {{name: builder}}\n\
             spec: {{regionRef: {region}, architecture: {architecture}, ttl: {ttl}}}\n---\n\
             apiVersion: reconcile/v1alpha1\nkind: AliyunRegion\nmetadata: {{name: away}}\n\
             spec: {{regionId: cn-beijing, scope: demo, network: {{vpcId: vpc-1, securityGroupId: sg-1, \
             vSwitches: {{cn-beijing-a: vsw-1}}}}}}\n"
        );
        fs::write(folder.path().join("more.yaml"), class).expect("a file can be written");
        let network = "scope: demo, network: {vpcId: vpc-1, securityGroupId: sg-1, vSwitches: {cn-hangzhou-k: vsw-1}}}";
        let line = LINE.replacen("scope: demo}", network, 1);
        fs::write(folder.path().join("line.yaml"), line).expect("a file can be written");
        match load(folder.path(), KINDS) {
            Ok(_) => String::new(),
            Err(findings) => {
                let lines = findings.iter().map(|it| line_of(it, folder.path()));
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    };
    assert_eq!(class("home", "amd64", "45m"), "");
    assert_eq!(
        class("away", "arm64", "44m"),
        "line.yaml:15:30: spec.instanceClassRefs.amd64: InstanceClass/builder is of arm64: name one of amd64\n\
         line.yaml:15:30: spec.instanceClassRefs.amd64: InstanceClass/builder releases its machines after 44m, and 30m of \
         provisioning need 45m: write a longer `ttl` there, or a shorter `spec.provision.timeout`\n\
         line.yaml:15:30: spec.instanceClassRefs.amd64: InstanceClass/builder rents in AliyunRegion/away: name one that \
         rents in AliyunRegion/home"
    );
}
