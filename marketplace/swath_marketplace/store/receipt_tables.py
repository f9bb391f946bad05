"""Tables of receipts, of the log that they stand in and of the keys they are signed with.

Triggers of the migration make every one of them append-only. That keeps out mistakes. Every column is bound by a
signature or by the tree, so that what somebody changes who can take the triggers away is seen, to the byte
(`services.receipt_audit`).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.store.tables import Base, table_of


class InstallationRow(Base, table=True):
    """Who signs: one row, made with the first key."""

    __tablename__ = "installation"
    __table_args__ = (sa.CheckConstraint("number = 1", name="ck_installation_one"),)

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    origin: str


class KeyEventRow(Base, table=True):
    """A link of the chain of key events, as signed."""

    __tablename__ = "signing_key_events"
    __table_args__ = (sa.CheckConstraint("sequence > 0", name="ck_signing_key_events_sequence"),)

    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    envelope: str = Field(sa_column=sa.Column(sa.Text, nullable=False))


class ReceiptRow(Base, table=True):
    """A receipt, which is an entry of the log."""

    __tablename__ = "receipts"
    __table_args__ = (
        sa.UniqueConstraint("run_id", "sequence", name="uq_receipts_run"),
        sa.CheckConstraint("log_index >= 0 AND sequence > 0", name="ck_receipts_numbers"),
        sa.CheckConstraint("length(leaf_sha256) = 64", name="ck_receipts_leaf"),
        sa.Index("ix_receipts_key", "key_id"),
        sa.Index("ix_receipts_leaf", "leaf_sha256"),
    )

    log_index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    run_id: str = Field(foreign_key="runs.id")
    sequence: int
    key_id: str
    envelope: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    leaf_sha256: str


class ReceiptOutputRow(Base, table=True):
    """Which receipts have an output of a hash."""

    __tablename__ = "receipt_outputs"

    sha256: str = Field(primary_key=True)
    log_index: int = Field(primary_key=True, foreign_key="receipts.log_index")
    name: str = Field(primary_key=True)


class NodeRow(Base, table=True):
    """Hash of a complete subtree of the log's Merkle tree."""

    __tablename__ = "receipt_nodes"
    __table_args__ = (sa.CheckConstraint("length(sha256) = 64", name="ck_receipt_nodes_hash"),)

    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    sha256: str


class CheckpointRow(Base, table=True):
    """A signed checkpoint of the log."""

    __tablename__ = "receipt_checkpoints"
    __table_args__ = (sa.CheckConstraint("size > 0", name="ck_receipt_checkpoints_size"),)

    size: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    envelope: str = Field(sa_column=sa.Column(sa.Text, nullable=False))


installation = table_of(InstallationRow)
key_events = table_of(KeyEventRow)
receipts = table_of(ReceiptRow)
outputs = table_of(ReceiptOutputRow)
nodes = table_of(NodeRow)
checkpoints = table_of(CheckpointRow)
