"""The one table that both releases of the sample project share."""

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

metadata = MetaData()

machines = Table(
    "machines",
    metadata,
    Column("name", String, primary_key=True),
    Column("host", String),
    Column("boots", Integer, nullable=False),
    Column("note", String),
    Column("disk", JSON(none_as_null=True)),
)
