//! Whether a layer is eStargz, so that it can be pulled lazily and verified while it is: from its descriptor, its footer
//! and its table of contents (stargz-snapshotter, `docs/estargz.md`).

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::plan::Why;
use crate::providers::registry::content::Descriptor;
use crate::providers::registry::{Blob, Location, Registries};

/// Names the digest of the table of contents.
const TOC_DIGEST: &str = "containerd.io/snapshot/stargz/toc.digest";
/// How layers may be compressed: eStargz is gzip (OCI image specification, "Layer Media Types"; Docker documentation,
/// "Image Manifest Version 2, Schema 2").
const GZIP: [&str; 4] = [
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
];
/// How long the footer is.
const FOOTER: usize = 51;
/// The only file in the table of contents.
const TOC_NAME: &[u8] = b"stargz.index.json";
/// How long a table of contents may be, as it is stored. One file takes about 100 bytes of it.
const TOC_BYTES_MAX: u64 = 16 << 20;
/// How long it may be once it is decompressed; one that is longer is not read to its end.
const TOC_JSON_BYTES_MAX: u64 = 64 << 20;
/// How long a block of a tar archive is.
const BLOCK: usize = 512;

/// What is wrong with a layer; none: nothing. Its content is looked into once, since its digest names it for ever.
pub(super) async fn verdict(
    (registries, home): (&Registries, &Location),
    layer: &Descriptor,
) -> Result<Option<Why>, Fault> {
    let toc = match claim(layer) {
        Ok(toc) => toc,
        Err(why) => return Ok(Some(why)),
    };
    let blob = Blob {
        digest: layer.digest.clone(),
        size: layer.size,
    };
    let verify = || verify((registries, home), &blob, &toc);
    registries.verdicts.get((&blob.digest, &toc), verify).await
}

/// What is wrong with a layer, by its descriptor alone; none: it claims to be eStargz, and of which contents.
fn claim(layer: &Descriptor) -> Result<Digest, Why> {
    let media_type = &layer.media_type;
    // zstd:chunked has the annotation too.
    if !GZIP.contains(&media_type.as_str()) {
        return Err(not_estargz(&format!(
            "it is of the media type {media_type}, which is no gzip"
        )));
    }
    let Some(noted) = layer.annotations.get(TOC_DIGEST) else {
        let message = format!(
            "it has no annotation {TOC_DIGEST}: build with compression=estargz,force-compression=true,oci-mediatypes=true"
        );
        return Err(Why::new("AnnotationMissing", message));
    };
    Digest::parse(noted).ok_or_else(|| {
        let message = format!("its annotation {TOC_DIGEST} is `{noted}`, which is no digest");
        Why::new("AnnotationMissing", message)
    })
}

/// What is wrong with the content of a layer; none: nothing. Two parts of it are read.
async fn verify(
    (registries, home): (&Registries, &Location),
    layer: &Blob,
    toc: &Digest,
) -> Result<Option<Why>, Fault> {
    let footer_bytes = FOOTER as u64;
    let Some(end) = layer.size.checked_sub(footer_bytes) else {
        return Ok(Some(not_estargz("it is shorter than a footer")));
    };
    let part = registries.blob_part(home, layer, (end, footer_bytes));
    let first = match toc_begins(&part.await?) {
        Ok(first) if first < end => first,
        Ok(first) => {
            let message =
                format!("its footer says that its contents begin at {first}, beyond its end");
            return Ok(Some(not_estargz(&message)));
        }
        Err(why) => return Ok(Some(not_estargz(why))),
    };
    let length = end - first;
    if length > TOC_BYTES_MAX {
        return Err(too_large(TOC_BYTES_MAX));
    }
    let stored = registries.blob_part(home, layer, (first, length)).await?;
    match unpacked(&stored) {
        Ok(archive) if archive.len() as u64 > TOC_JSON_BYTES_MAX => {
            Err(too_large(TOC_JSON_BYTES_MAX))
        }
        Ok(archive) => Ok(contents(&archive, toc).err()),
        Err(why) => Ok(Some(why)),
    }
}

/// What is not read to its end tells nothing.
fn too_large(most: u64) -> Fault {
    let message = format!("its table of contents has more than {most} bytes, which are not read");
    Fault::new(Class::Invalid, "verify a layer", &message)
}

/// Where the table of contents begins, by the footer: an empty gzip member that says so in its header.
fn toc_begins(footer: &[u8]) -> Result<u64, &'static str> {
    if footer.len() != FOOTER {
        return Err("its footer is cut off");
    }
    if footer.windows(17).any(|it| it == b"STARGZEXTERNALTOC") {
        return Err("its table of contents is in another image, which cannot be verified");
    }
    let (header, rest) = footer.split_at(10);
    let (extra, end) = rest.split_at(28);
    let (lengths, offset) = extra.split_at(6);
    let is_footer = header.starts_with(&[0x1f, 0x8b, 8, 4])
        && lengths == [26, 0, b'S', b'G', 22, 0]
        && offset.ends_with(b"STARGZ")
        // An empty last block, then the checksum and length of nothing.
        && end == [1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
    let digits = std::str::from_utf8(&offset[..16]).ok();
    let first = digits.and_then(|it| u64::from_str_radix(it, 16).ok());
    match first {
        Some(first) if is_footer => Ok(first),
        Some(_) | None => Err("it has no footer"),
    }
}

/// The parts of a table of contents that make it verifiable.
#[derive(Deserialize)]
struct Toc {
    version: u64,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    chunk_digest: String,
}

/// Decompresses a table of contents, to one byte more than is read of it.
fn unpacked(stored: &[u8]) -> Result<Vec<u8>, Why> {
    let mut archive = Vec::new();
    let mut member = GzDecoder::new(stored).take(TOC_JSON_BYTES_MAX + 1);
    let cannot = |it| {
        mismatch(format!(
            "its table of contents cannot be decompressed: {it}"
        ))
    };
    member.read_to_end(&mut archive).map_err(cannot)?;
    Ok(archive)
}

fn mismatch(message: String) -> Why {
    Why::new("TocMismatch", message)
}

/// Refuses a table of contents that is not the one that is named, or by which content could not be verified.
fn contents(archive: &[u8], toc: &Digest) -> Result<(), Why> {
    let json = only_file(archive).map_err(|it| mismatch(it.to_owned()))?;
    let found = Digest::of(json);
    if found != *toc {
        let message = format!("its table of contents is {found}, and {toc} is noted");
        return Err(mismatch(message));
    }
    let toc: Toc = serde_json::from_slice(json)
        .map_err(|it| mismatch(format!("its table of contents cannot be read: {it}")))?;
    if toc.version != 1 {
        let message = format!("its table of contents is of version {}, not 1", toc.version);
        return Err(mismatch(message));
    }
    let needs_digest = |it: &&Entry| match it.kind.as_str() {
        "reg" => it.size > 0,
        "chunk" => true,
        _ => false,
    };
    let mut bare = toc.entries.iter().filter(needs_digest);
    match bare.find(|it| Digest::parse(&it.chunk_digest).is_none()) {
        Some(entry) => Err(mismatch(format!(
            "its table of contents has no digest for `{}`",
            entry.name
        ))),
        None => Ok(()),
    }
}

/// The only file of a tar archive (POSIX, `pax`, "ustar Interchange Format").
fn only_file(archive: &[u8]) -> Result<&[u8], &'static str> {
    let Some((header, rest)) = archive.split_at_checked(BLOCK) else {
        return Err("its table of contents is no archive");
    };
    let name = header[..100].split(|it| *it == 0).next();
    if name != Some(TOC_NAME) || ![b'0', 0].contains(&header[156]) {
        return Err("its table of contents does not begin with stargz.index.json");
    }
    let is_padding = |it: &char| *it == ' ' || *it == '\0';
    let digits: String = header[124..136]
        .iter()
        .map(|it| char::from(*it))
        .filter(|it| !is_padding(it))
        .collect();
    let size = usize::from_str_radix(&digits, 8).ok();
    let (Some((file, rest)), Some(_)) = (size.and_then(|it| rest.split_at_checked(it)), size)
    else {
        return Err("its table of contents is cut off");
    };
    if rest.iter().any(|it| *it != 0) {
        return Err("its table of contents has more than stargz.index.json");
    }
    Ok(file)
}

fn not_estargz(message: &str) -> Why {
    Why::new("NotEstargz", message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const TOC: &str = r#"{"version":1,"entries":[
        {"name":"bin/","type":"dir"},
        {"name":"bin/sh","type":"reg","size":5,"chunkDigest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"name":"empty","type":"reg","size":0}]}"#;

    fn archive(name: &str, json: &str) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..136].copy_from_slice(format!("{:011o}\0", json.len()).as_bytes());
        header[156] = b'0';
        header.extend(json.as_bytes());
        let whole = header.len().next_multiple_of(BLOCK) + 2 * BLOCK;
        header.resize(whole, 0);
        header
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory can be written");
        encoder.finish().expect("memory can be written")
    }

    fn footer(first: u64) -> Vec<u8> {
        let mut footer = vec![
            0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0, b'S', b'G', 22, 0,
        ];
        footer.extend(format!("{first:016x}STARGZ").bytes());
        footer.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
        footer
    }

    fn refused(stored: &[u8], toc: &str) -> String {
        let toc = Digest::of(toc.as_bytes());
        let refusal = unpacked(stored).and_then(|it| contents(&it, &toc));
        refusal.map_or_else(
            |it| format!("{}: {}", it.reason, it.message),
            |()| "fine".to_owned(),
        )
    }

    fn layer(media_type: &str, toc: Option<&str>) -> Descriptor {
        let annotations = toc.map(|it| (TOC_DIGEST.to_owned(), it.to_owned()));
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(b"layer"),
            size: 5,
            urls: Vec::new(),
            annotations: annotations.into_iter().collect::<BTreeMap<_, _>>(),
            data: None,
            platform: None,
            artifact_type: None,
        }
    }

    #[test]
    fn a_descriptor_must_claim_gzip_and_contents() {
        let digest = Digest::of(b"toc");
        let noted = Some(digest.as_str());
        assert_eq!(claim(&layer(GZIP[0], noted)), Ok(digest.clone()));
        let refused = |media_type, noted| claim(&layer(media_type, noted)).map_err(|it| it.reason);
        assert_eq!(refused(GZIP[0], None), Err("AnnotationMissing"));
        assert_eq!(
            refused(GZIP[2], Some("sha256:12")),
            Err("AnnotationMissing")
        );
        let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
        assert_eq!(refused(zstd, noted), Err("NotEstargz"));
    }

    #[test]
    fn a_footer_says_where_the_contents_begin() {
        assert_eq!(toc_begins(&footer(0x1234)), Ok(0x1234));
        // The end of any other gzip file, the footer that came before this one, and one bit that is not as it should be.
        assert!(toc_begins(&gzip(&[7; 200])[..FOOTER.min(gzip(&[7; 200]).len())]).is_err());
        assert!(toc_begins(&footer(1)[4..]).is_err());
        for index in (0..4).chain(10..FOOTER) {
            let mut broken = footer(0xff);
            broken[index] ^= 0x80;
            assert!(toc_begins(&broken).is_err(), "{index}");
        }
    }

    #[test]
    fn contents_that_are_noted_and_say_how_to_verify_them_are_accepted() {
        assert_eq!(
            refused(&gzip(&archive("stargz.index.json", TOC)), TOC),
            "fine"
        );
        let none = r#"{"version":1,"entries":[]}"#;
        assert_eq!(
            refused(&gzip(&archive("stargz.index.json", none)), none),
            "fine"
        );
    }

    #[test]
    fn contents_by_which_nothing_could_be_verified_are_refused() {
        let whole = |json: &str| gzip(&archive("stargz.index.json", json));
        let digestless = TOC.replace("chunkDigest", "digest");
        let chunk = r#"{"version":1,"entries":[{"name":"a","type":"chunk"}]}"#;
        let second = r#"{"version":2,"entries":[]}"#;
        let mut two = archive("stargz.index.json", TOC);
        two.extend(archive("other", TOC));
        for (stored, toc, said) in [
            (whole(TOC), "other", "is noted"),
            (
                whole(&digestless),
                digestless.as_str(),
                "has no digest for `bin/sh`",
            ),
            (whole(chunk), chunk, "has no digest for `a`"),
            (whole(second), second, "is of version 2"),
            (whole("[]"), "[]", "cannot be read"),
            (
                gzip(&archive("index.json", TOC)),
                TOC,
                "does not begin with",
            ),
            (gzip(&two), TOC, "has more than"),
            (
                gzip(&archive("stargz.index.json", TOC)[..600]),
                TOC,
                "is cut off",
            ),
            (gzip(b"text"), TOC, "is no archive"),
            (b"text".to_vec(), TOC, "cannot be decompressed"),
            (whole(TOC)[..40].to_vec(), TOC, "cannot be decompressed"),
        ] {
            let message = refused(&stored, toc);
            assert!(
                message.starts_with("TocMismatch: ") && message.contains(said),
                "{said}: {message}"
            );
        }
    }
}
