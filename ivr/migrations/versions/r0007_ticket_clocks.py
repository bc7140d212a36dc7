"""Tickets: what their kinds ask for, their clocks, solutions found by their words; emergencies and who is on call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0005"

MOMENT = sa.DateTime(timezone=True)
JSONS = sa.JSON().with_variant(JSONB(), "postgresql")

#: Only what has a running clock is looked at when deadlines are.
DUE = sa.text("due_at IS NOT NULL")

#: A full-text index of its own, kept by the database itself (SQLite FTS5, external content).
SQLITE_SEARCH = (
    """
    CREATE VIRTUAL TABLE solutions_words USING fts5(
        service, problem, solution,
        content='solutions', content_rowid='id', tokenize="unicode61 remove_diacritics 2"
    )
    """,
    """
    CREATE TRIGGER solutions_words_added AFTER INSERT ON solutions BEGIN
        INSERT INTO solutions_words (rowid, service, problem, solution)
        VALUES (new.id, new.service, new.problem, new.solution);
    END
    """,
    """
    CREATE TRIGGER solutions_words_gone AFTER DELETE ON solutions BEGIN
        INSERT INTO solutions_words (solutions_words, rowid, service, problem, solution)
        VALUES ('delete', old.id, old.service, old.problem, old.solution);
    END
    """,
    """
    CREATE TRIGGER solutions_words_changed AFTER UPDATE ON solutions BEGIN
        INSERT INTO solutions_words (solutions_words, rowid, service, problem, solution)
        VALUES ('delete', old.id, old.service, old.problem, old.solution);
        INSERT INTO solutions_words (rowid, service, problem, solution)
        VALUES (new.id, new.service, new.problem, new.solution);
    END
    """,
)
#: Words lose their accents, and signs are between words, as in FTS5; the expression is `ivr.tickets.knowledge_base`'s.
ACCENTED, PLAIN = "ÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŸàâäçéèêëîïôöùûüÿ", "aaaceeeeiioouuuy" * 2
SIGNS = """_-.,;:/@+&=<>~^`''"’‘«»()[]{}|*%$#!?"""
POSTGRESQL_SEARCH = (
    "CREATE INDEX ix_solutions_words ON solutions USING gin (to_tsvector('simple', translate("
    "lower(coalesce(service, '') || ' ' || coalesce(problem, '') || ' ' || solution), "
    f"'{ACCENTED}{SIGNS}', '{PLAIN}{' ' * len(SIGNS.replace(chr(39) * 2, chr(39)))}')))"
)


def upgrade() -> None:
    """Go up."""
    for column in (
        sa.Column("partner_id", sa.Integer()),
        sa.Column("details", JSONS),
        sa.Column("programming_min", sa.Integer()),
        sa.Column("on_site", sa.Boolean()),
        sa.Column("installation", sa.Boolean()),
        sa.Column("outside", sa.Boolean()),
        sa.Column("documented_at", MOMENT),
        sa.Column("answered_at", MOMENT),
        sa.Column("due_at", MOMENT),
    ):
        op.add_column("tickets", column)
    op.create_index("ix_tickets_due_at", "tickets", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)
    op.execute("UPDATE tickets SET status = 'waiting-requester' WHERE status = 'waiting'")
    op.create_table(
        "ticket_spans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_number", sa.Integer(), nullable=False),
        sa.Column("clock", sa.String(length=3), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("pace", sa.String(length=10), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ticket_spans_ticket_number", "ticket_spans", ["ticket_number"])
    # What is worked on already has been answered; its TR is counted from now on, so that none is late at once.
    op.execute(
        "UPDATE tickets SET answered_at = updated_at WHERE status IN ('in-progress', 'waiting-requester', 'resolved')"
    )
    op.execute("UPDATE tickets SET due_at = CURRENT_TIMESTAMP WHERE status = 'in-progress'")
    op.execute(
        """
        INSERT INTO ticket_spans (ticket_number, clock, level, pace, started_at)
        SELECT number, 'tr', coalesce(level, 1), CASE priority WHEN 'urgente' THEN 'always' ELSE 'working' END,
            CURRENT_TIMESTAMP
        FROM tickets WHERE status = 'in-progress'
        """
    )
    op.create_table(
        "ticket_alarms",
        sa.Column("ticket_number", sa.Integer(), nullable=False),
        sa.Column("clock", sa.String(length=3), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("raised_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("ticket_number", "clock", "level", "kind"),
    )
    op.create_table(
        "solutions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_number", sa.Integer()),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("service", sa.String(length=200)),
        sa.Column("problem", sa.Text()),
        sa.Column("solution", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_solutions_ticket_number", "solutions", ["ticket_number"])
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE_SEARCH:
            op.execute(statement)
    else:
        op.get_bind().exec_driver_sql(POSTGRESQL_SEARCH)
    op.create_table(
        "oncall_overrides",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=40), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_oncall_overrides_desk_starts_at", "oncall_overrides", ["desk", "starts_at"])
    op.create_table(
        "emergencies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("ticket_number", sa.Integer(), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=15)),
        sa.Column("merged_into", sa.Integer()),
        sa.Column("left_at", MOMENT, nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("notified_at", MOMENT),
        sa.Column("taken_at", MOMENT),
        sa.Column("taken_by", sa.String(length=100)),
        sa.Column("called_back_at", MOMENT),
        sa.Column("called_back_by", sa.String(length=100)),
        sa.ForeignKeyConstraint(["merged_into"], ["emergencies.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["ticket_number"], ["tickets.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
    )
    op.create_index("ix_emergencies_desk_left_at", "emergencies", ["desk", "left_at"])
    op.create_index("ix_emergencies_ticket_number", "emergencies", ["ticket_number"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("emergencies")
    op.drop_table("oncall_overrides")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE solutions_words")
    op.drop_table("solutions")
    op.drop_table("ticket_alarms")
    op.drop_table("ticket_spans")
    op.execute("UPDATE tickets SET status = 'waiting' WHERE status LIKE 'waiting-%'")
    op.execute("UPDATE tickets SET status = 'new' WHERE status = 'documented'")
    op.execute("UPDATE tickets SET status = 'in-progress' WHERE status = 'reopened'")
    op.drop_index("ix_tickets_due_at", "tickets")
    for name in (
        "due_at",
        "answered_at",
        "documented_at",
        "outside",
        "installation",
        "on_site",
        "programming_min",
        "details",
        "partner_id",
    ):
        op.drop_column("tickets", name)
