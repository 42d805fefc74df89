from dataclasses import replace

from midflight.upgrade import gates
from midflight.upgrade.verdict import Status
from tests.upgrade.fleets import (
    KILO,
    cloud,
    flavors,
    fleet,
    lost,
    member,
    proven,
    rejection,
    words,
)

# prepare


def test_prepare_passes_for_the_next_release_of_a_fleet_that_is_all_there() -> None:
    """The path is one release long, nobody is lost, and nothing is left over from before."""
    verdict = gates.prepare(cloud(), KILO)
    assert verdict.status is Status.PASS
    assert words(verdict, Status.PASS) == [
        "juno → kilo is one release (4 juno)",
        "kilo breaks no peer in the skew window",
        "nobody is lost (4 members)",
        "no earlier release has data migrations",
        "nothing was counted yet from which the cost of the upgrade could be told",
    ]


def test_prepare_refuses_to_skip_a_release() -> None:
    """It names what is skipped, and the way out goes there first."""
    verdict = gates.prepare(cloud("icehouse", "icehouse"), KILO)
    assert words(verdict, Status.FAIL) == ["icehouse → kilo skips juno"]
    assert verdict.way_out == ("midflight upgrade plan juno",)


def test_prepare_may_be_asked_again_in_the_middle() -> None:
    """The oldest member decides on the path; when nobody is old any more, there is none left."""
    assert gates.prepare(cloud("kilo", "juno"), KILO).status is Status.PASS
    assert "everyone runs kilo or later already" in words(gates.prepare(cloud("kilo", "kilo"), KILO), Status.PASS)


def test_prepare_names_code_that_is_no_release() -> None:
    """What was never frozen cannot be pinned."""
    verdict = gates.prepare(fleet(member("api", "web", "unreleased")), KILO)
    assert verdict.status is Status.FAIL
    assert words(verdict, Status.FAIL)[0].startswith("api@web runs 'unreleased', which is no frozen release")


def test_prepare_names_a_lost_member_with_its_age() -> None:
    """The way out is to start it again, or to retire it."""
    verdict = gates.prepare(fleet(member("api", "web"), lost("compute", "n7")), KILO)
    assert words(verdict, Status.FAIL) == ["compute@n7 is lost: last heard 3 min ago, with juno"]
    assert verdict.way_out == ("start it again, or: midflight fleet retire compute-n7-1",)


def test_prepare_wants_the_last_releases_data_to_be_done() -> None:
    """Unproven and unfinalized are two different things to do."""
    for state, said in (
        (proven(release="juno", form="new"), None),
        (proven(release="juno"), "flavors of juno is proven but not finalized"),
        (flavors(release="juno", completed=3, deferred=2, deferred_by={"error": 2}),
         "flavors of juno is not proven: 3 rows completed so far, 2 deferred (error 2)"),
    ):  # fmt: skip
        verdict = gates.prepare(cloud(migrations=[state]), KILO)
        assert words(verdict, Status.FAIL) == ([said] if said else [])


def test_prepare_warns_of_local_pins() -> None:
    """Without a pin of the fleet there is nothing that they differ from."""
    pinned = member("api", "web", overrides={"compute": "juno"})
    verdict = gates.prepare(fleet(pinned, pins={}), KILO)
    assert words(verdict, Status.WARN) == ["api@web overrides compute with juno in its own configuration"]
    assert verdict.status is Status.WARN


def test_prepare_of_an_empty_fleet_is_unknown() -> None:
    """Nothing was gathered, and unknown is never pass."""
    verdict = gates.prepare(fleet(), KILO)
    assert verdict.status is Status.UNKNOWN
    assert words(verdict, Status.UNKNOWN) == ["no member has joined the fleet"]


def test_prepare_names_what_the_target_breaks() -> None:
    """The first of it; and a copy of other code cannot tell."""
    broken = gates.prepare(cloud(), replace(KILO, breaks=tuple(f"Disk.f{number}: removed" for number in range(7))))
    assert words(broken, Status.FAIL) == [
        "kilo breaks peers: Disk.f0: removed; Disk.f1: removed; Disk.f2: removed; Disk.f3: removed; Disk.f4: removed; "
        "and 2 more"
    ]
    assert broken.way_out == ("midflight release check, from a copy of kilo",)
    other = gates.prepare(cloud(), replace(KILO, breaks=None))
    assert words(other, Status.UNKNOWN) == [
        "the code here does not say what the frozen kilo says: nobody can tell what it breaks"
    ]


# schema


def test_schema_passes_when_the_targets_code_expanded_it() -> None:
    """Or that of a later release."""
    assert words(gates.schema(cloud(), KILO), Status.PASS) == ["the schema is expanded to kilo, 12 min ago"]
    assert gates.schema(cloud(schema_release="liberty"), KILO).status is Status.PASS


def test_schema_of_the_release_before_fails() -> None:
    """The way out says from where to expand."""
    verdict = gates.schema(cloud(schema_release="juno"), KILO)
    assert words(verdict, Status.FAIL) == ["the schema is that of juno, 12 min ago"]
    assert verdict.way_out == ("midflight db expand, from a copy of kilo",)


def test_schema_passes_when_its_revisions_are_linted() -> None:
    """It is told with the rest; of a project without revisions nothing is said."""
    aim = replace(KILO, unlinted={})
    assert "all expand revisions are linted, as they stand" in words(gates.schema(cloud(), aim), Status.PASS)


def test_schema_by_revisions_that_nobody_may_rely_on() -> None:
    """Those that were changed since they were linted, or never linted, are unknown, and one with errors fails: each is
    named, and the way out is to lint."""
    changed = gates.schema(cloud(), replace(KILO, unlinted={"0002": "changed since it was linted"}))
    assert words(changed, Status.UNKNOWN)[0] == "revision 0002: changed since it was linted"
    assert changed.way_out == ("midflight db lint",)
    never = gates.schema(cloud(), replace(KILO, unlinted={"0001": "never linted", "0002": "never linted"}))
    assert words(never, Status.UNKNOWN)[0] == "revisions 0001, 0002: never linted"
    wrong = gates.schema(cloud(), replace(KILO, unlinted={"0002": "has errors (rewrite instances)"}))
    assert words(wrong, Status.FAIL)[0] == "revision 0002: has errors (rewrite instances)"


def test_schema_that_was_never_expanded_fails() -> None:
    """No record is a fact."""
    verdict = gates.schema(cloud(schema_release=None, schema_at=None), KILO)
    assert words(verdict, Status.FAIL) == ["no expand of the schema is recorded"]


def test_schema_by_unfrozen_code_is_unknown() -> None:
    """Nobody can say what that code added."""
    assert gates.schema(cloud(schema_release="unreleased"), KILO).status is Status.UNKNOWN


# pin


def test_pin_passes_when_every_member_obeys_the_epoch() -> None:
    """And everything is pinned to the release before."""
    verdict = gates.pin(cloud(), KILO)
    assert verdict.status is Status.PASS
    assert words(verdict, Status.PASS) == ["everything is pinned to juno", "epoch 4 is acknowledged by all 4"]


def test_pin_names_who_has_not_acknowledged() -> None:
    """With the epoch that it obeys."""
    verdict = gates.pin(fleet(member("api", "web"), member("compute", "n1", epoch=3, age=2)), KILO)
    assert words(verdict, Status.FAIL) == ["compute@n1 (active) obeys epoch 3, not 4; last heard 2 s ago"]


def test_pin_waits_for_a_lost_member_that_has_not_acknowledged() -> None:
    """It may live on behind a broken network; one that has acknowledged before does no harm."""
    verdict = gates.pin(fleet(member("api", "web"), lost("compute", "n1", epoch=3)), KILO)
    assert words(verdict, Status.FAIL) == ["compute@n1 is lost: last heard 3 min ago, with juno"]
    assert gates.pin(fleet(member("api", "web"), lost("compute", "n1")), KILO).status is Status.PASS


def test_pin_is_not_blocked_by_a_draining_member() -> None:
    """It takes no new work."""
    verdict = gates.pin(fleet(member("api", "web"), member("api", "old", state="draining", epoch=3)), KILO)
    assert verdict.status is Status.WARN


def test_pin_names_an_override_that_differs() -> None:
    """One that says the same as the fleet's pin is no fact at all."""
    same, other = member("api", "a", overrides={"compute": "juno"}), member("api", "b", overrides={"compute": "kilo"})
    verdict = gates.pin(fleet(same, other), KILO)
    assert words(verdict, Status.FAIL) == ["api@b overrides compute with kilo; the fleet's pin is juno"]


def test_pin_that_is_too_new_fails() -> None:
    """The release before does not understand it."""
    verdict = gates.pin(cloud(pins={"compute": "kilo"}), KILO)
    assert words(verdict, Status.FAIL) == [
        "compute is pinned to kilo, which the release before kilo does not understand"
    ]
    assert verdict.way_out == ("midflight pin set juno",)


def test_pin_by_a_bare_number_means_the_oldest_release_that_has_it() -> None:
    """3.35 is juno, 4.0 is kilo, and 9.9 nobody knows."""
    statuses = [gates.pin(cloud(pins={"compute": number}), KILO).status for number in ("3.35", "4.0", "9.9")]
    assert statuses == [Status.PASS, Status.FAIL, Status.UNKNOWN]


def test_no_pin_is_a_warning() -> None:
    """auto is safe, and not what an operator who pins wanted."""
    assert gates.pin(cloud(pins={}), KILO).status is Status.WARN


def test_pin_of_an_empty_fleet_is_unknown() -> None:
    """Nobody is there that could acknowledge."""
    assert gates.pin(fleet(), KILO).status is Status.UNKNOWN


# control


def test_control_passes_without_the_agents() -> None:
    """They come later, one by one."""
    verdict = gates.control(cloud("kilo", "juno"), KILO)
    assert verdict.status is Status.PASS
    assert "all 2 control services run kilo or later" in words(verdict, Status.PASS)


def test_control_names_who_is_left() -> None:
    """In one line, with the release that each runs."""
    verdict = gates.control(cloud("juno", "juno"), KILO)
    assert words(verdict, Status.FAIL) == ["2 of 2 control services left: api@web (juno), conductor@c1 (juno)"]
    assert verdict.way_out == ("deploy kilo to api@web, conductor@c1",)


def test_control_is_blocked_by_a_lost_service_and_an_old_schema() -> None:
    """Both are named."""
    verdict = gates.control(fleet(member("api", "a", "kilo"), lost("api", "b", "kilo"), schema_release="juno"), KILO)
    assert words(verdict, Status.FAIL) == [
        "api@b is lost: last heard 3 min ago, with kilo",
        "the schema is that of juno, 12 min ago",
    ]


def test_control_warns_of_a_new_service_that_is_draining() -> None:
    """It is on its way out."""
    verdict = gates.control(fleet(member("api", "a", "kilo"), member("api", "b", "kilo", state="draining")), KILO)
    assert words(verdict, Status.WARN) == ["api@b is draining"]


def test_control_without_control_services_is_unknown() -> None:
    """Agents alone are no fleet."""
    assert gates.control(fleet(member("compute", "n1")), KILO).status is Status.UNKNOWN


# soak


def test_soak_passes_when_it_has_been_clean_for_the_window() -> None:
    """The release counts say what was watched."""
    verdict = gates.soak(cloud("kilo", "juno"), KILO, window=10, clean_for=10)
    assert verdict.status is Status.PASS
    assert "running now: 2 juno, 2 kilo" in words(verdict, Status.PASS)


def test_soak_is_unknown_until_then() -> None:
    """It says how far it is."""
    verdict = gates.soak(cloud("kilo", "juno"), KILO, window=600, clean_for=4)
    assert words(verdict, Status.UNKNOWN) == ["clean in every look for 4 s of 10 min"]


def test_soak_names_the_sender_of_a_rejected_version() -> None:
    """With its release and pin epoch, the receiver, the method and both versions."""
    verdict = gates.soak(cloud("kilo", "juno", rejections=[rejection()]), KILO, window=10, clean_for=0)
    assert words(verdict, Status.FAIL) == [
        "compute@n1 (juno) rejected a message of api@web (kilo, pin epoch 3), 5 s ago: "
        "compute.build in 4.0, understood 3.35"
    ]


def test_soak_counts_what_one_sender_got_back_from_one_receiver() -> None:
    """A storm of rejections is one line for each pair, with the methods and the latest time."""
    storm = [rejection(7), rejection(4), rejection(6, "compute.reboot")]
    verdict = gates.soak(cloud("kilo", "juno", rejections=storm), KILO, window=10, clean_for=0)
    assert words(verdict, Status.FAIL) == [
        "compute@n1 (juno) rejected 3 messages of api@web (kilo, pin epoch 3), the last 4 s ago: "
        "compute.build, compute.reboot in 4.0, understood 3.35"
    ]


def test_soak_forgets_rejections_from_before_its_window() -> None:
    """They were dealt with."""
    verdict = gates.soak(cloud("kilo", "juno", rejections=[rejection(age=11)]), KILO, window=10, clean_for=10)
    assert verdict.status is Status.PASS


def test_soak_is_blocked_by_a_lost_member() -> None:
    """Old or new."""
    verdict = gates.soak(fleet(member("api", "a", "kilo"), lost("compute", "n1")), KILO, window=1, clean_for=1)
    assert verdict.status is Status.FAIL


def test_soak_without_anything_new_has_nothing_to_watch() -> None:
    """A clean fleet of the old release proves nothing."""
    assert gates.soak(cloud(), KILO, window=1, clean_for=1).status is Status.UNKNOWN


# roll


def test_roll_passes_when_all_agents_have_arrived() -> None:
    """The pin does not matter any more then."""
    assert gates.roll(cloud("kilo", "kilo", pins={}), KILO).status is Status.PASS


def test_roll_says_who_is_left_without_blocking_the_next() -> None:
    """More to do is a warning: the next agent may go."""
    verdict = gates.roll(fleet(member("compute", "n1", "kilo"), member("compute", "n2")), KILO)
    assert verdict.status is Status.WARN
    assert words(verdict, Status.WARN) == ["1 of 2 agents left: compute@n2 (juno)"]


def test_roll_is_blocked_by_a_lost_agent_a_rejection_or_a_pin_that_is_too_new() -> None:
    """Each by name."""
    agents = member("compute", "n1", "kilo"), member("compute", "n2")
    for broken in (
        fleet(*agents, lost("compute", "n3", "kilo")),
        fleet(*agents, rejections=[rejection()]),
        fleet(*agents, pins={"compute": "kilo"}),
    ):
        verdict = gates.roll(broken, KILO)
        assert verdict.status is Status.FAIL
        assert len(words(verdict, Status.FAIL)) == 1


def test_roll_without_agents_in_the_fleet_is_unknown_and_in_the_project_passes() -> None:
    """The first is a missing fact, the second a fact."""
    assert gates.roll(fleet(member("api", "web", "kilo")), KILO).status is Status.UNKNOWN
    without = type(KILO)("kilo", KILO.releases)
    assert gates.roll(fleet(member("api", "web", "kilo")), without).status is Status.PASS


# unpin


def test_unpin_passes_when_everyone_is_new() -> None:
    """Agents included."""
    verdict = gates.unpin(cloud("kilo", "kilo"), KILO)
    assert verdict.status is Status.PASS
    assert "all 4 members run kilo or later" in words(verdict, Status.PASS)


def test_unpin_is_blocked_by_the_last_old_member_and_by_a_lost_one() -> None:
    """Both may still be spoken to."""
    assert gates.unpin(cloud("kilo", "juno"), KILO).status is Status.FAIL
    assert gates.unpin(fleet(member("api", "a", "kilo"), lost("compute", "n1", "kilo")), KILO).status is Status.FAIL


def test_unpin_warns_of_members_that_stay_pinned_by_themselves() -> None:
    """Their own configuration wins over the fleet's."""
    verdict = gates.unpin(fleet(member("api", "a", "kilo", overrides={"compute": "juno", "network": "auto"})), KILO)
    assert words(verdict, Status.WARN) == [
        "api@a keeps compute at juno by its own configuration, whatever the fleet does"
    ]


def test_unpin_of_an_empty_fleet_is_unknown() -> None:
    """Nothing was gathered."""
    assert gates.unpin(fleet(), KILO).status is Status.UNKNOWN


# data


def test_data_passes_when_every_migration_is_proven() -> None:
    """The proof has an age."""
    verdict = gates.data(cloud("kilo", "kilo", migrations=[proven()]), KILO)
    assert verdict.status is Status.PASS
    assert "flavors is proven (5 s ago)" in words(verdict, Status.PASS)


def test_data_says_how_far_the_rows_have_come() -> None:
    """More to do is a warning, failed rows block."""
    state = {"completed": 10, "deferred": 5, "deferred_by": {"resizing": 3, "error": 2}}
    verdict = gates.data(cloud("kilo", "kilo", migrations=[flavors(**state)]), KILO)
    said = "flavors: 10 rows completed so far, 5 deferred (error 2, resizing 3)"
    assert words(verdict, Status.WARN) == [said]
    verdict = gates.data(cloud("kilo", "kilo", migrations=[flavors(**state, failed=2)]), KILO)
    assert words(verdict, Status.FAIL) == [f"{said}, 2 failed"]


def test_data_waits_for_old_writers_only() -> None:
    """An old agent does not open the database; an old api does."""
    assert gates.data(cloud("kilo", "juno", migrations=[proven()]), KILO).status is Status.PASS
    verdict = gates.data(cloud("juno", "kilo", migrations=[proven()]), KILO)
    assert words(verdict, Status.FAIL) == ["2 of 2 database writers left: api@web (juno), conductor@c1 (juno)"]


def test_data_that_an_old_conductor_gathered_is_unknown() -> None:
    """It does not know of the new release's migrations."""
    verdict = gates.data(cloud("kilo", "kilo", migrations=[], taken_by="conductor@c1 (juno)"), KILO)
    assert words(verdict, Status.UNKNOWN) == ["flavors: the conductor conductor@c1 (juno) knows nothing of it"]


def test_data_of_a_release_without_migrations_passes() -> None:
    """And says so."""
    verdict = gates.data(cloud("kilo", "kilo", migrations=[]), type(KILO)("kilo", KILO.releases))
    assert "kilo has no data migrations" in words(verdict, Status.PASS)


# finalize


def test_finalize_passes_when_all_is_proven_and_all_are_there() -> None:
    """It says that it will be proven again."""
    verdict = gates.finalize(cloud("kilo", "kilo", migrations=[proven()]), KILO)
    assert verdict.status is Status.PASS
    assert "flavors is proven (5 s ago); it will be proven again" in words(verdict, Status.PASS)
    assert "epoch 4 is acknowledged by all 2" in words(verdict, Status.PASS)


def test_finalize_names_everything_in_the_way() -> None:
    """Outdated and lost members, openers behind the epoch, and what is not proven; the worst come first."""
    members = [
        member("api", "web", "kilo", epoch=3),
        lost("compute", "n1", "kilo"),
        member("compute", "n2"),
    ]
    verdict = gates.finalize(fleet(*members, migrations=[flavors()]), KILO)
    assert words(verdict, Status.FAIL) == [
        "compute@n1 is lost: last heard 3 min ago, with kilo",
        "1 of 3 members left: compute@n2 (juno)",
        "api@web (active) obeys epoch 3, not 4; last heard 0 s ago",
        "flavors is not proven: 0 rows completed so far",
    ]
    assert len(verdict.way_out) == 4


def test_finalize_refuses_a_migration_that_writes_its_old_form_only() -> None:
    """What is saved now would be lost."""
    verdict = gates.finalize(cloud("kilo", "kilo", migrations=[proven(form="old")]), KILO)
    assert words(verdict, Status.FAIL) == ["flavors is still written in its old form only"]


def test_finalize_without_the_facts_of_a_migration_is_unknown() -> None:
    """Unknown is never pass."""
    assert gates.finalize(cloud("kilo", "kilo", migrations=[]), KILO).status is Status.UNKNOWN


def test_what_cannot_be_undone_is_listed() -> None:
    """Each form, and the store floor; when both are there, nothing is left."""
    assert gates.irreversible(cloud("kilo", "kilo", migrations=[proven()]), KILO) == [
        "flavors: instances is written in its new form only; the old one goes stale",
        "the store floor rises to kilo: no release before it can open the database again",
    ]
    done = cloud("kilo", "kilo", migrations=[proven(form="new")], store_floor="kilo")
    assert gates.irreversible(done, KILO) == []
    assert "flavors is finalized" in words(gates.finalize(done, KILO), Status.PASS)
