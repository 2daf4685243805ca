"""Mutations that know the structure of what they break: numbers in bytes, nodes of JSON, elements of XML, YAML's signs.

Random bytes alone are refused by the first check of any reader. What finds defects are inputs that are right but
for one thing: a size that is negative, a list where a number was, a name that climbs out of its folder.
"""

import copy
import json
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Mutator = Callable[[bytes, Random], bytes]

NUMBERS = (
    *(0, 1, -1, 2, 3, 7, 9, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 65536, 10**6, 10**9),
    *(2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30),
    *(0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, float("nan"), float("inf")),
)
TEXTS = (
    *("", " ", "\0", "x" * 300, "../../../etc/passwd", "/etc/passwd", "C:\\x", "\\\\host\\share\\x", "a/../../b"),
    *("t", "y", "x", "angle", "uint16", "<u2", "float64", "|O", "pickle", "zlib", "blosc", "nan", "1e999", "9" * 5000),
    *("é", "\ud7ff", "\U0010ffff", "%s%n{0}{}", "<!DOCTYPE a>", "!!python/object/apply:os.system [true]"),
)
YAML_SIGNS = (
    *(
        "&a ",
        "*a",
        "!!python/object/apply:os.system [true]",
        "!!binary ",
        "!!set ",
        "!!omap ",
        "<<: ",
        "? ",
        "- ",
        ": ",
    ),
    *("\t", "\n", "'", '"', "|\n", ">\n", "---\n", "...\n", "%YAML 9.9\n", "#", "{", "}", "[", "]", ",\0", "\x85"),
    *(
        "~",
        "null",
        "yes",
        "0x",
        "1:2:3",
        "2001-99-99",
        ".inf",
        ".nan",
        "1e400",
        "0o9",
        "9" * 5000,
        "[" * 200,
        "{a: " * 200,
    ),
)


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def value(random: Random) -> Any:
    """Return a JSON value that a reader may not expect."""
    kind = random.randrange(8)
    if kind < 4:
        return random.choice(NUMBERS)
    if kind < 6:
        return random.choice(TEXTS)
    return random.choice([None, True, False, [], {}, [[]], {"": None}, [1] * 40, {"a": {"a": {}}}])


def mutate_bytes(content: bytes, random: Random) -> bytes:
    """Change a few places: bits, numbers of 1 to 8 bytes in both orders, cuts, copies, insertions."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        _mutate_once(data, random)
    return bytes(data)


def _mutate_once(data: bytearray, random: Random) -> None:
    if not data:
        data += random.randbytes(8)
        return
    # Headers come first in most formats, so every second change is made there.
    place = random.randrange(min(len(data), 512) if random.random() < 0.5 else len(data))
    kind = random.randrange(7)
    if kind == 0:
        data[place] ^= 1 << random.randrange(8)
    elif kind == 1:
        data[place] = random.randrange(256)
    elif kind in (2, 3):
        size = random.choice((1, 2, 4, 8))
        number = int(random.choice([n for n in NUMBERS if isinstance(n, int)])) % 256**size
        data[place : place + size] = number.to_bytes(size, random.choice(("little", "big")))
    elif kind == 4:
        del data[place : place + random.choice((1, 2, 4, 16, 1000))]
    elif kind == 5:
        piece = data[place : place + random.choice((1, 4, 12, 64))]
        where = random.randrange(len(data))
        data[where:where] = piece
    else:
        data[place : place + 4] = struct.pack(random.choice("<>") + "f", random.choice((1e30, -1.0, float("nan"))))


def mutate_tree(tree: Any, random: Random) -> Any:
    """Return a copy of a JSON tree with one to three nodes changed, dropped, renamed, doubled or exchanged."""
    tree = copy.deepcopy(tree)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(tree))
        if not places:
            return value(random)
        parent, key = random.choice(places)
        kind = random.randrange(9)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[str(random.choice(TEXTS))] = parent.pop(key)
        elif kind == 2 and isinstance(parent, list):
            parent[key:key] = [copy.deepcopy(parent[key])] * random.choice((1, 2, 50))
        elif kind == 3:
            other, where = random.choice(places)
            parent[key] = copy.deepcopy(other[where])
        elif kind == 4:
            parent[key] = [parent[key]]
        elif kind == 5 and random.random() < 0.1:
            parent[key] = _nested(random.choice((30, 500)))
        else:
            parent[key] = value(random)
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Return parent and key of every node."""
    keys: Sequence[Any] = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [(tree, key) for key in keys] + [place for key in keys for place in _places(tree[key])]


def mutate_json(content: bytes, random: Random) -> bytes:
    """Change a JSON text as a tree, now and then as bytes."""
    if random.random() < 0.15:
        return mutate_bytes(content, random)
    try:
        return json.dumps(mutate_tree(json.loads(content), random)).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return mutate_bytes(content, random)


def mutate_text(content: bytes, random: Random) -> bytes:
    """Change a YAML text: signs of YAML, lines doubled and dropped, values exchanged."""
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    for _ in range(random.choice((1, 1, 2, 3))):
        place = random.randrange(len(lines))
        kind = random.randrange(6)
        if kind == 0 and len(lines) > 1:
            del lines[place]
        elif kind == 1:
            lines.insert(random.randrange(len(lines)), lines[place])
        elif kind == 2:
            head, colon, _ = lines[place].partition(":")
            lines[place] = head + colon + " " + str(value(random))
        elif kind == 3:
            lines[place] = " " * random.choice((1, 2, 3, 50)) + lines[place]
        else:
            where = random.randrange(len(lines[place]) + 1)
            lines[place] = lines[place][:where] + random.choice(YAML_SIGNS) + lines[place][where:]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def mutate_xml(content: bytes, random: Random) -> bytes:
    """Change an XML text: attributes, elements dropped, doubled, nested deeply; document types."""
    if random.random() < 0.2:
        return mutate_bytes(content, random)
    try:
        root = ET.fromstring(content)
    except (ET.ParseError, LookupError):  # LookupError: an encoding that there is not
        return mutate_bytes(content, random)
    elements = list(root.iter())
    for _ in range(random.choice((1, 1, 2, 3))):
        element = random.choice(elements)
        kind = random.randrange(7)
        if kind < 3 and element.attrib:
            element.set(random.choice(list(element.attrib)), _safe(value(random)))
        elif kind == 3 and len(element):
            element.remove(random.choice(list(element)))
        elif kind == 4 and len(element):
            element.extend([random.choice(list(element))] * random.choice((1, 3, 40)))
        elif kind == 5:
            element.tag = random.choice(elements).tag
        else:
            element.text = _safe(value(random))
    try:
        text = ET.tostring(root)
    except RecursionError:  # an element that was put into itself
        return content[:-20]
    if random.random() < 0.05:
        return b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]>' + text
    if random.random() < 0.05:
        return b"<a>" * 3000 + text + b"</a>" * 3000
    return text


def _safe(found: Any) -> str:
    return "".join(c for c in str(found) if c.isprintable())
