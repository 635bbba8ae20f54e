""""""

import random

from hypothesis import given
from hypothesis import strategies as st

from rumcli.tasks.babi.generator.story_builder import GIVERS, OBJECTS, PEOPLE, PLACES, Action, World

seeds = st.integers(0, 2**32 - 1)
givings = st.booleans()
EVENTS = 60


def happenings(seed, giving):
    """Yield a world's places, objects lying and objects held before each event, and the event."""
    world = World(random.Random(seed), GIVERS if giving else PEOPLE, giving)
    for _ in range(EVENTS):
        held = {person: list(things) for person, things in world.held.items()}
        before = dict(world.place), dict(world.object_places), held
        yield *before, world.simulate_event(), world


@given(seed=seeds, giving=givings)
def test_move_leads_to_another_place_with_the_held_objects(seed, giving):
    for place, lying, held, event, world in happenings(seed, giving):
        if event.action is Action.MOVE:
            assert event.target in PLACES
            assert place[event.person] != event.target == world.place[event.person]
            assert (world.object_places, world.held) == (lying, held)


@given(seed=seeds, giving=givings)
def test_only_objects_at_the_person_s_place_are_taken(seed, giving):
    for place, lying, _, event, world in happenings(seed, giving):
        if event.action is Action.GET:
            assert lying[event.target] == place[event.person]
            assert event.target in world.held[event.person]
            assert event.target not in world.object_places


@given(seed=seeds, giving=givings)
def test_only_held_objects_are_dropped_and_stay_there(seed, giving):
    for place, _, held, event, world in happenings(seed, giving):
        if event.action is Action.DROP:
            assert event.target in held[event.person]
            assert world.object_places[event.target] == place[event.person]


@given(seed=seeds)
def test_held_objects_are_given_to_a_person_at_the_same_place(seed):
    for place, _, held, event, world in happenings(seed, giving=True):
        if event.action is Action.GIVE:
            assert event.target in held[event.person]
            assert event.receiver != event.person
            assert place[event.receiver] == place[event.person]
            assert event.target in world.held[event.receiver]


@given(seed=seeds, giving=givings)
def test_every_object_lies_somewhere_or_is_held_by_one_person(seed, giving):
    for _, lying, held, _, _ in happenings(seed, giving):
        carried = [thing for things in held.values() for thing in things]
        assert sorted([*lying, *carried]) == sorted(OBJECTS)


@given(seed=seeds)
def test_worlds_without_giving_have_no_gifts(seed):
    deeds = {event.action for *_, event, _ in happenings(seed, giving=False)}
    assert Action.GIVE not in deeds


def test_people_act_equally_often_where_all_can_do_the_same():
    # Given: nothing to get, so that nothing but moves is possible.
    rng = random.Random(1)
    moves = dict.fromkeys(PEOPLE, 0)
    for _ in range(4000):
        world = World(rng, PEOPLE)
        world.object_places.clear()
        moves[world.simulate_event().person] += 1
    # Standard deviation of a share: √(1/4 · 3/4/4,000) = 0.007.
    assert all(abs(number / 4000 - 0.25) < 0.03 for number in moves.values())


def test_first_object_is_given_to_the_first_person():
    first, second, third, _ = GIVERS
    rng = random.Random(1)
    gifts = set()
    for _ in range(200):
        world = World(rng, GIVERS, giving=True)
        world.place.update(dict.fromkeys(GIVERS, "kitchen"))
        world.object_places.clear()
        world.held.update({second: ["milk", "apple"], third: ["football"]})
        event = world.simulate_event()
        if event.action is Action.GIVE:
            gifts.add(event[1:])
    assert gifts == {(second, "apple", first)}
