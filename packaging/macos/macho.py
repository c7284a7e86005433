"""Reads the headers of executables for the Mac, without a Mac.

Facts: Apple's <mach-o/loader.h>, <mach-o/fat.h>, <kern/cs_blobs.h>. Standard library of Python 3.9 only.
"""
import hashlib
import struct

ARCHITECTURES = {0x0100000C: "arm64", 0x01000007: "x86_64"}
LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_RPATH = 0xC, 0x80000018, 0x8000001C
LC_REEXPORT_DYLIB, LC_LOAD_UPWARD_DYLIB = 0x8000001F, 0x80000023
LC_CODE_SIGNATURE, LC_MAIN = 0x1D, 0x80000028
LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX = 0x32, 0x24
LC_SYMTAB = 0x2
# Of a symbol, in <mach-o/nlist.h>: what kind it is, that it comes from elsewhere, that it may be missing.
N_STAB, N_TYPE, N_EXT, N_UNDF, N_WEAK_REF = 0xE0, 0x0E, 0x01, 0x0, 0x40
PLATFORM_MACOS = 1
MH_EXECUTE, MH_PIE = 2, 0x200000
CODE_DIRECTORY = 0xFADE0C02
HASHES = {1: "sha1", 2: "sha256"}


class Slice:
    """The program for one architecture."""

    def __init__(self, data):
        self.data = data
        magic, processor, _, self.kind, count, _, self.flags, _ = struct.unpack_from("<8I", data)
        if magic != 0xFEEDFACF:
            raise ValueError(f"not a 64-bit Mach-O file: it begins with {data[:4].hex()}")
        self.architecture = ARCHITECTURES.get(processor, f"{processor:#x}")
        self.commands = []
        at = 32
        for _ in range(count):
            command, size = struct.unpack_from("<2I", data, at)
            self.commands.append((command, data[at : at + size]))
            at += size

    def of(self, *kinds):
        """The load commands of these kinds."""
        return [(command, body) for command, body in self.commands if command in kinds]

    def minimum(self):
        """The oldest supported system, as (10, 12)."""
        return self._version(0)

    def sdk(self):
        """The version of its SDK, as (11, 0)."""
        return self._version(1)

    def _version(self, which):
        for command, body in self.of(LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX):
            if command == LC_BUILD_VERSION:
                (platform,) = struct.unpack_from("<I", body, 8)
                if platform != PLATFORM_MACOS:
                    raise ValueError(f"made for platform {platform}, not for macOS")
                body = body[4:]
            packed = struct.unpack_from("<2I", body, 8)[which]
            return packed >> 16, packed >> 8 & 255
        return None

    def libraries(self):
        """(name, whether it may be missing) of each that it loads, in order."""
        kinds = LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB, LC_LOAD_UPWARD_DYLIB
        return [(text(body, 8), command == LC_LOAD_WEAK_DYLIB) for command, body in self.of(*kinds)]

    def imports(self):
        """(symbol, library, whether it may be missing) of each that it asks a library for."""
        libraries, found = [name for name, _ in self.libraries()], []
        for _, body in self.of(LC_SYMTAB):
            symbols, count, strings, _ = struct.unpack_from("<4I", body, 8)
            for at in range(symbols, symbols + 16 * count, 16):
                name, kind, _, described, _ = struct.unpack_from("<I2BHQ", self.data, at)
                if kind & N_STAB or not kind & N_EXT or kind & N_TYPE != N_UNDF:
                    continue
                name = self.data[strings + name : self.data.index(b"\0", strings + name)].decode()
                # Counted from one, in the order of the load commands.
                ordinal = described >> 8
                library = libraries[ordinal - 1] if 0 < ordinal <= len(libraries) else f"library {ordinal}"
                found.append((name, library, bool(described & N_WEAK_REF)))
        return found

    def rpaths(self):
        """Further folders that it searches for libraries."""
        return [text(body, 8) for _, body in self.of(LC_RPATH)]

    def signature(self):
        """Where its signature begins and how long it is."""
        for _, body in self.of(LC_CODE_SIGNATURE):
            return struct.unpack_from("<2I", body, 8)
        return None

    def code_directories(self):
        """Each list of hashes in its signature."""
        begin, size = self.signature()
        blob = self.data[begin : begin + size]
        (count,) = struct.unpack_from(">I", blob, 8)
        for number in range(count):
            _, at = struct.unpack_from(">2I", blob, 12 + 8 * number)
            if struct.unpack_from(">I", blob, at)[0] == CODE_DIRECTORY:
                yield CodeDirectory(blob[at:])


class CodeDirectory:
    """The hashes of one signature (`CS_CodeDirectory`)."""

    # Slots before the pages, counted backwards.
    INFO_PLIST, REQUIREMENTS, RESOURCES = 1, 2, 3

    def __init__(self, blob):
        fields = struct.unpack_from(">9I4B", blob)
        (_, _, self.version, self.flags, self._hashes, identifier, self.special, self.pages, self.limit) = fields[:9]
        self._size, hash_type, _, page = fields[9:]
        self.hash = HASHES.get(hash_type, str(hash_type))
        self.page_size = 1 << page
        self.identifier = blob[identifier : blob.index(b"\0", identifier)].decode()
        self._blob = blob

    def slot(self, number):
        """The hash in a slot: a page's, or below zero a special one's."""
        at = self._hashes + number * self._size
        return self._blob[at : at + self._size]

    def covers(self, number, data):
        """Whether the hash in the slot is that of `data`."""
        return self.slot(number) == hashlib.new(self.hash, data).digest()[: self._size]


def text(body, field):
    """The string of a load command, whose place is in the field."""
    (at,) = struct.unpack_from("<I", body, field)
    return body[at:].split(b"\0")[0].decode()


def slices(data):
    """The program for each architecture, out of a file that is for one or several."""
    if data[:4] != b"\xca\xfe\xba\xbe":
        return [Slice(data)]
    (count,) = struct.unpack_from(">I", data, 4)
    places = [struct.unpack_from(">5I", data, 8 + 20 * number) for number in range(count)]
    return [Slice(data[begin : begin + size]) for _, _, begin, size, _ in places]
