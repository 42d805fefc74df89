"""What is heard where, and how loud. On the page these are done at once; without its script, they are asked first."""

from __future__ import annotations

from collections.abc import Callable

from house.errors import NotNow
from house.sound_operator import Patched
from house.web.acts.fields import at, time_of, until_when
from house.web.acts.sound.fields import named, some_target, stream_of, target_of, the_stream, the_target
from house.web.sources import BAY
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight import InvalidValue
from midflight.web import Act, Field, Question, Tell


def tell_all(patched: Patched, said: str, tell: Tell) -> None:
    """What was done, and what became of each machine that had to be woken for it. Raises NotNow where some have not
    woken: nothing is heard there."""
    tell(said)
    wrong = [f"{wake.machine} has not woken after {wake.tries} tries" for wake in patched.woken if not wake.awake_at]
    for wake in patched.woken:
        if wake.took_seconds is not None:
            tell(f"{wake.machine} was woken for it, in {wake.took_seconds:.1f} s")
    if wrong := [*wrong, *patched.troubles]:
        raise NotNow(said, "; ".join(wrong))


def _ask_to_patch(scene: HouseScene) -> Question:
    target, stream = target_of(scene), stream_of(scene)
    return Question(
        words=f"{named(target)} hears {stream} from now on.",
        command=f"house sound patch {target} {stream}",
        confirm="Patch it",
        fields=[the_target(target), the_stream(stream)],
    )


async def _patch(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    target, stream = target_of(scene), stream_of(scene)
    patched = await visitor.do(lambda operator: operator.sound.patch(target, stream))
    tell_all(patched, f"{named(target)} hears {stream}", tell)


def _ask_to_silence(scene: HouseScene) -> Question:
    target = target_of(scene)
    return Question(
        words=f"Nothing is patched to {named(target)} any more.",
        command=f"house sound off {target}",
        confirm="Silence",
        fields=[the_target(target)],
    )


async def _silence(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    target = target_of(scene)
    await visitor.do(lambda operator: operator.sound.patch(target, None))
    tell(f"{named(target)} falls silent")


def _ask_volume(scene: HouseScene) -> Question:
    target = target_of(scene)
    return Question(
        words=f"How loud {named(target)} plays.",
        command=f"house sound volume {target} 40",
        confirm="Set it",
        fields=[the_target(target), Field("percent", "Percent", scene.fields.get("percent", "40"), hint="0 to 100")],
    )


async def _set_volume(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    target, text = target_of(scene), scene.field("percent")
    if not text.isascii() or not text.isdigit():
        raise InvalidValue(path="volume", received=repr(text), expected="percent, from 0 to 100")
    await visitor.do(lambda operator: operator.sound.set_volume(target, int(text)))
    tell(f"{named(target)} plays at {int(text)} %")


def _asking(words: str, command: str, confirm: str) -> Callable[[HouseScene], Question]:
    """A question about a target and nothing else."""

    def ask(scene: HouseScene) -> Question:
        target = target_of(scene)
        return Question(
            words=words.format(named(target)), command=command.format(target), confirm=confirm,
            fields=[the_target(target)],
        )  # fmt: skip

    return ask


async def _mute(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    target = target_of(scene)
    await visitor.do(lambda operator: operator.sound.mute(target))
    tell(f"{named(target)} is muted")


async def _unmute(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    target = target_of(scene)
    await visitor.do(lambda operator: operator.sound.mute(target, False))
    tell(f"{named(target)} is heard again")


def _ask_timer(scene: HouseScene) -> Question:
    return Question(
        words="These rooms fall silent by themselves, then.",
        command="house sound timer bedroom 45m",
        confirm="Set the timer",
        fields=[some_target(scene), until_when(scene.fields.get("until", "45m"))],
    )


async def _set_timer(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    target, until = target_of(scene), time_of(scene)
    await visitor.do(lambda operator: operator.sound.turn_off_at(target, until))
    tell(f"{named(target)} falls silent at {at(until)}")


async def _let_play(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    target = target_of(scene)
    await visitor.do(lambda operator: operator.sound.turn_off_at(target, None))
    tell(f"{named(target)} plays on")


PATCH = Act("patch", "Patch a stream", _ask_to_patch, _patch, (BAY,))
SILENCE = Act("silence", "Silence", _ask_to_silence, _silence, (BAY,))
VOLUME = Act("volume", "Set the volume", _ask_volume, _set_volume, (BAY,))
_ask_to_mute = _asking("{} is muted. It goes on hearing what it hears.", "house sound mute {}", "Mute it")
_ask_to_unmute = _asking("{} is heard again.", "house sound mute {} --undo", "Unmute it")
_ask_to_let_play = _asking("{} plays on.", "house sound timer {} --undo", "Let it play")
MUTE = Act("mute", "Mute", _ask_to_mute, _mute, (BAY,))
UNMUTE = Act("unmute", "Unmute", _ask_to_unmute, _unmute, (BAY,))
TIMER = Act("timer", "Set a sleep timer", _ask_timer, _set_timer, (BAY,))
LET_PLAY = Act("let-play", "Let rooms play on", _ask_to_let_play, _let_play, (BAY,))
