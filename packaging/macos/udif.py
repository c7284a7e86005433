#!/usr/bin/env python3
"""Wrap a raw image of a disk in Apple's compressed form, UDIF with zlib ("UDZO").    udif.py RAW OUT.dmg

On a Mac hdiutil does this. Layout, all numbers big-endian: the chunks of the disk, each deflated; a property list whose
"blkx" table ("mish") says which chunk lies where; a trailer of 512 bytes ("koly") that says where the list lies. Apple
has not documented it; it is known from what its readers do: dmg2img, libdmg-hfsplus, 7-Zip.
The same disk gives the same bytes.
"""
import plistlib
import struct
import sys
import uuid
import zlib
from pathlib import Path

SECTOR = 512
CHUNK_SECTORS = 512
# Kinds of chunks.
RAW, ZERO, ZLIB, LAST = 0x00000001, 0x00000002, 0x80000005, 0xFFFFFFFF


def checksum(data):
    """Kind 2: CRC-32, of 32 bits, in a field for 1024."""
    return struct.pack(">III124x", 2, 32, zlib.crc32(data))


def chunks(disk):
    """(kind, bytes as they are stored, number of sectors) of each chunk."""
    for at in range(0, len(disk), CHUNK_SECTORS * SECTOR):
        plain = disk[at : at + CHUNK_SECTORS * SECTOR]
        packed = zlib.compress(plain, 9)
        if not any(plain):
            yield ZERO, b"", len(plain) // SECTOR
        elif len(packed) < len(plain):
            yield ZLIB, packed, len(plain) // SECTOR
        else:
            yield RAW, plain, len(plain) // SECTOR


def udif(disk):
    disk += bytes(-len(disk) % SECTOR)
    total = len(disk) // SECTOR
    stored, table, sector = bytearray(), b"", 0
    for kind, data, sectors in chunks(disk):
        table += struct.pack(">IIQQQQ", kind, 0, sector, sectors, len(stored), len(data))
        stored += data
        sector += sectors
    table += struct.pack(">IIQQQQ", LAST, 0, total, 0, len(stored), 0)
    # Version, first sector, sectors, where the chunks begin, sectors of buffer for a chunk, descriptors.
    block = struct.pack(">4sIQQQII24x", b"mish", 1, 0, total, 0, CHUNK_SECTORS + 8, 0)
    block += checksum(disk) + struct.pack(">I", len(table) // 40) + table

    def resource(name, data):
        return [{"Attributes": "0x0050", "CFName": name, "Data": data, "ID": "0", "Name": name}]

    plist = plistlib.dumps({
        "resource-fork": {"blkx": resource("whole disk", block), "plst": resource("", bytes(1032))},
    })
    # Version, size of the trailer, flags; data fork: running offset, offset, length; resource fork: offset, length;
    # segment, number of segments, name of the segment.
    trailer = struct.pack(">4sIIIQQQQQII", b"koly", 4, 512, 1, 0, 0, len(stored), 0, 0, 1, 1)
    trailer += uuid.uuid5(uuid.NAMESPACE_OID, f"{zlib.crc32(disk):08x}").bytes
    trailer += checksum(bytes(stored)) + struct.pack(">QQ120x", len(stored), len(plist))
    # The master checksum is the one of the tables' checksums; the disk is of kind 1, a device.
    trailer += checksum(struct.pack(">I", zlib.crc32(disk))) + struct.pack(">IQ12x", 1, total)
    assert len(trailer) == 512
    return bytes(stored) + plist + trailer


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Path(sys.argv[2]).write_bytes(udif(Path(sys.argv[1]).read_bytes()))
