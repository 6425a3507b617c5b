//! What names a repository and a tag. Pure.
//!
//! Source: OCI distribution specification, "Pulling manifests".

/// The longest name of a repository together with its host.
const NAME_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// Whether a text names a repository, as in `example/app`.
pub fn is_repository(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX && text.split('/').all(is_component)
}

/// Whether a text is a tag, as in `v1.2.3`.
pub fn is_tag(text: &str) -> bool {
    let is_inner = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    let is_first = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    text.len() <= TAG_BYTES_MAX
        && text.bytes().next().is_some_and(is_first)
        && text.bytes().all(is_inner)
}

/// Letters and digits in lower case, between them `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_letter = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_joint = |it: &str| matches!(it, "" | "." | "_" | "__") || it.chars().all(|it| it == '-');
    text.starts_with(is_letter) && text.ends_with(is_letter) && text.split(is_letter).all(is_joint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_repository() {
        for name in ["a", "example/app", "a.b/c_d/e__f/g---h", "0/1"] {
            assert!(is_repository(name), "{name}");
        }
        let long = "a".repeat(256);
        for name in [
            "", "/", "a/", "/a", "A/b", "a..b", "a___b", "a._b", "-a", "a-", "a b", "a/../b",
            "a?b", "ä", &long,
        ] {
            assert!(!is_repository(name), "{name}");
        }
    }

    #[test]
    fn knows_a_tag() {
        let longest = "a".repeat(128);
        for tag in ["v1", "1.2.3-rc.1", "_x", "A", &longest] {
            assert!(is_tag(tag), "{tag}");
        }
        let long = "a".repeat(129);
        for tag in [
            "", ".a", "-a", "a/b", "a:b", "a b", "sha256:0", "ä", "a?", &long,
        ] {
            assert!(!is_tag(tag), "{tag}");
        }
    }
}
