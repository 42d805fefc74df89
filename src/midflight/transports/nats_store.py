"""What the broker keeps: casts until they have been run, and parked messages until somebody decides.

This is JetStream, spoken to by its JSON interface through our own inbox, so that every answer has a deadline.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from nats.aio.msg import Msg

from midflight.telemetry import log
from midflight.transports.nats_client import CONNECT_SECONDS
from midflight.transports.nats_connection import Connection, Denied, NotTaken
from midflight.transports.nats_message import status_of
from midflight.transports.nats_subjects import Subjects

API = "$JS.API"
ELECTED = "$JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED"
API_SECONDS = 3.0
LIST_SECONDS = 30.0
"""How long a listing may take."""


STORE_SECONDS = 10.0
"""How long a store that does not answer, or says that it cannot yet, is waited for: a cluster that has lost its leader
takes about 5 s to choose another one."""

REPLICAS = 3
"""How often a cluster of at least so many servers keeps everything. One of them may be lost, and nothing is."""

DUPLICATE_SECONDS = 120
FORGET_SECONDS = 7 * 24 * 3600
"""A consumer that nobody pulls from is forgotten after a week; the casts for it are not."""

BODY_SECONDS = 30 * 24 * 3600
"""What nobody has taken or dropped for a month, since its sender died before its message was whole, or its receiver
just after it had run it, is let go."""

TRY_SECONDS = 1.0
PAUSE_SECONDS = 0.1

MOST_CONSUMERS = 100_000
"""Each address has one. A stream that names no number is held to a thousand by nats-server 2.15."""

OTHER_CONFIGURATION = 10058
"""JetStream's code for a stream that was made with other words before: by another version of us, or by hand."""

NO_STREAM = 10059
"""JetStream's code for a stream that is not there."""

NO_PEERS = 10005
"""JetStream's code for a new stream that cannot be kept as often as we want, since servers of the cluster are away."""

NOT_LAST = {10071, 10164}
"""JetStream's codes for a message that shall follow another one of its subject, which is not the last one."""

LAST_PLACE = "Nats-Expected-Last-Subject-Sequence"
LIVES = "Nats-TTL"
EMPTY_SECONDS = 3600
"""So long an empty message stays in place of one that was let go: a replica that knows it need not be asked again."""

TEMPORARY = 503
"""The status by which JetStream says that it has no leader, or not yet."""


class Refused(Exception):
    """JetStream answered, and said no."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error.get("description", "no reason given"))
        self.code = error.get("err_code", 0)
        self.is_temporary = error.get("code") == TEMPORARY or self.code == NO_PEERS


class Store:
    """The streams of one project, and what may be asked of them."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection, self.subjects = connection, subjects
        self.replicas = REPLICAS if connection.servers >= REPLICAS else 1
        """How often everything is kept."""

    async def patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try until it succeeds, or nothing can be hoped for any more. Errors as of ``declare``."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            try:
                return await attempt()
            except (Refused, NotTaken, TimeoutError) as error:
                if loop.time() - begun > _patience(error):
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def declare(self) -> None:
        """See that all streams are there; any number of processes may do so at once. Raises Refused, TimeoutError, or
        NotTaken where the broker has no JetStream, or not yet."""
        await asyncio.gather(
            self._declare(self.subjects.casts, "workqueue"),
            self._declare(self.subjects.parked, "limits", max_msgs_per_subject=1, allow_msg_ttl=True),
            self._declare(self.subjects.bodies, "limits", max_msgs_per_subject=1, max_age=nanoseconds(BODY_SECONDS)),
        )

    async def _declare(self, stream: str, retention: str, **more: Any) -> None:
        """Who has no right to make one may still look whether it is there."""
        try:
            config = (await self.ask(f"STREAM.INFO.{stream}"))["config"]
        except Refused as refused:
            if refused.code != NO_STREAM:
                raise
            await self._create(stream, retention, **more)
        else:
            await self._raise_replicas(stream, config)

    async def _create(self, stream: str, retention: str, **more: Any) -> None:
        try:
            await self.ask(
                f"STREAM.CREATE.{stream}",
                name=stream,
                subjects=[self.subjects.of_streams()[stream]],
                retention=retention,
                storage="file",
                num_replicas=self.replicas,
                max_consumers=MOST_CONSUMERS,
                allow_direct=True,
                duplicate_window=nanoseconds(DUPLICATE_SECONDS),
                **more,
            )
        except Refused as refused:
            if refused.code != OTHER_CONFIGURATION:
                raise  # else somebody else has made it just now

    async def _raise_replicas(self, stream: str, config: dict[str, Any]) -> None:
        """A stream from before there was a cluster is kept as often as the others from now on; one that is kept more
        often than we would is left as it is."""
        if config["num_replicas"] >= self.replicas:
            return
        try:
            await self.ask(f"STREAM.UPDATE.{stream}", **(config | {"num_replicas": self.replicas}))
        except (Refused, TimeoutError) as refused:  # who has no right to it is not answered
            reason = str(refused) or "no answer"
            log.warning("transport.replicas_refused", stream=stream, wanted=self.replicas, reason=reason)
        else:
            log.info("transport.replicas_raised", stream=stream, replicas=self.replicas)

    async def declare_consumer(self, name: str, subject: str, ack_wait: float) -> None:
        """See that the casts to this subject can be pulled by this name. Errors as of ``declare``."""
        config = {
            "name": name,
            "durable_name": name,
            "filter_subject": subject,
            "ack_policy": "explicit",
            "ack_wait": nanoseconds(ack_wait),
            "max_ack_pending": -1,
            "inactive_threshold": nanoseconds(FORGET_SECONDS),
        }
        stream = self.subjects.casts
        await self.ask(f"CONSUMER.CREATE.{stream}.{name}.{subject}", stream_name=stream, config=config)

    async def put(self, subject: str, body: bytes, headers: dict[str, str], timeout: float) -> int:
        """Have a message stored, once by the identity in its headers however often it is sent; its place in the stream.
        Raises TimeoutError if nobody confirms, and Denied."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            if place := await self._stored(subject, body, headers, min(left, TRY_SECONDS)):
                return place
            await asyncio.sleep(PAUSE_SECONDS)
        raise TimeoutError

    async def _stored(self, subject: str, body: bytes, headers: dict[str, str], timeout: float) -> int:
        """Its place, or 0."""
        try:
            return int(_answered(await self._connection.request(subject, body, timeout, headers))["seq"])
        except TimeoutError:
            pass
        except Denied:
            raise
        except NotTaken:
            await self._declare_again(timeout)
        except Refused as refused:
            log.warning("transport.cast_refused", subject=subject, reason=str(refused), **headers)
        return 0

    async def _declare_again(self, timeout: float) -> None:
        """The streams are gone, or are not there yet: the broker has just started, perhaps with an empty store."""
        try:
            async with asyncio.timeout(timeout):
                await self.declare()
        except (Refused, NotTaken, TimeoutError) as error:
            log.warning("transport.store_missing", broker=self._connection.url, reason=str(error) or "no answer")

    async def listed(self, stream: str, subject: str) -> list[Msg]:
        """What lies in a stream under a subject, less the bodies, oldest first. By a consumer for this once: its filter
        is part of what the broker is asked, who so can say who may list what, and its name is known to nobody else."""
        name, inbox, heard = secrets.token_hex(16), self._connection.new_inbox(), asyncio.Queue[Msg]()
        config = {
            "name": name,
            "filter_subject": subject,
            "ack_policy": "none",
            "headers_only": True,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": nanoseconds(API_SECONDS),
        }
        # Whoever starts does this, and many may start at once: a store that has much to do is waited for.
        made = await self.ask(
            f"CONSUMER.CREATE.{stream}.{name}.{subject}", within=STORE_SECONDS, stream_name=stream, config=config
        )
        if not (total := made["num_pending"]):
            return []
        interest = await self._connection.subscribe(f"{inbox}.*", heard.put_nowait)
        try:
            wanted, deadline = (
                msgspec.json.encode({"batch": total, "no_wait": True}),
                asyncio.get_running_loop().time() + API_SECONDS,
            )
            next_ones = f"{API}.CONSUMER.MSG.NEXT.{stream}.{name}"
            await self._connection.publish(next_ones, wanted, deadline=deadline, reply=f"{inbox}.listed")
            found = list[Msg]()
            async with asyncio.timeout(LIST_SECONDS):
                while len(found) < total and not status_of(message := await heard.get()):
                    found.append(message)
            return found
        finally:
            await self._connection.withdraw(interest)

    async def last_at(self, stream: str, subject: str) -> Msg | None:
        """What lies in a stream under exactly this subject, the last of it; a replica may not have heard of it yet."""
        message = await self._connection.request(f"{API}.DIRECT.GET.{stream}.{subject}", b"", API_SECONDS)
        return None if status_of(message) else message

    async def replace(self, subject: str, place: int) -> bool:
        """Put an empty message, which goes by itself, in place of the one that lies there. False where that is not the
        last under its subject any more."""
        headers = {LAST_PLACE: str(place), LIVES: f"{EMPTY_SECONDS}s"}
        try:
            _answered(await self._connection.request(subject, b"", API_SECONDS, headers))
        except Refused as refused:
            if refused.code not in NOT_LAST:
                raise
            return False
        return True

    async def ask(self, what: str, *, within: float | None = None, **request: Any) -> Any:
        """One request of JetStream's own, answered within so many seconds, else API_SECONDS. Raises Refused, NotTaken
        or TimeoutError."""
        body = msgspec.json.encode(request)
        return _answered(await self._connection.request(f"{API}.{what}", body, within or API_SECONDS))


def _patience(error: Exception) -> float:
    """For how long it makes sense to try again, in seconds."""
    if isinstance(error, Refused) and not error.is_temporary:
        return 0.0
    if isinstance(error, Denied):  # a stream that we must not make: a conductor may be about to
        return STORE_SECONDS
    return CONNECT_SECONDS if isinstance(error, NotTaken) else STORE_SECONDS


def nanoseconds(seconds: float) -> int:
    """As JetStream counts time."""
    return int(seconds * 1_000_000_000)


def _answered(message: Msg) -> Any:
    answer = msgspec.json.decode(message.data)
    if error := answer.get("error"):
        raise Refused(error)
    return answer
