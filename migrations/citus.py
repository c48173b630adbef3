"""The distribute helper of the migrations; without `leadvibe migrate --citus` it does nothing."""

from typing import Literal

from alembic import context, op

FIRST_TENANT_TABLE = "lanes"


def distribute(table: str, kind: Literal["tenant", "reference"]) -> None:
    if not context.config.attributes.get("citus"):
        return
    if kind == "reference":
        op.execute(f"SELECT create_reference_table('{table}')")
    elif table == FIRST_TENANT_TABLE:
        op.execute(f"SELECT create_distributed_table('{table}', 'unit_id')")
    else:
        op.execute(f"SELECT create_distributed_table('{table}', 'unit_id', colocate_with => '{FIRST_TENANT_TABLE}')")
