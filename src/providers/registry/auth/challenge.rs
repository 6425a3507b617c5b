//! What a registry asks for when it answers 401. Pure.
//!
//! Source: RFC 9110, "WWW-Authenticate", and documentation of Distribution, "Token authentication".

use std::collections::BTreeMap;

use http::HeaderMap;

use super::Scopes;

/// One way to tell a registry who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::providers::registry) enum Challenge {
    /// By a token that is given at `realm`.
    Bearer {
        realm: String,
        service: Option<String>,
        scopes: Scopes,
    },
    /// By the password itself.
    Basic,
}

/// All ways that the answer names and that we know, in their order: a header may hold several, and there may be several
/// headers.
pub(in crate::providers::registry) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(http::header::WWW_AUTHENTICATE).iter();
    let values = values.filter_map(|it| it.to_str().ok());
    values.flat_map(of_header).collect()
}

fn of_header(value: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for part in parts(value) {
        // What has a space before its `=`, or no `=`, begins a challenge.
        let (scheme, parameter) = match part.split_once([' ', '\t']) {
            Some((scheme, rest)) if !scheme.contains('=') => (Some(scheme), rest.trim()),
            None if !part.contains('=') => (Some(part), ""),
            Some(_) | None => (None, part),
        };
        if let Some(scheme) = scheme {
            found.push((scheme.to_ascii_lowercase(), BTreeMap::new()));
        }
        if let (Some((_, parameters)), Some((name, value))) =
            (found.last_mut(), parameter.split_once('='))
        {
            let name = name.trim().to_ascii_lowercase();
            parameters
                .entry(name)
                .or_insert_with(|| unquoted(value.trim()));
        }
    }
    found.into_iter().filter_map(read).collect()
}

fn read((scheme, mut parameters): (String, BTreeMap<String, String>)) -> Option<Challenge> {
    match scheme.as_str() {
        "bearer" => Some(Challenge::Bearer {
            realm: parameters.remove("realm")?,
            service: parameters.remove("service"),
            scopes: Scopes::read(parameters.get("scope").map_or("", String::as_str)),
        }),
        "basic" => Some(Challenge::Basic),
        _ => None,
    }
}

/// Splits at commas that are not quoted.
pub(in crate::providers::registry) fn parts(value: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, it) in value.char_indices() {
        match it {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    let parts = parts.into_iter().map(str::trim);
    parts.filter(|it| !it.is_empty()).collect()
}

/// A text without the quotes around it, where there are any (RFC 9110, "Quoted Strings").
pub(in crate::providers::registry) fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut is_escaped = false;
    let kept = inner.chars().filter(|it| {
        is_escaped = *it == '\\' && !is_escaped;
        !is_escaped
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each challenge on a line.
    fn read(headers: &[&str]) -> Vec<String> {
        let mut map = HeaderMap::new();
        for it in headers {
            map.append("www-authenticate", it.parse().expect("a header"));
        }
        let shown = |it: Challenge| match it {
            Challenge::Basic => "basic".to_owned(),
            Challenge::Bearer {
                realm,
                service,
                scopes,
            } => {
                let service = service.unwrap_or_default();
                format!("{realm} {service} {}", scopes.texts().join(" "))
            }
        };
        challenges(&map).into_iter().map(shown).collect()
    }

    #[test]
    fn reads_every_form_of_challenge() {
        let ghcr =
            r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull""#;
        let of_ghcr = "https://ghcr.io/token ghcr.io repository:a/b:pull";
        let several = r#"Negotiate, Basic realm="a, b=c", bearer Realm = "https://t/\"x" , scope="repository:a:pull,push repository:b:pull", error="insufficient_scope""#;
        for (headers, expected) in [
            (&[ghcr][..], &[of_ghcr][..]),
            (&["Digest nonce=x", ghcr], &[of_ghcr]),
            (
                &[several],
                &[
                    "basic",
                    "https://t/\"x  repository:a:pull,push repository:b:pull",
                ],
            ),
            (&["BASIC", ghcr], &["basic", of_ghcr]),
            (&["Bearer realm=https://t/x,service=s"], &["https://t/x s "]),
            (&[r#"Bearer service="s""#], &[]),
            (
                &["", ",,", "=", "Bearer", "\"", "Bearer realm=\"x"],
                &["\"x  "],
            ),
        ] {
            assert_eq!(read(headers), expected, "{headers:?}");
        }
    }
}
