"""A layer as eStargz wants it (stargz-snapshotter, docs/estargz.md): every file in gzip members of its own, then a table of
contents, then a footer that says where that is."""

import gzip
import io
import json
import struct
import tarfile

from wire import digest_of


def header(name, size):
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def padded(data):
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)


def member(data):
    return gzip.compress(data, mtime=0)


def footer(offset):
    """An empty member of 51 bytes, whose extra field holds the offset in hexadecimal."""
    field = f"{offset:016x}STARGZ".encode()
    extra = b"SG" + struct.pack("<H", len(field)) + field
    head = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff" + struct.pack("<H", len(extra)) + extra
    return head + b"\x01\x00\x00\xff\xff" + bytes(8)


def layer(text):
    """Its bytes, the digest of the tar in it, and the digest of its table of contents."""
    content = text.encode()
    first = member(header("hello.txt", len(content)))
    second = member(padded(content))
    entry = {
        "name": "hello.txt", "type": "reg", "size": len(content), "mode": 0o644, "numLink": 0, "offset": len(first),
        "digest": digest_of(content), "chunkDigest": digest_of(content),
    }
    toc = json.dumps({"version": 1, "entries": [entry]}).encode()
    end = bytes(2 * tarfile.BLOCKSIZE)
    third = member(header("stargz.index.json", len(toc)) + padded(toc) + end)
    data = first + second + third + footer(len(first) + len(second))
    unpacked = gzip.decompress(data)
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        assert archive.getnames() == ["hello.txt", "stargz.index.json"]
    return data, digest_of(unpacked), digest_of(toc)
