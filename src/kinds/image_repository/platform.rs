//! What an image runs on, written in one way: as containerd normalises it (containerd, `platforms/database.go`).

use std::fmt;

use serde::Serialize;

use crate::providers::registry::content;

/// What an image runs on. Two that are written differently and mean the same are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Platform {
    os: String,
    architecture: String,
    /// None: the usual one of its architecture.
    variant: Option<String>,
}

impl Platform {
    /// Reads `os/architecture` or `os/architecture/variant`; none: it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (os, architecture) = (parts.next()?, parts.next()?);
        let variant = parts.next().unwrap_or_default();
        let is_whole = parts.next().is_none();
        is_whole.then(|| normal(os, architecture, variant))?
    }

    /// What a descriptor or a configuration says. None: its system or architecture is empty; a builder's own system, which
    /// containerd would read into that, is nothing that the image says.
    pub fn of(said: &content::Platform) -> Option<Self> {
        let variant = said.variant.as_deref().unwrap_or_default();
        normal(&said.os, &said.architecture, variant)
    }

    /// As buildx writes it of an image that has no descriptor yet: without the version and features of the system.
    pub fn written(&self) -> content::Platform {
        content::Platform {
            architecture: self.architecture.clone(),
            os: self.os.clone(),
            os_version: None,
            os_features: Vec::new(),
            variant: self.variant.clone(),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = self.variant.as_ref().map(|it| format!("/{it}"));
        let variant = variant.unwrap_or_default();
        f.pad(&format!("{}/{}{variant}", self.os, self.architecture))
    }
}

fn normal(os: &str, architecture: &str, variant: &str) -> Option<Platform> {
    let os = match os.to_lowercase().as_str() {
        "" => return None,
        "macos" => "darwin".to_owned(),
        other => other.to_owned(),
    };
    let (architecture, variant) = (architecture.to_lowercase(), variant.to_lowercase());
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("", _) => return None,
        ("i386", _) => ("386", String::new()),
        ("amd64" | "x86_64" | "x86-64", "v1") => ("amd64", String::new()),
        ("amd64" | "x86_64" | "x86-64", _) => ("amd64", variant),
        ("arm64" | "aarch64", "8" | "v8" | "v8.0") => ("arm64", String::new()),
        ("arm64" | "aarch64", "9" | "9.0" | "v9.0") => ("arm64", "v9".to_owned()),
        ("arm64" | "aarch64", _) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7".to_owned()),
        ("armel", _) => ("arm", "v6".to_owned()),
        ("arm", "5" | "6" | "8") => ("arm", format!("v{variant}")),
        (other, _) => (other, variant),
    };
    Some(Platform {
        os,
        architecture: architecture.to_owned(),
        variant: Some(variant).filter(|it| !it.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::Platform;

    fn normal(text: &str) -> Option<String> {
        Platform::parse(text).map(|it| it.to_string())
    }

    #[test]
    fn what_means_the_same_is_written_the_same() {
        let table = [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/x86-64/v1", "linux/amd64"),
            ("linux/amd64/v2", "linux/amd64/v2"),
            ("linux/arm64", "linux/arm64"),
            ("linux/aarch64/8", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm64/v8.0", "linux/arm64"),
            ("linux/arm64/9", "linux/arm64/v9"),
            ("linux/arm64/v9.0", "linux/arm64/v9"),
            ("linux/arm64/v9", "linux/arm64/v9"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/6", "linux/arm/v6"),
            ("linux/arm/v5", "linux/arm/v5"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/i386/v1", "linux/386"),
            ("macOS/ARM64", "darwin/arm64"),
            ("linux/riscv64", "linux/riscv64"),
        ];
        for (written, expected) in table {
            assert_eq!(normal(written).as_deref(), Some(expected), "{written}");
        }
    }

    #[test]
    fn a_platform_without_a_system_is_none_rather_than_that_of_whoever_reads_it() {
        for text in ["/amd64", "linux/", "linux", "", "linux/arm64/v8/x"] {
            assert_eq!(normal(text), None, "{text}");
        }
    }
}
