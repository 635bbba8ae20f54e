"""Statistics of a subtask's stories, as shares and means, and differences of two sets of stories.

For tuning: `python -m tests.tasks.babi.measures 7` prints a subtask's largest differences between
generated and published stories; several numbers may be given.
"""

import functools
import math
import re
import statistics
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass

from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Question
from tests.tasks.babi import official

_PEOPLE = (
    "mary john daniel sandra bill fred jeff julie gertrude winona jessica emily sumit yann antoine "
    "jason lily bernhard brian julius greg"
)
_PLACES = "bathroom bedroom garden hallway kitchen office cinema park school"
_OBJECTS = "apple football milk pajamas"
_ANIMALS = "cat cats mouse mice sheep wolf wolves swan lion frog rhino"
_COLORS = "gray green white yellow red blue pink"
_STATES = "hungry thirsty bored tired"
_SHAPES = r"(?:(?:red|blue|pink|yellow) )?(?:square|triangle|rectangle|sphere)"
_THINGS = "box of chocolates|box|chest|chocolate|container|suitcase"

_WORLD = {"person": _PEOPLE, "place": _PLACES, "object": _OBJECTS}
_SLOTS = {
    4: {"place": _PLACES, "dir": "north south east west"},
    15: {"person": _PEOPLE, "animal": _ANIMALS},
    16: {"person": _PEOPLE, "animal": _ANIMALS, "color": _COLORS},
    17: {"shape": _SHAPES},
    18: {"thing": _THINGS},
    19: {"place": _PLACES, "dir": "north south east west"},
    20: {**_WORLD, "state": _STATES},
}
# Upper ends of the bins of integers; larger values share one bin.
_BINS = (*range(11), 12, 14, 17, 20, 25, 30, 40, 50, 75, 100)


# Counted once for each of the few stories: chance matters.
_OF_STORIES = ("statements of a story", "questions of a story")


@dataclass(frozen=True)
class Measures:
    """Shares, each between 0 and 1, by what is counted; means; all words; how many stories.

    `spread` is the standard deviation of the number of statements of a story.
    """

    shares: dict[str, dict[str, float]]
    means: dict[str, float]
    words: frozenset[str]
    stories: int
    spread: float


@dataclass(frozen=True)
class Difference:
    """One measure of two sets of stories; `size` is 1 where it is just tolerated."""

    what: str
    ours: float
    published: float
    size: float

    def __str__(self) -> str:
        return (
            f"{self.size:5.2f}  ours {self.ours:7.2f}  published {self.published:7.2f}  {self.what}"
        )


def measure(stories, subtask):
    """Measure stories of one subtask."""
    counts, numbers, words = defaultdict(Counter), defaultdict(list), set()
    for story in stories:
        statements = sum(not isinstance(line, Question) for line in story.lines)
        numbers[_OF_STORIES[0]].append(statements)
        numbers[_OF_STORIES[1]].append(story.questions)
        since = 0
        for number, line in enumerate(story.lines, 1):
            template = template_of(line.text, subtask)
            words.update(words_of(line.text))
            if not isinstance(line, Question):
                counts["statement"][template] += 1
                since += 1
                continue
            words.update(line.answer.split(","))
            counts["question"][template] += 1
            counts["answer"][line.answer] += 1
            counts["question with answer"][f"{template} {line.answer}"] += 1
            numbers["line of a question"].append(number)
            numbers["statements right before a question"].append(since)
            numbers["supporting facts"].append(len(line.supporting))
            numbers["lines back to a supporting fact"].extend(number - n for n in line.supporting)
            numbers["lines back to the first supporting fact"].append(number - line.supporting[0])
            since = 0
    for what, values in numbers.items():
        counts[what] = Counter(map(_bin, values))
    return Measures(
        {what: _shares(counter) for what, counter in counts.items()},
        {what: sum(values) / len(values) for what, values in numbers.items()},
        frozenset(words),
        len(numbers[_OF_STORIES[0]]),
        statistics.pstdev(numbers[_OF_STORIES[0]]),
    )


def differences(ours, published):
    """Compare two measures, the largest difference first.

    Tolerated are, for a share, 1 percentage point and 40 % of the larger one, but no more than 5
    points; for the mean number of statements 5 % of the published one. Where stories are what is
    counted, two standard deviations of chance are added.
    """
    found = []
    for what in ours.shares | published.shares:
        one, other = ours.shares.get(what, {}), published.shares.get(what, {})
        for value in one | other:
            a, b = one.get(value, 0), other.get(value, 0)
            tolerated = min(0.05, 0.01 + 0.4 * max(a, b))
            if what in _OF_STORIES:
                tolerated += 2 * _chance(ours, published, math.sqrt(b * (1 - b)))
            found.append(Difference(f"% {what}: {value}", 100 * a, 100 * b, abs(a - b) / tolerated))
    what = _OF_STORIES[0]
    a, b = ours.means[what], published.means[what]
    tolerated = 0.05 * b + 2 * _chance(ours, published, published.spread)
    found.append(Difference(f"{what}, mean", a, b, abs(a - b) / tolerated))
    return sorted(found, key=lambda difference: -difference.size)


def _chance(ours, published, spread):
    """Return the standard deviation of the difference of two means of stories."""
    return spread * math.sqrt(1 / ours.stories + 1 / published.stories)


@functools.cache
def published(subtask):
    """Measure all published files of a subtask that we have; skip the test without them."""
    files = [("en", subtask, "train"), ("en", subtask, "test"), ("en-10k", subtask, "train")]
    stories = [official.published_stories(*key) for key in files if key not in official.MISSING]
    return measure([story for of_file in stories for story in of_file], subtask)


@functools.lru_cache(2**16)
def template_of(text, subtask):
    """Return a sentence with the name of a slot, as in `{person}`, for each word that fills it."""
    for slot, pattern in _patterns(subtask).items():
        text = pattern.sub(f"{{{slot}}}", text)
    return text


@functools.lru_cache(2**16)
def words_of(text):
    """Return the words of a sentence."""
    return frozenset(re.findall(r"[\w-]+", text))


@functools.cache
def _patterns(subtask):
    slots = _SLOTS.get(subtask, _WORLD)
    # Words in a row are alternatives; text with a "|" is a pattern already.
    alternatives = {
        slot: words if "|" in words else "|".join(words.split()) for slot, words in slots.items()
    }
    return {
        slot: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for slot, words in alternatives.items()
    }


def _bin(number):
    place = bisect_left(_BINS, number)
    if place == len(_BINS):
        return f"over {_BINS[-1]}"
    first = _BINS[place - 1] + 1 if place else 0
    return f"{first}" if first == _BINS[place] else f"{first} to {_BINS[place]}"


def _shares(counter):
    total = counter.total()
    return {value: count / total for value, count in counter.items()}


def _main(subtasks):
    for subtask in subtasks:
        ours = measure(story_generator.stories(subtask, 1, "train", 5000), subtask)
        theirs = published(subtask)
        shown = [f"  {difference}\n" for difference in differences(ours, theirs)[:15]]
        means = [
            f"  mean  ours {ours.means[what]:7.2f}  published {theirs.means[what]:7.2f}  {what}\n"
            for what in theirs.means
        ]
        unknown = sorted(ours.words - theirs.words)
        sys.stdout.write(f"subtask {subtask}\n{''.join(shown + means)}  other words: {unknown}\n")


if __name__ == "__main__":
    _main(map(int, sys.argv[1:]))
