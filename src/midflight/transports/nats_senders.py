"""Who has sent a message of NATS: by its subject, as long as it came from a member and not out of the broker's store.

A subject proves its sender, since the broker lets each member publish under its own name only. Two ways lead round that
and are closed here. Who asks the store for a message may name any subject for the answer, and the store publishes it
there. And who calls may name any inbox for the answer, and the callee, who may answer there, would speak for it.
"""

from __future__ import annotations

from nats.aio.msg import Msg

from midflight.transports.base import Identity
from midflight.transports.handlers import Unproven
from midflight.transports.nats_message import STREAM, cancelled_by
from midflight.transports.nats_subjects import Subjects, sender_in


def caller_of(message: Msg, subjects: Subjects) -> Identity:
    """Who sent a call, or cancels one. Raises Unproven."""
    sender = sender_of(message)
    if cancelled_by(message) is None and not message.reply.startswith(f"{subjects.inbox(sender)}."):
        raise Unproven(f"{sender} wants its answer at {message.reply or 'no subject'}, which is not its own inbox")
    return sender


def teller_of(message: Msg) -> Identity:
    """Who sent a fanout. Raises Unproven."""
    if message.reply:
        raise Unproven(f"a fanout that wants an answer at {message.reply}")
    return sender_of(message)


def sender_of(message: Msg) -> Identity:
    """Who sent a cast, or anything. Raises Unproven."""
    if message.headers and STREAM in message.headers:
        raise Unproven(f"{message.subject}: the store has sent it, where somebody wanted it to")
    if (sender := sender_in(message.subject)) is None:
        raise Unproven(f"{message.subject} ends with no service and host")
    return sender
