"""The symbols that macOS exports, with their versions (symbols.txt), and a check that a program needs none that its oldest
system lacks.

Standard library of Python 3.9 only.
"""
import re
from pathlib import Path

LIST = Path(__file__).with_name("symbols.txt")
# The version of symbols that the oldest supported system has.
ALWAYS = (0,)
# To a program built with an older SDK, every later system says that it is macOS 10.16.
OLDEST_SDK = (11, 0)
LOOK_UP = "look up since which macOS there is it, and add it"


class Library:
    """The exports of a library: the first version of the library, and of each symbol."""

    def __init__(self, since):
        self.since = since
        self.symbols = {}

    def since_of(self, symbol):
        """The first system that has this symbol in this library."""
        return max(self.since, self.symbols[symbol])


def version(text):
    """A version such as 10.14, for comparisons; without a version, that of every system."""
    return tuple(int(number) for number in text.split(".")) if text else ALWAYS


def shown(numbers):
    """A version for people."""
    return ".".join(map(str, numbers))


def read(path=LIST):
    """The libraries of the list, by their install names."""
    libraries, library = {}, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.split("#")[0].strip()
        heading = re.fullmatch(r"\[(\S+)\](?: @([\d.]+))?", line)
        if heading:
            library = libraries.setdefault(heading[1], Library(version(heading[2])))
            continue
        for word in line.split():
            symbol = re.fullmatch(r"([^@\[\]]+)(?:@([\d.]+))?", word)
            if not symbol or library is None:
                raise ValueError(f"{path}:{number}: {word!r} is no symbol of a library")
            library.symbols[symbol[1]] = version(symbol[2])
    return libraries


def problems(part, known):
    """One sentence for each thing for which a program (a `macho.Slice`) may not start on its oldest system."""
    minimum, sdk = part.minimum(), part.sdk()
    if minimum is None:
        yield "does not say which macOS it is for"
        return
    if sdk < OLDEST_SDK:
        yield f"says that it was built with the SDK of macOS {shown(sdk)}, expected {shown(OLDEST_SDK)} or later"
    for name, is_weak in part.libraries():
        if name not in known:
            yield f"loads {name}, which symbols.txt does not have: {LOOK_UP}"
        elif known[name].since > minimum and not is_weak:
            yield lacks(name, known[name].since, minimum)
    imports = part.imports()
    if not imports:
        yield "has no list of what it imports: it was stripped of it"
    for symbol, name, is_weak in imports:
        if name not in known or symbol not in known[name].symbols:
            yield f"imports {symbol} from {name}, which symbols.txt does not have: {LOOK_UP}"
        elif known[name].since_of(symbol) > minimum and not is_weak:
            yield lacks(f"{symbol} of {name}", known[name].since_of(symbol), minimum)


def lacks(what, since, minimum):
    """The problem with a symbol that is too new."""
    return (
        f"needs {what}, which came with macOS {shown(since)}, and is for macOS {shown(minimum)}: "
        "link the library weakly (build.rs), and ask for the version before it is used"
    )
