"""Properties of the text of stories about people in places, except the answers."""

import itertools
import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Question

MOVE = re.compile(
    r"(?:(After that|Afterwards|Then|Following that) )?([\w ]+?) "
    r"(?:went back|went|moved|travelled|journeyed) to the (\w+)\."
)
GET = re.compile(r"(\w+) (?:got|took|grabbed|picked up) the (\w+)(?: there)?\.")
DROP = re.compile(r"(\w+) (?:dropped|left|discarded|put down) the (\w+)(?: there)?\.")
GIVE = re.compile(r"(\w+) (?:gave|handed|passed) the (\w+) to (\w+)\.")
REPORT = re.compile(r"(\w+) is (no longer |not |either )?in the (\w+)(?: or the (\w+))?\.")
DAY = ("yesterday", "this morning", "this afternoon", "this evening")

WORLD = (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
HANDLING = (2, 3, 5, 6, 7, 8)
WALKING = (1, 11, 12, 13)
HEARSAY = (9, 10)
# Which supporting fact is one of the last five statements.
RECENT = {1: -1, 2: 0, 3: 0, 5: 0, 6: 0, 9: 0, 10: 0, 11: -1, 12: 0, 13: -1}

seeds = st.integers(0, 2**32 - 1)


def generate_stories(subtask, seed):
    return list(story_generator.stories(subtask, seed, "train", 10))


def statements(story):
    return [line.text for line in story.lines if not isinstance(line, Question)]


def gaps(story):
    """Return the number of statements right before each question."""
    found = [0]
    for line in story.lines:
        if isinstance(line, Question):
            found.append(0)
        else:
            found[-1] += 1
    return found[:-1]


def meet(place, people, spot=None):
    """Check that the known places of people and that of a spot are one; note it for all of them."""
    known = {spot, *map(place.get, people)} - {None}
    assert len(known) <= 1
    for here in known:
        place.update(dict.fromkeys(people, here))


@given(seed=seeds, subtask=st.sampled_from(WORLD))
def test_a_story_has_five_questions_and_ends_with_one(seed, subtask):
    for story in generate_stories(subtask, seed):
        assert story.questions == 5
        assert isinstance(story.lines[-1], Question)


@given(seed=seeds, subtask=st.sampled_from(WORLD))
def test_statements_come_by_twos(seed, subtask):
    for story in generate_stories(subtask, seed):
        assert all(gap > 0 and gap % 2 == 0 for gap in gaps(story))


@given(seed=seeds, subtask=st.sampled_from((*WALKING, *HEARSAY)))
def test_a_question_comes_after_every_two_statements_where_one_is_always_possible(seed, subtask):
    for story in generate_stories(subtask, seed):
        assert gaps(story) == [2] * 5


@given(seed=seeds, subtask=st.sampled_from(sorted(RECENT)))
def test_a_question_is_about_one_of_the_last_five_statements(seed, subtask):
    for story in generate_stories(subtask, seed):
        for number, line in enumerate(story.lines, 1):
            if isinstance(line, Question):
                since = story.lines[line.supporting[RECENT[subtask]] : number - 1]
                assert sum(not isinstance(other, Question) for other in since) < 5


@given(seed=seeds, subtask=st.sampled_from(HANDLING))
def test_handled_objects_are_at_hand(seed, subtask):
    for story in generate_stories(subtask, seed):
        place, lying, holder = {}, {}, {}
        for text in statements(story):
            if found := MOVE.fullmatch(text):
                _, person, to = found.groups()
                assert place.get(person) != to
                place[person] = to
            elif found := GET.fullmatch(text):
                person, thing = found.groups()
                assert thing not in holder
                meet(place, [person], lying.pop(thing, None))
                holder[thing] = person
            elif found := DROP.fullmatch(text):
                person, thing = found.groups()
                assert holder.pop(thing) == person
                lying[thing] = place.get(person)
            else:
                person, thing, receiver = GIVE.fullmatch(text).groups()
                assert holder[thing] == person != receiver
                meet(place, [person, receiver])
                holder[thing] = receiver


@given(seed=seeds, subtask=st.sampled_from(WALKING))
def test_people_move_to_unoccupied_places(seed, subtask):
    for story in generate_stories(subtask, seed):
        place, movers = {}, ()
        for text in statements(story):
            later, subject, to = MOVE.fullmatch(text).groups()
            movers = movers if later else tuple(subject.split(" and "))
            assert all(place.get(mover) != to for mover in movers)
            place.update(dict.fromkeys(movers, to))


@given(seed=seeds, subtask=st.sampled_from((11, 13)))
def test_every_other_statement_refers_to_the_people_of_the_previous_one(seed, subtask):
    for story in generate_stories(subtask, seed):
        told = [MOVE.fullmatch(text).groups() for text in statements(story)]
        for (no_time, name, _), (later, pronoun, _) in zip(told[::2], told[1::2], strict=True):
            assert no_time is None
            assert later
            of_one = "she" if name in ("Mary", "Sandra") else "he"
            assert pronoun == ("they" if " and " in name else of_one)


@given(seed=seeds, subtask=st.sampled_from(HEARSAY))
def test_statements_about_a_person_do_not_contradict_each_other(seed, subtask):
    for story in generate_stories(subtask, seed):
        # By person: where he or she was said to be, and surely not to be.
        known, denied = {}, {}
        for text in statements(story):
            found = REPORT.fullmatch(text)
            if found is None:
                _, person, place = MOVE.fullmatch(text).groups()
                how, other = None, None
            else:
                person, how, place, other = found.groups()
            if how in ("not ", "no longer "):
                # The person was there until now, and moved on.
                assert known.pop(person, place) == place != denied.get(person)
                denied[person] = place
                continue
            denied.pop(person, None)
            if other is None:
                # A person has always moved in between.
                assert known.get(person) != place
                known[person] = place
            else:
                assert {place, other} != {known.pop(person, None)}


def visits_of(text):
    """Return person, place and number of the time of day."""
    low = text[:-1].lower()
    (time,) = [day for day in DAY if low.startswith(day) or low.endswith(day)]
    rest = low.removeprefix(time).removesuffix(time).strip()
    person, place = rest.split()[0], rest.split()[-1]
    return person, place, DAY.index(time)


def test_visits_are_read_from_either_wording():
    visit = ("bill", "park", 1)
    assert visits_of("This morning Bill went back to the park.") == visit
    assert visits_of("Bill travelled to the park this morning.") == visit


@given(seed=seeds)
def test_times_of_day_are_complete_at_every_question(seed):
    for story in generate_stories(14, seed):
        times = defaultdict(list)
        for line in story.lines:
            if isinstance(line, Question):
                for told in times.values():
                    assert sorted(told) == list(range(len(told)))
            else:
                person, _, time = visits_of(line.text)
                times[person].append(time)


@given(seed=seeds)
def test_no_person_stays_at_a_place_for_two_times_of_day(seed):
    for story in generate_stories(14, seed):
        told = sorted(
            (person, time, place) for person, place, time in map(visits_of, statements(story))
        )
        for (one, _, before), (other, _, after) in itertools.pairwise(told):
            assert one != other or before != after


@given(seed=seeds)
def test_consecutive_visits_of_one_person_are_listed_backwards(seed):
    for story in generate_stories(14, seed):
        first, *_ = gaps(story)
        told = [visits_of(text) for text in statements(story)][first:]
        for (one, _, early), (other, _, late) in zip(told[::2], told[1::2], strict=True):
            assert one != other or early > late


@pytest.mark.parametrize("subtask", [7, 8])
def test_carried_objects_are_asked_about_right_after_the_first_handling(subtask):
    for story in generate_stories(subtask, 1):
        first = next(n for n, line in enumerate(story.lines) if isinstance(line, Question))
        told = [MOVE.fullmatch(line.text) is None for line in story.lines[:first]]
        assert any(told[-2:])
        assert not any(told[:-2])


def test_question_about_a_gift_refers_to_the_last_of_several_objects():
    for story in story_generator.stories(5, 1, "train", 5000):
        gifts = {}
        for number, line in enumerate(story.lines, 1):
            if found := GIVE.fullmatch(line.text):
                giver, _, receiver = found.groups()
                gifts[giver, receiver] = number
            elif found := re.fullmatch(r"What did (\w+) give to (\w+)\?", line.text):
                assert line.supporting == (gifts[found.groups()],)
