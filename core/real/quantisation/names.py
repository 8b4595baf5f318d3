"""Which modules a list of names means. A list may hold plain names, names with a * and, behind `re:`, regular expressions.

A plain name means the module, all that stands in it, and, where it is the end of a longer one, every module of that end. The
expressions are read here and never handed to a machine that may run for ever on a bad one: a text is followed letter by letter
through all of them at once. Read are letters, `.`, `\\d`, `\\w`, [..], alternatives in brackets, and * + ? behind one letter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

MANY = 50_000  # names that a list may hold
LONGEST = 300  # letters of one
MOST = 2_000  # ways through all expressions of a list together, and names with a *
ATOMS = 200_000  # letters of both together
EFFORT = 500_000  # places that are looked at before a list is given up
STEPS = 10_000_000  # and letters that are followed
DIGITS = "0123456789"
WORD = DIGITS + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
# How files call what the loaded model calls otherwise; looked for only where a list has the word
LEADS = ("language_model.model.", "model.language_model.", "language_model.", "backbone.", "transformer.", "")
WORDS = (("mlp", "block_sparse_moe"), ("mlp", "feed_forward"), ("mlp", "ffn"), ("self_attn", "attn"), ("self_attn", "attention"))
PIECES = {"gate_proj": ("w1",), "up_proj": ("w3",), "down_proj": ("w2",)}


class Unread(ValueError):
    """A list of names that is not understood."""


@dataclass(frozen=True)
class Atom:
    """A place in an expression: the letters that fit (None: any), whether all others do instead, how often it may stand."""

    letters: str | None
    inverted: bool = False
    optional: bool = False
    many: bool = False

    def fits(self, letter: str) -> bool:
        """Does a letter stand here?"""
        return self.letters is None or (letter in self.letters) != self.inverted


Sequence = tuple[Atom, ...]
END = Atom("\n")


@dataclass
class Reader:
    """An expression, read from left to right into all sequences that it stands for."""

    text: str
    at: int = 0

    def peek(self) -> str:
        """The next letter; "" at the end."""
        return self.text[self.at : self.at + 1]

    def next(self) -> str:
        """The next letter, passed."""
        self.at += 1
        return self.text[self.at - 1 : self.at]

    def expression(self) -> list[Sequence]:
        """Everything; Unread where a bracket is left."""
        found = self.alternatives()
        if self.peek():
            raise Unread
        return found

    def alternatives(self) -> list[Sequence]:
        """a|b|c"""
        found = self.row()
        while self.peek() == "|":
            self.next()
            found = found + self.row()
        return found

    def row(self) -> list[Sequence]:
        """One thing after another."""
        found: list[Sequence] = [()]
        while self.peek() not in ("", "|", ")"):
            more = self.quantified(self.one())
            found = [before + after for before in found for after in more]
            if len(found) > MOST:
                raise Unread
        return found

    def quantified(self, found: list[Sequence]) -> list[Sequence]:
        """A thing with what says how often: a whole bracket may be left out, and no more."""
        sign = self.peek() if self.peek() in ("*", "+", "?") else ""
        if self.peek() == "{":
            raise Unread
        if not sign:
            return found
        self.next()
        if self.peek() == "?":  # as few as possible: the same texts fit
            self.next()
        single = len(found) == 1 and len(found[0]) == 1
        if not single and sign != "?":
            raise Unread
        if not single:
            return [(), *found]
        atom = found[0][0]
        return [(Atom(atom.letters, atom.inverted, atom.optional or sign in "*?", atom.many or sign in "*+"),)]

    def one(self) -> list[Sequence]:
        """A letter, a class of letters, or a bracket."""
        letter = self.next()
        if letter == "(":
            return self.bracket()
        if letter in "*+?{":
            raise Unread
        if letter == "^":
            return [()]
        if letter == "$":
            return [(END,)]
        plain = {".": Atom(None), "[": None, "\\": None}.get(letter, Atom(letter))
        return [(plain or (self.choice() if letter == "[" else Atom(self.escaped())),)]

    def bracket(self) -> list[Sequence]:
        """( ... ), also as (?: ... )."""
        if self.peek() == "?":
            self.next()
            if self.next() != ":":
                raise Unread
        found = self.alternatives()
        if self.next() != ")":
            raise Unread
        return found

    def escaped(self) -> str:
        """What stands behind a backslash."""
        letter = self.next()
        if letter == "d":
            return DIGITS
        if letter == "w":
            return WORD
        if not letter or letter.isalnum():
            raise Unread
        return letter

    def choice(self) -> Atom:
        """[abc], [0-9], [^abc]"""
        inverted = self.peek() == "^"
        self.at += inverted
        letters = ""
        while self.peek() not in ("]", ""):
            letter = self.next()
            if letter == "\\":
                letters += self.escaped()
            elif self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.next()
                letters += "".join(map(chr, range(ord(letter), min(ord(self.next()), 0x17F) + 1)))
            else:
                letters += letter
        if self.next() != "]":
            raise Unread
        return Atom(letters, inverted)


def starred(name: str) -> Sequence:
    """A name with * and ? as a sequence."""
    plain = {"*": Atom(None, optional=True, many=True), "?": Atom(None)}
    return tuple(plain.get(letter) or Atom(letter) for letter in name)


class Machine:
    """All sequences of a list followed at once. Sets of places have numbers, and moves that came up before are remembered."""

    def __init__(self, sequences: list[Sequence]):
        self.atoms = [atom for sequence in sequences for atom in (*sequence, None)]  # None: a sequence is at its end
        if len(self.atoms) > ATOMS:
            raise Unread
        starts, at = [], 0
        for sequence in sequences:
            starts.append(at)
            at += len(sequence) + 1
        self.effort = self.steps = 0
        self.moves: dict[tuple[int, str], int] = {}
        self.known: dict[frozenset, int] = {}
        self.places: list[frozenset] = []
        self.done: list[bool] = []  # of every set, whether a sequence is at its end
        self.number(starts)

    def number(self, places: Iterable[int]) -> int:
        """The number of the set of these places and those that are reached from them without a letter."""
        found, left = set(), list(places)
        while left:
            place = left.pop()
            if place not in found:
                found.add(place)
                atom = self.atoms[place]
                if atom and atom.optional:
                    left.append(place + 1)
        self.effort += len(found)
        if self.effort > EFFORT:
            raise Unread
        whole = frozenset(found)
        if whole not in self.known:
            self.known[whole] = len(self.places)
            self.places.append(whole)
            self.done.append(any(self.atoms[place] is None for place in whole))
        return self.known[whole]

    def moved(self, number: int, letter: str) -> int:
        """Where one more letter leads."""
        if (number, letter) not in self.moves:
            after = []
            for place in self.places[number]:
                atom = self.atoms[place]
                if atom and atom.fits(letter):
                    after += [place, place + 1] if atom.many else [place + 1]
            self.moves[number, letter] = self.number(after)
        return self.moves[number, letter]

    def ends(self, text: str) -> Iterator[bool]:
        """For every number of letters from the start, whether a sequence fits them."""
        number = 0
        yield self.done[number]
        for letter in text:
            number = self.moved(number, letter)
            self.steps += 1
            yield self.done[number]
            if not self.places[number]:
                break
        if self.steps > STEPS:
            raise Unread


@dataclass(frozen=True)
class Names:
    """A list of names, as a config has it."""

    listed: tuple[str, ...] = ()
    plain: frozenset = field(default=frozenset(), repr=False, compare=False)

    def __hash__(self):
        return hash(self.listed)

    @cached_property
    def text(self) -> str:
        """All names, to look for a word."""
        return " ".join(self.listed)

    @cached_property
    def numbered(self) -> bool:
        """Does any name hold a digit, or a class of them?"""
        return any(letter.isdigit() for letter in self.text)

    def mentions(self, word: str) -> bool:
        """Does a word stand in any name?"""
        return word in self.text

    @cached_property
    def globs(self) -> Machine | None:
        """Names with a *."""
        found = [starred(name) for name in self.listed if "*" in name and not name.startswith("re:")]
        return Machine(found) if found else None

    @cached_property
    def expressions(self) -> Machine | None:
        """Names that are regular expressions."""
        found = [sequence for name in self.listed if name.startswith("re:") for sequence in Reader(name[3:]).expression()]
        if len(found) > MOST:
            raise Unread
        return Machine(found) if found else None

    def means(self, theirs: str) -> bool:
        """Does the list name this module, or one that it stands in? `theirs` is what the loaded model calls it."""
        return bool(self.listed) and any(self.fits(path) for path in self.called(theirs))

    def called(self, theirs: str) -> list[str]:
        """The names by which files may call a module, as far as the list has words of theirs."""
        bare = theirs.removeprefix("model.")
        paths = [theirs, *(lead + bare for lead in LEADS if lead and self.mentions(lead))]
        for word, other in WORDS:
            if self.mentions(other):
                paths += [".".join(other if part == word else part for part in path.split(".")) for path in paths]
        if self.mentions("head") and bare == "lm_head":
            paths.append("head")
        return paths

    def fits(self, path: str) -> bool:
        """Does any name fit this one?"""
        parts = path.split(".")
        runs = (".".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1))
        if not self.plain.isdisjoint(runs):
            return True
        starts = [0, *(i + 1 for i, letter in enumerate(path) if letter == ".")]
        if (globs := self.globs) and any(whole_run(globs, path[start:]) for start in starts):
            return True
        return bool((machine := self.expressions) and any(machine.ends(path + "\n")))


def whole_run(globs: Machine, rest: str) -> bool:
    """Does a name with a * fit the first so many parts?"""
    return any(hit and (i == len(rest) or rest[i] == ".") for i, hit in enumerate(globs.ends(rest)))


NO_NAMES = Names()


@lru_cache(maxsize=64)
def made_once(listed: tuple[str, ...]) -> Names:
    """A list, made once; Unread where an expression is not understood."""
    names = Names(listed, frozenset(name for name in listed if "*" not in name and not name.startswith("re:")))
    if sum("*" in name for name in listed) > MOST or any(name.startswith("re:") and not name[3:] for name in listed):
        raise Unread
    return names if names.expressions or names.listed else NO_NAMES


def names(stated: object) -> Names:
    """A list as a config has it. Unread where it is none."""
    if stated is None:
        return NO_NAMES
    if not isinstance(stated, list) or len(stated) > MANY:
        raise Unread
    if not all(isinstance(name, str) and len(name) <= LONGEST for name in stated):
        raise Unread
    return made_once(tuple(dict.fromkeys(name for name in stated if name)))
