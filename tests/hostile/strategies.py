"""Untrusted values and names, and valid input with some parts changed."""

from hypothesis import strategies as st

SENTINEL = "code-has-run"
RUNNING = (
    f"!!python/object/apply:os.system ['touch {SENTINEL}']",
    f"!!python/object/apply:builtins.open [{SENTINEL}, w]",
    f"!!python/object/new:pathlib.Path [{SENTINEL}]",
    "!!python/name:os.system",
)
TEXTS = (
    "",
    " ",
    "\0",
    "\ud800",
    "\u202e",
    "\u2028",
    "\x1b[31m",
    "\r\n",
    "a" * 5000,
    "../../x",
    "/dev/zero",
    "/dev/stdin",
    "/proc/self/mem",
    "~",
    "~nobody-of-this-name/x",
    "CON",
    "%s%n",
    "{}",
    "{0.__class__}",
    "[/red]",
    "[link=x]",
    "null",
    "nan",
    ".inf",
    "1e999",
    "9" * 5000,
    "0x" + "f" * 5000,
    "1:" * 2000 + "1",
    "0o7",
    "2001-99-99",
    "2001-01-01",
    "!!binary x",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!float x",
    "!!int x",
    "!!bool x",
    "!!timestamp x",
    "&a [*a]",
    "*a",
    "<<",
    "=",
    "?",
    "- -",
    "{name: rum}",
    "[1, 2]",
    *RUNNING,
)
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    10**30,
    -(10**30),
    10**400,
    0.0,
    -0.0,
    0.5,
    1e-320,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
)

texts = st.sampled_from(TEXTS) | st.text(max_size=20)
numbers = st.sampled_from(NUMBERS) | st.integers(-5, 300)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
# What JSON has no word for, Python's own writer has: NaN and Infinity are tried too.
json_texts = texts.filter(lambda text: "\ud800" not in text)


@st.composite
def changed(draw, originals):
    """Draw one of some contents, with up to four bytes or pieces changed.

    Args:
        draw: Of hypothesis.
        originals: Contents, of bytes.
    """
    content = bytearray(draw(st.sampled_from(originals)))
    changes = draw(
        st.lists(
            st.tuples(st.integers(0, 5), st.integers(0, 2**24), st.integers(0, 255)),
            min_size=1,
            max_size=4,
        )
    )
    for kind, position, value in changes:
        _change(content, kind, position % (len(content) + 1), value)
    return bytes(content)


def _change(content, kind, place, value):
    """Change bytes in place: flip, cut off, leave out, double, insert, or overwrite by zeros."""
    piece = content[place : place + value % 40]
    if kind == 0:
        content[place : place + 1] = bytes([value])
    elif kind == 1:
        del content[place:]
    elif kind == 2:
        del content[place : place + len(piece)]
    elif kind == 3:
        content[place:place] = piece
    elif kind == 4:
        content[place:place] = bytes([value]) * (value % 5)
    else:
        content[place : place + len(piece)] = bytes(len(piece))


@st.composite
def replaced(draw, original, replacements=values, new_keys=texts):
    """Draw a structure of dictionaries and lists with up to three of its parts replaced.

    Args:
        draw: Of hypothesis.
        original: The structure, which is not modified.
        replacements: Values that replace a part.
        new_keys: Names of keys that are added or that are given to a part.
    """
    content = original
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_paths(content))))
        action = draw(st.integers(0, 4))
        if action == 0 and path:
            content = _put(content, path, None, remove=True)
        elif action == 1 and path:
            content = _put(content, (*path[:-1], draw(new_keys)), draw(replacements))
        else:
            content = _put(content, path, draw(replacements))
    return content


def _paths(content, path=()):
    yield path
    pairs = content.items() if isinstance(content, dict) else ()
    if isinstance(content, list):
        pairs = enumerate(content)
    for key, value in pairs:
        yield from _paths(value, (*path, key))


def _put(content, path, value, remove=False):
    """Return the content with another value at a path; without the path if it leads nowhere."""
    if not path:
        return value
    key, *rest = path
    if isinstance(content, dict):
        copy = dict(content)
        if not rest and remove:
            copy.pop(key, None)
        else:
            copy[key] = _put(copy.get(key), rest, value, remove)
        return copy
    if isinstance(content, list) and isinstance(key, int) and key < len(content):
        inner = [] if not rest and remove else [_put(content[key], rest, value, remove)]
        return [*content[:key], *inner, *content[key + 1 :]]
    return content
