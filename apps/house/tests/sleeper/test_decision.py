from house.sleeper.decision import Standing, changed, decide, refused


def test_it_sleeps_when_nothing_was_busy_for_long_enough() -> None:
    """Counted from the first quiet look; each busy one begins anew."""
    standing, decided = decide(Standing(), (), 100, 60)
    assert (decided.sleep, decided.because, decided.sleeps_in) == (False, ("it has been quiet for 0 of 60 s",), 60)
    standing, decided = decide(standing, ("ada is here",), 130, 60)
    assert (decided.sleep, decided.because, decided.sleeps_in) == (False, ("ada is here",), None)
    standing, decided = decide(standing, (), 160, 60)
    standing, decided = decide(standing, (), 219, 60)
    assert (decided.sleep, decided.sleeps_in) == (False, 1)
    standing, decided = decide(standing, (), 220, 60)
    assert (decided.sleep, decided.because) == (True, ("nothing has needed it for 60 s",))


def test_who_was_refused_asks_again_later() -> None:
    """Not at each look: after a while, or when somebody says that things have changed; and says why until then."""
    standing, _ = decide(Standing(), (), 0, 60)
    standing = refused(standing, ("a party",), 60, 30)
    standing, decided = decide(standing, (), 80, 60)
    assert (decided.sleep, decided.because, decided.sleeps_in) == (False, ("a party",), 10)
    assert decide(standing, (), 90, 60)[1].sleep
    assert decide(changed(standing), (), 81, 60)[1].sleep


def test_a_refusal_is_forgotten_when_it_is_busy() -> None:
    """Then it is awake for another reason."""
    standing = refused(Standing(quiet_since=0), ("a party",), 60, 3000)
    standing, _ = decide(standing, ("ada is here",), 70, 60)
    standing, _ = decide(standing, (), 80, 60)
    assert decide(standing, (), 140, 60)[1].sleep
