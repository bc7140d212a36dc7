"""The directory by keys that people know, per provider, and what changed in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from ivr.directory.model import slug

revision = "0034"
down_revision = "0033"

JSONS = sa.JSON().with_variant(JSONB(), "postgresql")


def _provider() -> sa.Column[str]:
    return sa.Column("provider", sa.String(length=40), nullable=False, server_default=sa.text("'main'"))


def _list(name: str) -> sa.Column[object]:
    return sa.Column(name, JSONS, nullable=False, server_default=sa.text("'[]'"))


def _key() -> sa.Column[str]:
    return sa.Column("key", sa.String(length=60), nullable=False, server_default=sa.text("''"))


def upgrade() -> None:
    """Go up."""
    with op.batch_alter_table("partners") as partners:
        partners.add_column(_provider())
        partners.add_column(_key())
        partners.add_column(sa.Column("portal", sa.String(length=500)))
        partners.add_column(sa.Column("language", sa.String(length=5)))
        partners.drop_constraint("uq_partners_name", type_="unique")
    with op.batch_alter_table("customers") as customers:
        customers.add_column(_provider())
        customers.add_column(sa.Column("language", sa.String(length=5)))
        customers.add_column(sa.Column("desk", sa.String(length=40)))
        customers.drop_constraint("uq_customers_account", type_="unique")
        customers.create_unique_constraint("uq_customers_provider_account", ["provider", "account"])
    with op.batch_alter_table("contacts") as contacts:
        contacts.add_column(_provider())
        contacts.add_column(_key())
        contacts.add_column(_list("phones"))
        contacts.add_column(_list("rights"))
    with op.batch_alter_table("technicians") as technicians:
        technicians.add_column(_provider())
        technicians.add_column(_key())
        technicians.add_column(sa.Column("penalties", JSONS, nullable=False, server_default=sa.text("'{}'")))
        technicians.add_column(_list("languages"))
        technicians.add_column(_list("skills"))
        technicians.add_column(sa.Column("external_number", sa.String(length=20)))
        technicians.add_column(sa.Column("account", sa.String(length=40)))
    _keys("partners", "SELECT id, name FROM partners ORDER BY id")
    _keys(
        "contacts",
        "SELECT contacts.id, customers.account || ' ' || contacts.name FROM contacts"
        " JOIN customers ON customers.id = contacts.customer_id ORDER BY contacts.id",
    )
    _keys("technicians", "SELECT id, name FROM technicians ORDER BY id")
    for name in ("partners", "contacts", "technicians"):
        with op.batch_alter_table(name) as table:
            table.alter_column("key", existing_type=sa.String(length=60), server_default=None)
            table.create_unique_constraint(f"uq_{name}_provider_key", ["provider", "key"])
    people = sa.table("contacts", sa.column("id"), sa.column("phone"), sa.column("phones", JSONS))
    for row in op.get_bind().execute(sa.select(people.c.id, people.c.phone).where(people.c.phone.is_not(None))).all():
        op.execute(people.update().where(people.c.id == row.id).values(phones=[row.phone]))
    staff = sa.table("technicians", sa.column("id"), sa.column("language"), sa.column("languages", JSONS))
    for row in op.get_bind().execute(sa.select(staff.c.id, staff.c.language)).all():
        spoken = [{"language": row.language, "penalty": 0}]
        op.execute(staff.update().where(staff.c.id == row.id).values(languages=spoken))
    _numbers(provider=True)
    with op.batch_alter_table("endpoints") as endpoints:
        endpoints.add_column(_provider())
        endpoints.add_column(sa.Column("department", sa.String(length=40)))
        endpoints.add_column(_list("codecs"))
        endpoints.add_column(sa.Column("transport", sa.String(length=10)))
        endpoints.add_column(sa.Column("call_limit", sa.Integer()))
        endpoints.add_column(sa.Column("devices", sa.Integer(), nullable=False, server_default=sa.text("2")))
        for name, length in (("language", 5), ("caller_id", 20), ("display", 200)):
            endpoints.alter_column(name, existing_type=sa.String(length=length), nullable=True)
        endpoints.create_index("ix_endpoints_contact_id", ["contact_id"])
        endpoints.create_index("ix_endpoints_technician_id", ["technician_id"])
    op.execute("UPDATE endpoints SET caller_id = NULL WHERE caller_id = name")
    op.create_table(
        "directory_changes",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _provider(),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_directory_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_directory_changes_kind_key", "directory_changes", ["kind", "key"])


def _keys(table: str, query: str) -> None:
    """Make keys of what the rows are called."""
    taken: set[str] = set()
    for number, called in op.get_bind().execute(sa.text(query)).all():
        key = wanted = slug(called)
        if key in taken:
            key = f"{wanted[:40]}-{number}"
        taken.add(key)
        change = sa.text(f"UPDATE {table} SET key = :key WHERE id = :id")  # noqa: S608
        op.get_bind().execute(change, {"key": key, "id": number})


def _numbers(*, provider: bool) -> None:
    """The same numbers in a table with another primary key."""
    op.execute("CREATE TABLE numbers_before AS SELECT * FROM numbers")
    op.drop_table("numbers")
    key = ("provider", "e164") if provider else ("e164",)
    op.create_table(
        "numbers",
        *([_provider()] if provider else []),
        sa.Column("e164", sa.String(length=15), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer()),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], "fk_numbers_contact_id_contacts"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], "fk_numbers_customer_id_customers"),
        sa.PrimaryKeyConstraint(*key, name="pk_numbers"),
    )
    op.create_index("ix_numbers_customer_id", "numbers", ["customer_id"])
    if provider:
        op.create_index("ix_numbers_contact_id", "numbers", ["contact_id"])
    # One number of two providers goes down as the older account's.
    op.execute(
        "INSERT INTO numbers (e164, customer_id, contact_id) SELECT e164, customer_id, contact_id FROM numbers_before"
        " ORDER BY customer_id ON CONFLICT DO NOTHING"
    )
    op.drop_table("numbers_before")


def downgrade() -> None:
    """Go down."""
    op.drop_table("directory_changes")
    op.execute("UPDATE endpoints SET caller_id = name WHERE caller_id IS NULL")
    op.execute("UPDATE endpoints SET display = name WHERE display IS NULL")
    op.execute("UPDATE endpoints SET language = 'fr' WHERE language IS NULL")
    with op.batch_alter_table("endpoints") as endpoints:
        endpoints.drop_index("ix_endpoints_technician_id")
        endpoints.drop_index("ix_endpoints_contact_id")
        for name, length in (("language", 5), ("caller_id", 20), ("display", 200)):
            endpoints.alter_column(name, existing_type=sa.String(length=length), nullable=False)
        for name in ("devices", "call_limit", "transport", "codecs", "department", "provider"):
            endpoints.drop_column(name)
    _numbers(provider=False)
    for table, name in (("partners", "name"), ("customers", "account")):
        # What two providers call alike was one before: the older keeps its name.
        op.execute(
            f"UPDATE {table} SET {name} = substr({name}, 1, 28) || ' ' || id WHERE EXISTS"  # noqa: S608
            f" (SELECT 1 FROM {table} AS other WHERE other.{name} = {table}.{name} AND other.id < {table}.id)"
        )
    with op.batch_alter_table("technicians") as technicians:
        technicians.drop_constraint("uq_technicians_provider_key", type_="unique")
        for name in ("account", "external_number", "skills", "languages", "penalties", "key", "provider"):
            technicians.drop_column(name)
    with op.batch_alter_table("contacts") as contacts:
        contacts.drop_constraint("uq_contacts_provider_key", type_="unique")
        for name in ("rights", "phones", "key", "provider"):
            contacts.drop_column(name)
    with op.batch_alter_table("customers") as customers:
        customers.drop_constraint("uq_customers_provider_account", type_="unique")
        for name in ("desk", "language", "provider"):
            customers.drop_column(name)
        customers.create_unique_constraint("uq_customers_account", ["account"])
    with op.batch_alter_table("partners") as partners:
        partners.drop_constraint("uq_partners_provider_key", type_="unique")
        for name in ("language", "portal", "key", "provider"):
            partners.drop_column(name)
        partners.create_unique_constraint("uq_partners_name", ["name"])
