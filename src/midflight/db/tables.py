"""The framework's own tables. They lie in the project's database, under names that begin with ``mf_``.

They are created and changed by the revisions beside this file, never by ``metadata.create_all`` outside of tests.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

from midflight.db.clock import UtcDateTime

metadata = MetaData()

members = Table(
    "mf_members",
    metadata,
    Column("id", String, primary_key=True),
    Column("service", String, nullable=False),
    Column("host", String, nullable=False),
    Column("release", String, nullable=False),
    Column("manifest", String, nullable=False, doc="Digest of what it understands, a key of mf_manifests."),
    Column("topics", JSON, nullable=False, default=list, doc="The topics on which it takes work."),
    Column("database", Boolean, nullable=False, default=False, doc="It opens the database itself."),
    Column("code", String, nullable=False, default="", doc="The folder of the code that it really runs."),
    Column("overrides", JSON, nullable=False, default=dict, doc="Topic → release, pinned by its own configuration."),
    Column("beat_seconds", Float, nullable=False, default=10.0),
    Column("state", String, nullable=False),
    Column("epoch", Integer, nullable=False, default=0, doc="The last epoch that it acknowledged."),
    Column("joined_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("facts", JSON, nullable=False, default=dict, doc="What else it said of itself."),
    Index("mf_members_host", "service", "host"),
    Index("mf_members_kind", "service", "manifest"),
)
"""One row for each member that ever joined."""

manifests = Table(
    "mf_manifests",
    metadata,
    Column("digest", String, primary_key=True),
    Column("text", Text, nullable=False, doc="The manifest in its wire form, as JSON."),
)
"""What members understand, by digest."""

pins = Table(
    "mf_pins",
    metadata,
    Column("topic", String, primary_key=True, doc="A topic, or * for all."),
    Column("release", String, nullable=False),
    Column("manifest", String, nullable=False, doc="Digest, a key of mf_manifests."),
    Column("epoch", Integer, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
)
"""The pins that are set now; a topic without a row is auto."""

epoch = Table(
    "mf_epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
)
"""One row: the number of the fleet's present pins, write forms and store floor."""

forms = Table(
    "mf_forms",
    metadata,
    Column("name", String, primary_key=True, doc="The name of a data migration."),
    Column("form", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
)
"""The write form of each data migration."""

data_migrations = Table(
    "mf_data_migrations",
    metadata,
    Column("name", String, primary_key=True),
    Column("state", String, nullable=False),
    Column(
        "cursor",
        JSON,
        nullable=False,
        default=dict,
        doc='{"after": key of the last row seen, …}; {} at the start.',
    ),
    Column("passes", Integer, nullable=False, default=0, doc="How often the end of the table was reached."),
    Column("matched", Integer, nullable=False, default=0, doc="Sum over all chunks."),
    Column("completed", Integer, nullable=False, default=0, doc="Sum over all chunks."),
    Column("deferred", JSON, nullable=False, default=dict, doc="Reason → rows, in this pass or by the last proof."),
    Column("failed", Integer, nullable=False, default=0, doc="Rows in mf_quarantine."),
    Column("proven_at", UtcDateTime, doc="When the last proof found that all rows agree; empty if it did not."),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("wanted", String, doc="running, paused or stopped in the background; empty if nobody asked for it."),
    Column("deferred_rows", JSON, doc="Key, as text → reason, of the first of them; empty if none was ever kept."),
)
"""How far each data migration has come; written in the transaction of each chunk."""

sweeper = Table(
    "mf_sweeper",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", String, nullable=False, doc="The member that migrates rows in the background, or none."),
    Column("generation", Integer, nullable=False, doc="Counts the holders."),
    Column("beat", Integer, nullable=False, doc="Counted on by the holder."),
    Column("brake", Boolean, nullable=False, doc="Nobody migrates rows."),
    Column("pace", JSON, nullable=False, doc="Settings that differ from their defaults, or once did."),
    Column("held", String, nullable=False, doc="Why the holder waits."),
)
"""At most one row: who migrates rows in the background, and the one pace of all who do."""

quarantine = Table(
    "mf_quarantine",
    metadata,
    Column("name", String, primary_key=True, doc="The name of a data migration."),
    Column("key", String, primary_key=True, doc="The row's key, as text."),
    Column("error", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""The rows whose row function fails, with its last error."""

journal = Table(
    "mf_journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("facts", JSON, nullable=False),
    Index("mf_journal_kind", "kind", "id"),
    Index("mf_journal_at", "at"),
    sqlite_autoincrement=True,
)
"""What was done to the fleet, in order. Rows are only added."""

schema = Table(
    "mf_schema",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("release", String, nullable=False),
    Column("digest", String, nullable=False, doc="Stands for the content of the revision files."),
    Column("at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
"""Which code expanded the schema, and when; the last row is the present state."""

steps = Table(
    "mf_schema_steps",
    metadata,
    Column("revision", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("facts", JSON, nullable=False),
)
"""What is left to do of revisions that are applied: see db/schema/steps.py."""

contracts = Table(
    "mf_schema_contracts",
    metadata,
    Column("revision", String, primary_key=True),
    Column("state", String, nullable=False, doc="held or purged."),
    Column("release", String, nullable=False, doc="The release whose code did it."),
    Column("held_at", UtcDateTime),
    Column("purged_at", UtcDateTime),
)
"""How far each contract revision has come; one without a row waits."""

floor = Table(
    "mf_floor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("store_floor", String, nullable=False, doc="The oldest release that must still read what is written."),
    Column("sequence", Integer, nullable=False, doc="Its place in the project's history."),
)
"""At most one row: the store floor."""

traffic = Table(
    "mf_traffic",
    metadata,
    Column("minute", Integer, primary_key=True, autoincrement=False, doc="Its number since 1970."),
    Column("member", String, primary_key=True, doc="The conductor that counted."),
    Column("content", JSON, nullable=False, doc="See conductor/traffic.py."),
)
"""What each conductor answered in each of the last minutes."""

inbox = Table(
    "mf_inbox",
    metadata,
    Column("id", String, primary_key=True, doc="The id of a message."),
    Column("digest", String, nullable=False, doc="Stands for what it asks for."),
    Column("state", String, nullable=False, doc="How far it came: begun, done or parked."),
    Column("member", String, nullable=False, doc="Who has it in hand, or had it."),
    Column("until", Float, nullable=False, doc="The row may go then, in seconds of Unix time."),
    Index("mf_inbox_until", "until"),
    sqlite_with_rowid=False,
)
"""The messages that have had an effect on the database. A row is added in the transaction of the effect."""
