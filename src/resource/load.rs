//! From files to manifests: every document is checked before any is used, and everything wrong is told at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::check::check;
use super::folder::StateFile;
use super::rule::Rule;
use super::schema::{document_schema, envelope};
use super::tree::{Flaw, Node};
use super::{Files, Finding, KindSchema, Manifest, Metadata, Policy, Problem, Resource, Source};
use crate::ids::{ResourceId, hex};

/// What a folder of state files declares.
#[derive(Clone, Debug)]
pub struct Declared {
    /// In the order of files and lines.
    pub manifests: Vec<Manifest>,
    /// The hash of all state files, names and bytes: the same files have the same one, wherever the folder lies.
    pub hash: String,
}

/// Reads all state files below a folder, or says all that is wrong.
pub fn read(folder: &Path, kinds: &[KindSchema]) -> Result<Declared, Vec<Finding>> {
    let mut loader = Loader::new(kinds);
    let files = super::folder::files(folder);
    let hash = hash(folder, &files);
    for file in files {
        match file.text {
            Ok(text) => loader.add(&file.name, &text),
            Err(flaw) => loader.refuse(&file.name, flaw),
        }
    }
    let manifests = loader.finish()?;
    Ok(Declared { manifests, hash })
}

fn hash(folder: &Path, files: &[StateFile]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        let name = Path::new(&file.name);
        let name = name.strip_prefix(folder).unwrap_or(name);
        let text = file.text.as_deref().unwrap_or_default();
        for part in [name.to_string_lossy().as_bytes(), text.as_bytes()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    hex(&hash.finalize())
}

/// Reads one file that is at hand as text, as [`read`] would.
pub fn read_text(
    file: &str,
    text: &str,
    kinds: &[KindSchema],
) -> Result<Vec<Manifest>, Vec<Finding>> {
    let mut loader = Loader::new(kinds);
    loader.add(file, text);
    loader.finish()
}

/// Says whether the loader can hold all that a schema promises; the error names what it does not know.
pub fn is_supported(kind: &KindSchema) -> Result<(), String> {
    Rule::compile(&document_schema(kind)).map(|_| ())
}

struct Loader {
    rules: BTreeMap<&'static str, Rule>,
    /// What holds for a document whose kind is unknown.
    envelope: Rule,
    /// Where each resource is declared first.
    declared: BTreeMap<ResourceId, String>,
    manifests: Vec<Manifest>,
    findings: Vec<Finding>,
}

impl Loader {
    fn new(kinds: &[KindSchema]) -> Self {
        let compile = |schema: &Value| {
            Rule::compile(schema).expect("a test holds every schema to the known keywords")
        };
        let names: Vec<&str> = kinds.iter().map(|it| it.name).collect();
        let rules = kinds
            .iter()
            .map(|it| (it.name, compile(&document_schema(it))));
        Self {
            rules: rules.collect(),
            envelope: compile(&envelope(
                &json!({"enum": names}),
                &json!({"type": "object"}),
            )),
            declared: BTreeMap::new(),
            manifests: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn refuse(&mut self, file: &str, flaw: Flaw) {
        self.findings.push(Finding::new(file, flaw));
    }

    fn add(&mut self, file: &str, text: &str) {
        let (documents, flaws) = super::yaml::documents(text);
        let file: Arc<str> = file.into();
        for flaw in flaws {
            self.refuse(&file, flaw);
        }
        for document in documents {
            self.add_document(&file, document);
        }
    }

    fn add_document(&mut self, file: &Arc<str>, document: Node) {
        let kind = document.get("kind").and_then(Node::text);
        let rule = kind
            .and_then(|it| self.rules.get(it))
            .unwrap_or(&self.envelope);
        let flaws = check(rule, &document);
        let is_valid = flaws.is_empty();
        for flaw in flaws {
            self.refuse(file, flaw);
        }
        self.declare(file, &document);
        if !is_valid {
            return;
        }
        let json = document.to_json();
        let source = Source::of(file, document);
        match manifest(&json, source) {
            Ok(manifest) => self.manifests.push(manifest),
            Err(finding) => self.findings.push(finding),
        }
    }

    /// Tells a resource that is declared a second time, whatever else is wrong with it.
    fn declare(&mut self, file: &str, document: &Node) {
        let kind = document.get("kind").and_then(Node::text);
        let name = document.get("metadata").and_then(|it| it.get("name"));
        let (Some(kind), Some(name)) = (kind, name.and_then(Node::text)) else {
            return;
        };
        let id = ResourceId::new(kind, name);
        let place = document.find("metadata.name");
        if let Some(first) = self.declared.get(&id) {
            let message = format!("{id} is declared twice, first at {first}");
            self.refuse(file, Flaw::new(place, message));
        } else {
            let place = format!("{file}:{}:{}", place.line, place.column);
            self.declared.insert(id, place);
        }
    }

    fn finish(mut self) -> Result<Vec<Manifest>, Vec<Finding>> {
        if self.findings.is_empty() {
            return Ok(self.manifests);
        }
        self.findings.sort();
        Err(self.findings)
    }
}

fn manifest(json: &Value, source: Source) -> Result<Manifest, Finding> {
    let metadata: Metadata = typed(&json["metadata"], "metadata", &source)?;
    let policy = match json.get("policy") {
        Some(policy) => typed(policy, "policy", &source)?,
        None => Policy::default(),
    };
    let kind = json["kind"].as_str().unwrap_or_default();
    Ok(Manifest {
        id: ResourceId::new(kind, &metadata.name),
        labels: metadata.labels,
        policy,
        spec: json["spec"].clone(),
        source,
    })
}

/// Gives a value its type. The schema has accepted it; what its type still refuses is told at its key.
fn typed<T: DeserializeOwned>(value: &Value, key: &str, source: &Source) -> Result<T, Finding> {
    T::deserialize(value).map_err(|error| {
        let message = error.to_string();
        source.finding(&Problem::new(key, &message))
    })
}

impl Manifest {
    /// The same with a spec of this type, and no files yet.
    pub fn typed<Spec: DeserializeOwned>(&self) -> Result<Resource<Spec>, Finding> {
        Ok(Resource {
            id: self.id.clone(),
            labels: self.labels.clone(),
            policy: self.policy.clone(),
            spec: typed(&self.spec, "spec", &self.source)?,
            files: Files::new(),
            source: self.source.clone(),
        })
    }
}
