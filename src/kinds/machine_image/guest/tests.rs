//! The command, carried out for real by the shells that are at hand, below a folder that stands for a machine.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::*;
use crate::resource::Span;

/// What the machine is called to switch off with. These only write down that they were called.
const SWITCHES: [(&str, &str); 3] = [
    ("systemctl", "exit 1"),
    ("systemd-run", "exit 0"),
    ("shutdown", "exit 0"),
];

/// Every trace that an image must not have, one by one.
const TRACES: [&str; 25] = [
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_rsa_key.pub",
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/cloud/instances/i-1/user-data.txt",
    "var/lib/cloud/data/instance-id",
    "var/log/cloud-init-output.log",
    "var/log/nginx/access.log",
    "var/log/journal/0123/system.journal",
    "var/lib/apt/lists/archive_dists_InRelease",
    "var/cache/apt/archives/x.deb",
    "var/cache/yum/x",
    "var/cache/dnf/x.solv",
    "var/lib/dhcp/dhclient.eth0.leases",
    "root/.bash_history",
    "home/ubuntu/.bash_history",
    "tmp/x",
    "tmp/.hidden",
    "var/tmp/with a space/and\na line",
    "usr/local/share/aliyun-assist/work/script/t-1.sh",
    "usr/local/share/aliyun-assist/2.2.4/log/main.log",
    "etc/systemd/system/reconcile-release.service",
    "var/spool/cron/reconcile.tab",
    "opt/reconcile-done",
];

/// What an image must keep.
const KEPT: [&str; 6] = [
    "etc/ssh/sshd_config",
    "etc/hostname",
    "root/.bashrc",
    "home/ubuntu/work",
    "usr/local/share/aliyun-assist/2.2.4/aliyun-service",
    "opt/runner/bin",
];

/// A machine that was used.
fn machine() -> TempDir {
    let root = tempfile::tempdir().expect("a temporary folder can be made");
    for path in TRACES.iter().chain(&KEPT) {
        write(root.path(), path, "x\n");
    }
    for (name, end) in SWITCHES {
        let path = format!("switches/{name}");
        let log = root.path().join("switched").display().to_string();
        let text = format!("#!/bin/sh\necho {name} \"$@\" >>'{log}'\n{end}\n");
        write(root.path(), &path, &text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(root.path().join(path), mode).expect("the file is there");
    }
    root
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    let folder = path.parent().expect("it lies in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    fs::write(path, content).expect("a file can be written");
}

fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap_or_else(|it| format!("{path}: {it}"))
}

/// Lets a shell carry out a text that is told where the machine is.
fn shell(shell: &str, root: &Path, text: &str) -> Output {
    let here = format!("\nroot='{}'\n", root.display());
    let text = text.replacen("\nroot=\n", &here, 1);
    assert!(
        text.contains(&here),
        "this would clean the tester's machine"
    );
    write(root, "command", &text);
    Command::new(shell)
        .arg(root.join("command"))
        .env_clear()
        .env("PATH", format!("{}/switches:/usr/bin:/bin", root.display()))
        .output()
        .expect("the shell is there")
}

fn said(output: &Output) -> (Option<i32>, String) {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn provision(inputs: &[(&str, &str)]) -> Provision {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Provision {
        script: "x.sh".to_owned(),
        inputs: inputs.iter().map(owned).collect(),
        timeout: Span(Duration::from_secs(60)),
    }
}

fn told(script: &str, inputs: &[(&str, &str)]) -> String {
    command(&provision(inputs), script, None, Duration::from_secs(7200))
}

#[test]
fn a_machine_is_armed_first_then_provisioned_then_cleaned() {
    for name in ["sh", "bash"] {
        let root = machine();
        let here = root.path().display();
        let script =
            format!("#!/bin/sh\r\ncp '{here}/switched' '{here}/armed'\r\necho done by $0\r\n");
        let command = told(&script, &[]);
        let (code, text) = said(&shell(name, root.path(), &command));
        assert_eq!(code, Some(0), "{name}: {text}");
        assert!(
            text.ends_with("reconcile: cleaning\nreconcile: provisioned, cleaned and checked\n")
        );
        assert_eq!(
            read(root.path(), "armed"),
            "systemctl is-active --quiet reconcile-release.timer\nsystemd-run --quiet --collect \
             --unit=reconcile-release --on-active=120min systemctl poweroff\n"
        );
        for path in KEPT {
            assert_eq!(read(root.path(), path), "x\n", "{path}");
        }
        for path in TRACES {
            let is_left = fs::metadata(root.path().join(path)).is_ok_and(|it| it.len() > 0);
            assert!(!is_left, "{name}: {path}");
        }
        assert_eq!(read(root.path(), "etc/machine-id"), "");
        // The same again: the script is not run a second time, and nothing is left of this either.
        write(root.path(), "var/log/late", "x");
        let (code, text) = said(&shell(name, root.path(), &command));
        let again = "reconcile: cleaning\nreconcile: provisioned, cleaned and checked\n";
        assert_eq!((code, text.as_str()), (Some(0), again), "{name}");
        assert!(!root.path().join("var/log/late").exists());
    }
}

#[test]
fn no_value_of_an_input_becomes_code() {
    let values = [
        ("QUOTES", "it's \"so\" `id`"),
        ("LINES", "\na\n\nb\n\n"),
        ("CODE", "$(touch /pwned); ${IFS}\\ & | > x"),
        ("EMPTY", ""),
        ("OTHER", "ä 中 \u{1}%s%n"),
    ];
    for name in ["sh", "bash"] {
        let root = machine();
        let here = root.path().display();
        let script = format!(
            "#!/bin/sh\nfor it in QUOTES LINES CODE EMPTY OTHER; do printenv $it; done >'{here}/values'\n"
        );
        let (code, text) = said(&shell(name, root.path(), &told(&script, &values)));
        assert_eq!(code, Some(0), "{name}: {text}");
        let expected: String = values.iter().flat_map(|(_, it)| [*it, "\n"]).collect();
        assert_eq!(read(root.path(), "values"), expected, "{name}");
        assert!(!Path::new("/pwned").exists());
    }
}

#[test]
fn a_script_that_fails_is_told_by_its_own_code_and_nothing_is_cleaned() {
    let root = machine();
    let (code, text) = said(&shell(
        "sh",
        root.path(),
        &told("#!/bin/sh\necho why; exit 3\n", &[]),
    ));
    let expected = "reconcile: provisioning\nwhy\nreconcile: the script ended with 3\n";
    assert_eq!((code, text.as_str()), (Some(3), expected));
    assert_eq!(read(root.path(), "var/log/nginx/access.log"), "x\n");
    // Codes that mean something here cannot be meant by a script.
    let (code, text) = said(&shell(
        "sh",
        root.path(),
        &told("#!/bin/sh\nexit 122\n", &[]),
    ));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the script ended with 122"), "{text}");
}

#[test]
fn each_trace_alone_is_found_and_removed() {
    for trace in TRACES {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        for path in KEPT {
            write(root.path(), path, "x\n");
        }
        let text = |last: &str| format!("#\nroot=\n{GUEST}\n{last}\n");
        let (code, text_) = said(&shell("sh", root.path(), &text("check")));
        assert_eq!((code, text_.as_str()), (Some(0), ""), "{trace}");
        write(root.path(), trace, "x\n");
        let (code, found) = said(&shell("sh", root.path(), &text("check")));
        assert_eq!(
            code,
            Some(i32::try_from(NOT_CLEAN).unwrap_or(0)),
            "{trace}: {found}"
        );
        assert!(found.starts_with("reconcile: left behind: "), "{found}");
        let (code, found) = said(&shell("sh", root.path(), &text("finish")));
        assert_eq!((code, found.as_str()), (Some(0), ""), "{trace}");
    }
}

#[test]
fn a_link_to_the_machine_id_stays() {
    let root = machine();
    let link = root.path().join("var/lib/dbus/machine-id");
    fs::remove_file(&link).expect("it was written");
    symlink("/etc/machine-id", &link).expect("a link can be made");
    let (code, text) = said(&shell("sh", root.path(), &told("#!/bin/sh\n", &[])));
    assert_eq!(code, Some(0), "{text}");
    assert!(link.is_symlink());
}

#[test]
fn what_cannot_begin_says_so() {
    let root = machine();
    let command = told("#!/bin/sh\n", &[]).replace("gzip -dc", "gzip-is-not-there -dc");
    let (code, text) = said(&shell("sh", root.path(), &command));
    assert_eq!(code, Some(i32::try_from(NOT_BEGUN).unwrap_or(0)), "{text}");
    let armed = read(root.path(), "switched");
    assert!(armed.contains("systemd-run"), "{armed}");
}

#[test]
fn the_proxy_of_the_region_reaches_the_script() {
    let proxy = Proxy {
        http: Some("http://10.0.0.1:3128".to_owned()),
        https: None,
        exceptions: vec!["example.org".to_owned()],
    };
    let environment = environment(&provision(&[("A", "1")]), Some(&proxy));
    let lines: Vec<String> = environment
        .iter()
        .map(|(name, it)| format!("{name}={it}"))
        .collect();
    assert_eq!(
        lines,
        [
            "A=1",
            "HTTP_PROXY=http://10.0.0.1:3128",
            "NO_PROXY=example.org,100.100.100.200",
            "http_proxy=http://10.0.0.1:3128",
            "no_proxy=example.org,100.100.100.200",
        ]
    );
}

#[test]
fn user_data_only_arms() {
    let root = machine();
    let text = user_data(Duration::from_secs(7200)).replacen('\n', "\nroot=\n", 1);
    let (code, text) = said(&shell("sh", root.path(), &text));
    assert_eq!((code, text.as_str()), (Some(0), ""));
    assert!(read(root.path(), "switched").contains("--on-active=120min systemctl poweroff"));
}

#[test]
fn a_script_of_usual_size_fits() {
    let lines = (0..400).map(|it| format!("apt-get install -y package-{it}\n"));
    let script: String = std::iter::once("#!/bin/sh\n".to_owned())
        .chain(lines)
        .collect();
    let length = sent_length(&told(&script, &[]));
    assert!(
        script.len() > 11_000 && length < COMMAND_LENGTH_MAX / 2,
        "{length}"
    );
}
