#!/usr/bin/env python3
"""Put the sizes of an app's icon into an .icns, or take them out again. Standard library only.

    icns.py pack FOLDER FILE.icns      FOLDER has 16.rgba and 32.rgba (four bytes a pixel, not premultiplied)
                                       and 32.png, 64.png, ... 1024.png
    icns.py unpack FILE.icns FOLDER    writes TYPE.rgba or TYPE.png for each picture

Which types: those that every macOS since 10.12 shows, in the Finder as well as for an app. For a screen with one pixel
a point, the small sizes are colors (is32, il32) with a mask beside them (s8mk, l8mk), the way of Mac OS 8.5 that every
system since has kept. PNG in icp4 and icp5 comes out as noise in the Finder's lists; ARGB in ic04 and ic05, which
Apple's iconutil writes today, is for macOS 10.13 and later, and 10.14 and 10.15 do not show it everywhere. From 128
pixels on, and for screens with two pixels a point, it is PNG as it is, since Mac OS X 10.7.
Measured system by system in https://github.com/relikd/icns-analysis; the noise is
https://github.com/NixOS/nixpkgs/issues/358210.
"""
import struct
import sys
from pathlib import Path

PAIRS = {"is32": ("s8mk", 16), "il32": ("l8mk", 32)}
PNGS = {
    "ic11": 32,  # 16 points, two pixels each
    "ic12": 64,  # 32 points, two pixels each
    "ic07": 128,
    "ic13": 256,  # 128 points, two pixels each
    "ic08": 256,
    "ic14": 512,  # 256 points, two pixels each
    "ic09": 512,
    "ic10": 1024,  # 512 points, two pixels each
}


def squeeze(plane):
    """One channel, compressed: 0..127 and so many bytes plus one, or 128..255 and a byte that comes so often less 125."""
    packed, literal, at = bytearray(), bytearray(), 0

    def flush():
        for start in range(0, len(literal), 128):
            piece = literal[start : start + 128]
            packed.extend([len(piece) - 1, *piece])
        literal.clear()

    while at < len(plane):
        run = 1
        while run < 130 and at + run < len(plane) and plane[at + run] == plane[at]:
            run += 1
        if run >= 3:
            flush()
            packed.extend([run + 125, plane[at]])
            at += run
        else:
            literal.append(plane[at])
            at += 1
    flush()
    return bytes(packed)


def unsqueeze(packed, length):
    """All channels of `length` bytes together, as they were."""
    plain, at = bytearray(), 0
    while at < len(packed) and len(plain) < length:
        lead = packed[at]
        if lead < 128:
            plain += packed[at + 1 : at + 2 + lead]
            at += 2 + lead
        else:
            plain += packed[at + 1 : at + 2] * (lead - 125)
            at += 2
    if len(plain) != length or at != len(packed):
        raise ValueError(f"expected {length} bytes of colour, found {len(plain)} in {at} of {len(packed)} packed ones")
    return bytes(plain)


def png_size(png):
    """Width and height out of a PNG's first chunk."""
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
        raise ValueError("expected a PNG")
    return struct.unpack(">II", png[16:24])


def pack(folder):
    """The bytes of the .icns."""
    parts = []
    for kind, (mask, size) in PAIRS.items():
        rgba = (folder / f"{size}.rgba").read_bytes()
        if len(rgba) != size * size * 4:
            raise ValueError(f"{size}.rgba: expected {size * size * 4} bytes, found {len(rgba)}")
        # macOS on Apple silicon loses the last run of the last channel. Nothing is lost where that is a transparent
        # pixel, which rsvg-convert writes as zeros.
        if any(rgba[-4:]):
            raise ValueError(f"{size}.rgba: expected its last pixel to be empty, found {rgba[-4:].hex()}")
        parts += [(kind, b"".join(squeeze(rgba[channel::4]) for channel in range(3))), (mask, rgba[3::4])]
    for kind, size in PNGS.items():
        png = (folder / f"{size}.png").read_bytes()
        if png_size(png) != (size, size):
            raise ValueError(f"{size}.png: expected {size} by {size} pixels, found {png_size(png)}")
        parts.append((kind, png))
    body = b"".join(kind.encode() + struct.pack(">I", 8 + len(data)) + data for kind, data in parts)
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def unpack(icns):
    """What is in an .icns: the type and the bytes of each picture, the colors of a pair as RGBA with its mask."""
    if icns[:4] != b"icns" or struct.unpack(">I", icns[4:8])[0] != len(icns):
        raise ValueError("expected icns and its own length, found something else at the start")
    parts, at = {}, 8
    while at < len(icns):
        kind, length = icns[at : at + 4].decode("latin-1"), struct.unpack(">I", icns[at + 4 : at + 8])[0]
        if kind in parts or length < 8 or at + length > len(icns):
            raise ValueError(f"{kind}: there twice, or of a wrong length")
        parts[kind] = icns[at + 8 : at + length]
        at += length
    expected = {*PNGS, *PAIRS, *(mask for mask, _ in PAIRS.values())}
    if parts.keys() != expected:
        raise ValueError(f"expected {', '.join(sorted(expected))}; found {', '.join(sorted(parts))}")
    pictures = {}
    for kind, (mask, size) in PAIRS.items():
        area = size * size
        if len(parts[mask]) != area:
            raise ValueError(f"{mask}: expected {area} bytes, found {len(parts[mask])}")
        colours = unsqueeze(parts[kind], 3 * area)
        planes = [colours[:area], colours[area : 2 * area], colours[2 * area :], parts[mask]]
        pictures[f"{kind}.rgba"] = bytes(value for pixel in zip(*planes) for value in pixel)
    for kind, size in PNGS.items():
        if png_size(parts[kind]) != (size, size):
            raise ValueError(f"{kind}: expected {size} by {size} pixels, found {png_size(parts[kind])}")
        pictures[f"{kind}.png"] = parts[kind]
    return pictures


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("pack", "unpack"):
        sys.exit("icns.py: expected pack FOLDER FILE.icns or unpack FILE.icns FOLDER")
    source, target = Path(sys.argv[2]), Path(sys.argv[3])
    if sys.argv[1] == "pack":
        target.write_bytes(pack(source))
    else:
        target.mkdir(parents=True, exist_ok=True)
        for name, data in unpack(source.read_bytes()).items():
            (target / name).write_bytes(data)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, struct.error) as error:
        sys.exit(f"icns.py: {sys.argv[2]}: {error}")
