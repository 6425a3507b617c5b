//! Layers of one file, as gzip or as eStargz (stargz-snapshotter, `docs/estargz.md`). The same text gives the same bytes.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use serde_json::json;

use crate::ids::Digest;

const BLOCK: usize = 512;

/// A layer.
pub(super) struct Layer {
    pub(super) bytes: Vec<u8>,
    /// The digest of the archive within.
    pub(super) uncompressed: Digest,
    pub(super) uncompressed_bytes: usize,
    /// The digest of the table of contents, where it is eStargz.
    pub(super) toc: Option<Digest>,
}

/// A layer whose only file holds this text.
pub(super) fn plain(text: &str) -> Layer {
    let mut archive = head("content", text.len());
    archive.extend(padded(text.as_bytes()));
    archive.extend([0; 2 * BLOCK]);
    Layer {
        bytes: zip(&archive),
        uncompressed: Digest::of(&archive),
        uncompressed_bytes: archive.len(),
        toc: None,
    }
}

/// The same as eStargz: each part is a member of its own, the table of contents comes last, and a footer says where.
pub(super) fn estargz(text: &str) -> Layer {
    let head_of_file = head("content", text.len());
    let file = padded(text.as_bytes());
    let mut bytes = zip(&head_of_file);
    let digest = Digest::of(text.as_bytes());
    let mut entry = json!({
        "name": "content", "type": "reg", "size": text.len(), "modtime": "1970-01-01T00:00:00Z", "mode": 0o644,
    });
    if !text.is_empty() {
        entry["offset"] = json!(bytes.len());
        entry["digest"] = json!(digest);
        entry["chunkDigest"] = json!(digest);
    }
    bytes.extend(zip(&file));
    let toc = json!({"version": 1, "entries": [entry]}).to_string();
    let mut table = head("stargz.index.json", toc.len());
    table.extend(padded(toc.as_bytes()));
    table.extend([0; 2 * BLOCK]);
    let offset = bytes.len();
    bytes.extend(zip(&table));
    bytes.extend(footer(offset));
    let archive = [head_of_file, file, table].concat();
    Layer {
        bytes,
        uncompressed: Digest::of(&archive),
        uncompressed_bytes: archive.len(),
        toc: Some(Digest::of(toc.as_bytes())),
    }
}

/// 51 bytes: an empty gzip member whose extra field says where the table of contents begins.
fn footer(offset: usize) -> Vec<u8> {
    let mut footer = vec![
        0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0, b'S', b'G', 22, 0,
    ];
    footer.extend(format!("{offset:016x}STARGZ").into_bytes());
    footer.extend([1, 0, 0, 0xff, 0xff]);
    footer.extend([0; 8]);
    footer
}

/// The head of a file in a tar archive (POSIX, `pax`, "ustar Interchange Format").
fn head(name: &str, size: usize) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(content.len().div_ceil(BLOCK) * BLOCK, 0);
    padded
}

fn zip(content: &[u8]) -> Vec<u8> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::default());
    writer
        .write_all(content)
        .expect("memory takes what is written");
    writer.finish().expect("memory takes what is written")
}
