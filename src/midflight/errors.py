"""Every error that midflight raises.

    MidflightError
    ├── ObjectError
    │   ├── InvalidValue (ValueError)          a value that a field cannot take
    │   ├── MissingField (TypeError)           a required field was not given
    │   ├── UnknownField (TypeError)           a field that the object does not have
    │   ├── FieldNotLoaded (AttributeError)    a field that was never set or loaded
    │   ├── ReadOnlyField (AttributeError)     a read-only field was assigned again
    │   ├── NoContext (RuntimeError)           an object, or a context, that was made by hand leads nowhere
    │   ├── UnknownObject (LookupError)        a peer named an object that we do not have
    │   ├── UnknownRemotable (LookupError)     a peer named a method that we do not offer
    │   ├── NotReadable                        a peer sent a version that needs a translation
    │   ├── CannotBackport                     no older form says the same
    │   ├── RewriteFailed                      a named backport or forwardport is wrong
    │   └── Conflict                           a compare-and-swap found something else
    ├── RpcError
    │   ├── NotDelivered (ConnectionError)     nobody took the message: safe to repeat
    │   ├── Unknown (TimeoutError)             it may have run, or not
    │   ├── RemoteError                        the callee failed with an error of its own
    │   ├── VersionRejected                    the callee cannot serve this version
    │   ├── NotAllowed (PermissionError)       the sender may not ask for this
    │   ├── PinnedOut                          the pin forbids what the caller wants to say
    │   ├── MalformedMessage (ValueError)      bytes that are no message of ours
    │   ├── IdReused (ValueError)              one id for two requests
    │   └── MessageTooLarge (ValueError)       more bytes than the broker takes
    ├── BrokerUnreachable (ConnectionError)
    ├── DatabaseError
    │   ├── DatabaseUnreachable (ConnectionError)
    │   │   └── NoDatabaseUrl (ValueError)      the configuration names nothing that can be opened
    │   ├── DatabaseBusy (TimeoutError)         somebody else holds a lock for too long
    │   ├── DatabaseContended (TimeoutError)    others were always in the way of a transaction
    │   ├── CommitUnknown (ConnectionError)     the connection was lost in a commit
    │   ├── NoDatabaseHere (RuntimeError)      this service has no database
    │   ├── DatabaseForbidden                  a service without a database was given one
    │   ├── SchemaTooOld                       the schema lacks what this code needs
    │   ├── SchemaTooNew                       the schema has revisions that this code does not know
    │   ├── SchemaBusy                         another schema change is running
    │   ├── SchemaBlocked (TimeoutError)        somebody keeps a lock that a revision needs
    │   ├── SchemaBroken                       a revision did not do what it promised
    │   ├── CannotDerive                       a row whose new form is needed now cannot be given one
    │   └── Superseded                         another conductor migrates the rows by now
    ├── ConfigError (ValueError)               the configuration file
    ├── ProjectError (ValueError)              the project file, or a definition in it
    ├── OutsideWindow                          this release may not join this fleet
    ├── NotAMember (LookupError)               somebody beats who has not joined
    ├── NoConductor (ConnectionError)          an operator's command found nobody to ask
    ├── MissingExtra (ImportError)             a part of midflight whose requirements are not installed
    ├── MissingProgram (FileNotFoundError)     a program that is to be run is not installed
    ├── StepBlocked                            a step of an upgrade is refused
    ├── NotSignedIn (PermissionError)          the console was asked by somebody whom it does not know
    └── UsageError                             the command line

The first paragraph of each docstring is the message; its ``{names}`` are the error's facts, which
stay on the error as attributes and travel with it.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any, ClassVar, dataclass_transform

_TWO_STOPS = re.compile(r"(?<=[\w)'\"`])([.?!])\.(?= |$)")
"""What a fact that is a sentence itself, and the full stop of the message behind it, make together."""


@dataclass_transform(kw_only_default=True)
class MidflightError(Exception):
    """Something went wrong."""

    exit_code: ClassVar[int] = 70

    def __init__(self, **facts: Any) -> None:
        expected = self.fact_names()
        if set(facts) != set(expected):
            raise TypeError(f"{type(self).__name__} takes {', '.join(expected)}; received {', '.join(facts)}")
        self.__dict__.update(facts)
        super().__init__(*facts.values())

    @classmethod
    def fact_names(cls) -> tuple[str, ...]:
        """The names of the facts that this error is made from, in the order of their declaration."""
        return tuple(
            name for base in reversed(cls.__mro__) for name in inspect.get_annotations(base) if name != "exit_code"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What this error knows, by name."""
        return {name: self.__dict__[name] for name in self.fact_names()}

    def __str__(self) -> str:
        paragraph = inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0]
        text = textwrap.shorten(paragraph, 10_000).format(**self.facts)
        return _TWO_STOPS.sub(r"\1", text)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.facts))


def _rebuild(kind: type[MidflightError], facts: dict[str, Any]) -> MidflightError:
    return kind(**facts)


class ObjectError(MidflightError):
    """Something is wrong with a versioned object."""


class InvalidValue(ObjectError, ValueError):
    """{path}: received {received}, expected {expected}."""

    path: str
    received: str
    expected: str


class MissingField(ObjectError, TypeError):
    """{object} needs {fields}: give them, or start with {object}.unset(context)."""

    object: str
    fields: str


class UnknownField(ObjectError, TypeError, AttributeError):
    """{object} has no field {field!r}; it has {known}."""

    object: str
    field: str
    known: str


class FieldNotLoaded(ObjectError, AttributeError):
    """{object}.{field} is not loaded: await obj.load({field!r}) first."""

    object: str
    field: str


class ReadOnlyField(ObjectError, AttributeError):
    """{object}.{field} is read-only and has a value already."""

    object: str
    field: str


class NoContext(ObjectError, RuntimeError):
    """This {object} has no context that reaches a database or a conductor: the object or the context was made by hand.
    Give {object}(context=…), or call the method with context=…."""

    object: str


class UnknownObject(ObjectError, LookupError):
    """No object {object!r} in project {project}; it has {known}. Add it to Project(objects=…)."""

    object: str
    project: str
    known: str


class UnknownRemotable(ObjectError, LookupError):
    """{object}.{method} is no remotable here, in release {release}: the caller is newer than this
    conductor, or the name is wrong."""

    object: str
    method: str
    release: str


class NotReadable(ObjectError):
    """{path}: received {object} {received}, understand up to {understood}, and that version cannot be read by
    skipping what is new: it needs a translation by a conductor that knows it."""

    path: str
    object: str
    received: str
    understood: str


class CannotBackport(ObjectError):
    """{object} {version} cannot be said in {target}: {reason}.

    A named backport that finds something which an older peer must not be told wrongly raises ``CannotBackport("…")``
    with the reason alone; object, version and target are filled in round it.
    """

    object: str
    version: str
    target: str
    reason: str

    def __init__(
        self, reason: str, *, object: str = "it", version: str = "as it is", target: str = "an older version"
    ) -> None:
        MidflightError.__init__(self, object=object, version=version, target=target, reason=reason)


class RewriteFailed(ObjectError):
    """{path}: {rewrite} failed to lead {object} from {version} to {target}: {error}. A rewrite must take every form of
    the version that it leads from."""

    path: str
    object: str
    rewrite: str
    version: str
    target: str
    error: str


class Conflict(ObjectError):
    """{object}.{field} is {actual}, not {expected} as the save expected: read it again and decide anew."""

    object: str
    field: str
    actual: str
    expected: str


class RpcError(MidflightError):
    """A message did not have its effect."""


class NotDelivered(RpcError, ConnectionError):
    """{what} was certainly not executed: {reason}. It is safe to send it again."""

    exit_code = 75
    what: str
    reason: str


class Unknown(RpcError, TimeoutError):
    """{what} may or may not have been executed: {reason}. Look before you send it again."""

    exit_code = 4
    what: str
    reason: str


class RemoteError(RpcError):
    """{what} failed at {callee} with {kind}: {message}"""

    what: str
    callee: str
    kind: str
    message: str


class VersionRejected(RpcError):
    """{callee} serves {interface} {understood} and cannot serve {method} of version {requested}, sent by {sender}
    (pin epoch {pin_epoch}). Suspect the sender's pin."""

    exit_code = 78
    interface: str
    method: str
    requested: str
    understood: str
    sender: str
    callee: str
    pin_epoch: int


class NotAllowed(RpcError, PermissionError):
    """{what} was refused, and did not run: {sender} may not ask for it, since {reason}."""

    exit_code = 2
    what: str
    sender: str
    reason: str


class PinnedOut(RpcError):
    """{what} needs {needs}; the peer understands {pinned}. Raise the pin once every peer is new
    enough, or do without it."""

    what: str
    needs: str
    pinned: str


class MalformedMessage(RpcError, ValueError):
    """A message from {sender} was refused: {reason}."""

    sender: str
    reason: str


class IdReused(RpcError, ValueError):
    """{sender} sent {what} under the id {message_id}, which stands for another request already. It was not run: send it
    under an id of its own."""

    sender: str
    what: str
    message_id: str


class MessageTooLarge(RpcError, ValueError):
    """{what} is {size} bytes; at most {limit} can be sent. Send less at once, page by page."""

    what: str
    size: int
    limit: int


class BrokerUnreachable(MidflightError, ConnectionError):
    """No broker answers at {url}: {reason}. Start it, or mend [midflight] broker in the configuration."""

    exit_code = 75
    url: str
    reason: str


class DatabaseError(MidflightError):
    """Something is wrong with the database."""


class DatabaseUnreachable(DatabaseError, ConnectionError):
    """The database {url} cannot be opened: {reason}. Start it, or mend [midflight] database in the configuration."""

    exit_code = 75
    url: str
    reason: str


class NoDatabaseUrl(DatabaseUnreachable, ValueError):
    """The database {url} cannot be opened: {reason}. Mend [midflight] database in the configuration, or
    MIDFLIGHT_DATABASE."""

    exit_code = 64


class DatabaseBusy(DatabaseError, TimeoutError):
    """The database {url} was locked by another process for more than {seconds} s: nothing of this was written.
    Try again."""

    exit_code = 75
    url: str
    seconds: float


class DatabaseContended(DatabaseError, TimeoutError):
    """Others changed what this transaction in {url} has read, as often as it was tried within {seconds} s: nothing of
    it was written. Try again."""

    exit_code = 75
    url: str
    seconds: float


class CommitUnknown(DatabaseError, ConnectionError):
    """The connection to {url} was lost in a commit: all of the transaction is written, or nothing. Look before it is
    tried again."""

    exit_code = 4
    url: str


class NoDatabaseHere(DatabaseError, RuntimeError):
    """Service {service} has no database: call a remotable, and a conductor will run it."""

    service: str


class DatabaseForbidden(DatabaseError):
    """Service {service} works without a database, and was given {url}: take it out of its configuration."""

    exit_code = 64
    service: str
    url: str


class SchemaTooOld(DatabaseError):
    """The schema lacks {missing}, which release {release} needs: run `midflight db expand` from that release first."""

    exit_code = 78
    missing: str
    release: str


class SchemaTooNew(DatabaseError):
    """The schema is newer than this code: it has revision {revision}, which release {release} does not know. Expand
    from the release that is to be deployed; services of {release} may go on working."""

    exit_code = 78
    revision: str
    release: str


class SchemaBusy(DatabaseError):
    """Another schema change is running: {owner} on {host}, for {age}. Try again when it is done."""

    exit_code = 75
    owner: str
    host: str
    age: str


class SchemaBlocked(DatabaseError, TimeoutError):
    """Revision {revision} was tried for {seconds} s and given up, with nothing of it kept: process {pid} of the
    database keeps a lock that it needs, since {age}: {query}. Try again when it has ended, or end it: SELECT
    pg_terminate_backend({pid})."""

    exit_code = 75
    revision: str
    seconds: float
    pid: str
    query: str
    age: str


class SchemaBroken(DatabaseError):
    """Revision {revision} did not do what it promised: {reason}. Nothing of it was kept."""

    exit_code = 64
    revision: str
    reason: str


class CannotDerive(DatabaseError):
    """{migration} cannot derive the new form of {table} {key}: {error}. The new form is read already, so the change was
    not saved: mend the row or the row function, or advance the form back to 'both, read old'."""

    migration: str
    table: str
    key: str
    error: str


class Superseded(DatabaseError):
    """The lease on data migrations is no longer ours: {holder} holds it in generation {present}, and this was
    {generation}. Nothing was written; whoever holds it goes on from the last committed chunk."""

    exit_code = 75
    generation: int
    holder: str
    present: int


class ConfigError(MidflightError, ValueError):
    """{path}: {where}: {reason}."""

    exit_code = 64
    path: str
    where: str
    reason: str


class ProjectError(MidflightError, ValueError):
    """{where}: {reason}."""

    exit_code = 64
    where: str
    reason: str


class OutsideWindow(MidflightError):
    """{service} of release {release} may not join this fleet: {reason}."""

    exit_code = 78
    service: str
    release: str
    reason: str


class NotAMember(MidflightError, LookupError):
    """{member} is no member of this fleet: it never joined, or was retired. It has to say hello again."""

    member: str


class NoConductor(MidflightError, ConnectionError):
    """No conductor of project {project} answers at {broker}: {reason}. Start one with `midflight run conductor`."""

    exit_code = 75
    project: str
    broker: str
    reason: str


class MissingExtra(MidflightError, ImportError):
    """{module} needs {missing}, which is not installed: pip install 'midflight[{extra}]'."""

    exit_code = 64
    module: str
    missing: str
    extra: str


class MissingProgram(MidflightError, FileNotFoundError):
    """{program} was not found: {way}."""

    exit_code = 64
    program: str
    way: str


class StepBlocked(MidflightError):
    """{step} is refused: {reason}."""

    exit_code = 2
    step: str
    reason: str


class NotSignedIn(MidflightError, PermissionError):
    """{reason}."""

    exit_code = 2
    reason: str


class UsageError(MidflightError):
    """{reason}."""

    exit_code = 64
    reason: str
