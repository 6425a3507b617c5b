//! Debian's docker-registry on loopback, filled request by request, and what it was asked.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const PATIENCE: Duration = Duration::from_secs(30);
/// How many bytes of a large blob are made at once.
const PART: usize = 1 << 20;
pub(crate) const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// A registry that stays until this is dropped.
pub(crate) struct Registry {
    child: Child,
    /// The address, with the port.
    pub(crate) host: String,
    folder: TempDir,
}

/// Whether a program can be started.
pub(crate) fn is_there(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|it| it.join(program).exists())
}

impl Registry {
    /// An empty one that keeps what it is given in memory where there is a place for that: it waits for the disk at every
    /// request, and nobody else is to be measured by that.
    pub(crate) fn in_memory() -> Self {
        let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self::start(memory.expect("there is room for a folder"))
    }

    /// An empty one, for more than the memory may hold.
    pub(crate) fn on_disk() -> Self {
        Self::start(tempfile::tempdir().expect("there is room for a folder"))
    }

    fn start(folder: TempDir) -> Self {
        let at = |name: &str| folder.path().join(name);
        let configuration = json!({
            "version": "0.1",
            "log": {"level": "info", "formatter": "json"},
            "storage": {"filesystem": {"rootdirectory": at("data")}, "delete": {"enabled": true}},
            "http": {"addr": "127.0.0.1:0", "secret": "of no use to anybody"},
        });
        fs::write(at("config.yml"), configuration.to_string()).expect("there is room for a file");
        let file = |name: &str| File::create(at(name)).expect("there is room for a file");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(at("config.yml"));
        // Its access log goes to stdout, everything else to stderr.
        let child = command
            .stdin(Stdio::null())
            .stdout(file("requests"))
            .stderr(file("log"))
            .spawn();
        let mut registry = Self {
            child: child.expect("docker-registry can be started"),
            host: String::new(),
            folder,
        };
        registry.host = registry.listens_at();
        registry
    }

    /// It chooses a free port by itself, and says which.
    fn listens_at(&self) -> String {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let log = self.read("log");
            if let Some((_, rest)) = log.split_once("listening on ") {
                return rest.chars().take_while(|it| *it != '"').collect();
            }
            thread::yield_now();
        }
        panic!("docker-registry does not listen: {}", self.read("log"));
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("a file of ours can be read")
    }

    /// How many requests it has answered, and how many of them wrote.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let log = self.read("requests");
        let requests = log.lines().filter_map(|it| it.split('"').nth(1));
        let writes = requests.clone().filter(|it| {
            ["POST ", "PUT ", "PATCH ", "DELETE "]
                .iter()
                .any(|method| it.starts_with(method))
        });
        (requests.count(), writes.count())
    }

    /// A connection to fill it by.
    pub(crate) fn connect(&self) -> Filler {
        let stream = TcpStream::connect(&self.host).expect("the registry listens");
        Filler {
            host: self.host.clone(),
            stream: BufReader::new(stream),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts images into a registry.
pub(crate) struct Filler {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Filler {
    /// Two sources for each tag. Each image has a layer and a configuration of its own, or all share theirs.
    pub(crate) fn sources(&mut self, repository: &str, tags: &[String], is_shared: bool) {
        for architecture in ARCHITECTURES {
            let shared = is_shared.then(|| self.image(repository, "shared", architecture));
            for tag in tags {
                let own = || self.image(repository, tag, architecture);
                let mut manifest = shared.clone().unwrap_or_else(own);
                manifest["annotations"] = json!({"tag": tag});
                self.put_manifest(repository, &format!("{tag}-{architecture}"), &manifest);
            }
        }
    }

    /// A small image without its manifest, which is returned.
    fn image(&mut self, repository: &str, name: &str, architecture: &str) -> Value {
        // Nothing here unpacks a layer.
        let text = format!("{name} {architecture} ").repeat(1000);
        let layer = self.put_blob(repository, &mut Text::of(text.into_bytes()));
        self.with_layer(repository, architecture, layer)
    }

    fn with_layer(&mut self, repository: &str, architecture: &str, mut layer: Value) -> Value {
        let configuration = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": {"org.opencontainers.image.revision": "r1"}},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let bytes = configuration.to_string().into_bytes();
        let mut configuration = self.put_blob(repository, &mut Text::of(bytes));
        configuration["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
        layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": configuration, "layers": [layer]})
    }

    /// Two sources for a tag, of which one has a layer of so many bytes.
    pub(crate) fn large(&mut self, repository: &str, tag: &str, bytes: u64) {
        let layer = self.put_blob(repository, &mut Noise::of(bytes));
        let amd64 = self.with_layer(repository, "amd64", layer);
        self.put_manifest(repository, &format!("{tag}-amd64"), &amd64);
        let arm64 = self.image(repository, tag, "arm64");
        self.put_manifest(repository, &format!("{tag}-arm64"), &arm64);
    }

    /// The descriptor of a blob, but for its media type.
    fn put_blob(&mut self, repository: &str, content: &mut dyn Content) -> Value {
        let begin = format!("/v2/{repository}/blobs/uploads/");
        let location = self.send("POST", &begin, "text/plain", &mut Text::of(Vec::new()));
        let (digest, size) = content.name();
        let separator = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{separator}digest={digest}");
        self.send("PUT", &url, "application/octet-stream", content);
        json!({"digest": digest, "size": size})
    }

    fn put_manifest(&mut self, repository: &str, reference: &str, manifest: &Value) {
        let url = format!("/v2/{repository}/manifests/{reference}");
        let bytes = manifest.to_string().into_bytes();
        self.send("PUT", &url, OCI_MANIFEST, &mut Text::of(bytes));
    }

    /// The `Location` of the answer, without the host.
    fn send(&mut self, method: &str, url: &str, sort: &str, content: &mut dyn Content) -> String {
        let (_, size) = content.name();
        let host = &self.host;
        let head = format!(
            "{method} {url} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {sort}\r\ncontent-length: {size}\r\n\r\n"
        );
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes()).expect("it listens");
        while let Some(part) = content.part() {
            stream.write_all(&part).expect("it listens");
        }
        let (mut location, mut length) = (String::new(), 0);
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("it answers");
        assert!(line.contains(" 201 ") || line.contains(" 202 "), "{line}");
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("it answers");
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "location" => location = value.replace(&format!("http://{host}"), ""),
                "content-length" => length = value.parse().expect("a length is a number"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("it answers");
        location
    }
}

/// Bytes to send.
trait Content {
    /// Their digest, and how many they are.
    fn name(&self) -> (String, u64);
    /// The next of them; none: there are no more.
    fn part(&mut self) -> Option<Vec<u8>>;
}

/// Bytes that are held.
struct Text {
    name: (String, u64),
    bytes: Option<Vec<u8>>,
}

impl Text {
    fn of(bytes: Vec<u8>) -> Self {
        let digest = hexadecimal(Sha256::new_with_prefix(&bytes));
        Self {
            name: (digest, bytes.len() as u64),
            bytes: Some(bytes),
        }
    }
}

impl Content for Text {
    fn name(&self) -> (String, u64) {
        self.name.clone()
    }

    fn part(&mut self) -> Option<Vec<u8>> {
        self.bytes.take()
    }
}

/// Bytes that are made when they are needed, the same each time: too many to be held.
struct Noise {
    digest: String,
    bytes: u64,
    sent: u64,
}

impl Noise {
    fn of(bytes: u64) -> Self {
        let mut noise = Self {
            digest: String::new(),
            bytes,
            sent: 0,
        };
        let mut hash = Sha256::new();
        while let Some(part) = noise.part() {
            hash.update(&part);
        }
        noise.digest = hexadecimal(hash);
        noise.sent = 0;
        noise
    }
}

impl Content for Noise {
    fn name(&self) -> (String, u64) {
        (self.digest.clone(), self.bytes)
    }

    fn part(&mut self) -> Option<Vec<u8>> {
        let left = usize::try_from(self.bytes - self.sent).expect("it fits a machine's memory");
        let length = left.min(PART);
        // Each part is of one number, so that none is like another.
        let part = self.sent.to_le_bytes().repeat(length / 8);
        self.sent += part.len() as u64;
        (!part.is_empty()).then_some(part)
    }
}

fn hexadecimal(hash: Sha256) -> String {
    format!("sha256:{}", reconcile::ids::hex(&hash.finalize()))
}
