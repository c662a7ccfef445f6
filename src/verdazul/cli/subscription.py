"""The subscription that a home is, as az tells of it."""

from __future__ import annotations

from typing import Any

from verdazul.cli.session import Session
from verdazul.model.errors import UserError
from verdazul.model.oauth import TENANT, TENANT_ID
from verdazul.settings import Settings

NAME = "Verdazul"


def subscription(session: Session) -> dict[str, object]:
    """Tell all that az tells, with who is logged in."""
    settings, login = session.settings, session.login
    user = {"name": login.name, "type": login.kind} if login else {"name": "owner", "type": "user"}
    return {
        "environmentName": NAME,
        "homeTenantId": TENANT,
        "id": settings.subscription,
        "isDefault": True,
        "managedByTenants": [],
        "name": NAME,
        "state": "Enabled",
        "tenantId": TENANT,
        "user": user,
    }


def refuse_other(settings: Settings, asked: str | None) -> None:
    """Raise UserError for one that is not this home's."""
    if asked and asked.lower() not in {settings.subscription.lower(), NAME.lower()}:
        raise UserError(
            f"the subscription of {asked!r} doesn't exist here; this home's is "
            f"{settings.subscription}",
            code="SubscriptionNotFound",
            fix=f"start the home under that id: VERDAZUL_SUBSCRIPTION={asked} verdazul up",
        )


def refuse_other_tenant(asked: str | None) -> None:
    """Raise UserError for one that is not this home's."""
    if asked and asked.lower() not in {TENANT, TENANT_ID}:
        raise UserError(
            f"the tenant {asked!r} doesn't exist here; a home is one tenant, {TENANT}",
            code="TenantNotFound",
            fix="leave it out",
        )


def add_flag(parser: Any, *, required: bool) -> None:
    """Add the flag that names one."""
    parser.add_argument(
        "-s", "-n", "--subscription", "--name", required=required, metavar="ID", help="id or name"
    )
