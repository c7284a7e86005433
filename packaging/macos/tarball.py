#!/usr/bin/env python3
"""Pack a folder so that the same content gives the same bytes.    tarball.py PARENT NAME OUT.tar.gz

Order, owners and times would differ from machine to machine, so names are sorted, the owner is 0, and the time is
SOURCE_DATE_EPOCH. Uses Python's own modules, since the tar of a Mac can't do this.
"""
import gzip
import os
import sys
import tarfile
from pathlib import Path

TIME = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def leveled(member):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = TIME
    return member


def pack(parent, name, out):
    with open(out, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, TIME) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in [parent / name, *sorted((parent / name).rglob("*"))]:
                archive.add(path, path.relative_to(parent), recursive=False, filter=leveled)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    pack(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
