//! Which tags are required, and what each is merged from: pure.

use super::platform::Platform;
use super::spec::{Spec, Tag};

/// What one platform of a required tag comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceName {
    /// The platform.
    pub platform: Platform,
    /// The tag.
    pub tag: String,
}

impl Spec {
    /// What a required tag is merged from, in the order of `spec.platforms`.
    pub fn sources_of(&self, tag: &str) -> Vec<SourceName> {
        let source = |platform: &String| {
            let platform = Platform::parse(platform)?;
            let suffix = self.suffix(&platform)?;
            let tag = format!("{tag}{suffix}");
            Some(SourceName { platform, tag })
        };
        self.platforms.iter().filter_map(source).collect()
    }

    /// What the tags of a platform's sources end with.
    pub fn suffix(&self, platform: &Platform) -> Option<&str> {
        let is_meant = |it: &String| Platform::parse(it).as_ref() == Some(platform);
        let found = self.sources.suffix.iter().find(|(key, _)| is_meant(key));
        found.map(|(_, suffix)| suffix.as_str())
    }

    /// The required tag that a tag would be a source of; none: it is not named like a source.
    pub fn stem<'a>(&self, tag: &'a str) -> Option<&'a str> {
        let platforms = self.platforms.iter().filter_map(|it| Platform::parse(it));
        let mut stems = platforms.filter_map(|it| tag.strip_suffix(self.suffix(&it)?));
        stems.find(|it| !it.is_empty())
    }

    /// Whether a tag is named like a source. Such a tag is never required by a pattern.
    pub fn is_source(&self, tag: &str) -> bool {
        self.stem(tag).is_some()
    }

    /// The tags that are required by name, in the order in which they are written.
    pub fn named_tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().filter_map(|it| match it {
            Tag::Name(name) => Some(name.as_str()),
            Tag::Pattern(_) => None,
        })
    }

    /// The patterns of tags that are required.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().filter_map(|it| match it {
            Tag::Name(_) => None,
            Tag::Pattern(pattern) => Some(pattern.pattern.as_str()),
        })
    }

    /// Whether a tag fits a pattern of required tags, is not required by its name already, and is no source.
    pub fn fits_pattern(&self, tag: &str) -> bool {
        !self.named_tags().any(|it| it == tag)
            && !self.is_source(tag)
            && self.patterns().any(|it| fits(it, tag))
    }

    /// The tags that are required by pattern, given all tags that there are: those all of whose sources are there.
    pub fn tags_by_pattern(&self, listed: &[String]) -> Vec<String> {
        let is_listed = |tag: &String| listed.binary_search(tag).is_ok();
        let Some(first) = self.platforms.first().and_then(|it| Platform::parse(it)) else {
            return Vec::new();
        };
        let suffix = self.suffix(&first).unwrap_or_default();
        let stems = listed.iter().filter_map(|it| it.strip_suffix(suffix));
        stems
            .filter(|it| self.fits_pattern(it))
            .filter(|it| self.sources_of(it).iter().all(|it| is_listed(&it.tag)))
            .map(str::to_owned)
            .collect()
    }
}

/// Whether a tag fits a pattern: `*` stands for any text, `?` for one character.
pub(super) fn fits(pattern: &str, tag: &str) -> bool {
    let (pattern, tag) = (pattern.as_bytes(), tag.as_bytes());
    let (mut at, mut read) = (0, 0);
    // Where the last `*` stands, and how far what it stands for reaches.
    let mut star: Option<(usize, usize)> = None;
    while read < tag.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, read));
                at += 1;
            }
            (Some(it), _) if *it == b'?' || *it == tag[read] => {
                at += 1;
                read += 1;
            }
            (_, Some((place, reach))) => {
                star = Some((place, reach + 1));
                at = place + 1;
                read = reach + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|it| *it == b'*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_any_text_and_a_question_mark_for_one_character() {
        let table = [
            ("v*", "v1.0.0", true),
            ("v*", "v", true),
            ("v*", "latest", false),
            ("*", "", true),
            ("v?.?", "v1.2", true),
            ("v?.?", "v10.2", false),
            ("*-rc*", "v1.0-rc1", true),
            ("*-rc?", "v1-rc-rc1", true),
            ("*-rc?", "v1-rc", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("V*", "v1", false),
        ];
        for (pattern, tag, expected) in table {
            assert_eq!(fits(pattern, tag), expected, "{pattern} {tag}");
        }
    }

    #[test]
    fn a_pattern_full_of_stars_is_decided_at_once() {
        let tag = "a".repeat(128);
        assert!(!fits(&format!("{}b", "*a".repeat(63)), &tag));
    }
}
