"""Zendesk's SLA policies and schedules, fetched and written as a policy file.

Source: Zendesk developer documentation, "SLA Policies", "Group SLA Policies", "Schedules". What a plan does not have
is answered with 403 or 404: then there is none of it.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from streams.backfill.history_api import ApiRefused, HistoryApi
from streams.backfill.policy_text import policy_text
from streams.backfill.zendesk_conditions import AccountOf
from streams.backfill.zendesk_policies import policies_of
from streams.backfill.zendesk_schedules import calendars_of
from streams.connectors.payload_reading import id_text, tables, text

MOST_PAGES = 100
NOT_IN_THE_PLAN = frozenset({403, 404})


async def zendesk_policy_file(api: HistoryApi, account_of: AccountOf, now: datetime, since: datetime | None) -> str:
    """The text of the file. `since` is how far back the policies are to count.

    Raises:
        ApiRefused: Zendesk gives neither policies nor schedules.
    """
    policies = [each async for each in _listed(api, "/api/v2/slas/policies.json", "sla_policies")]
    policies += await _optional(api, "/api/v2/group_slas/policies.json", "group_sla_policies")
    schedules = await _optional(api, "/api/v2/business_hours/schedules.json", "schedules")
    holidays = {
        found: await _optional(api, f"/api/v2/business_hours/schedules/{found}/holidays.json", "holidays")
        for schedule in schedules
        if (found := id_text(schedule, "id")) is not None
    }
    return policy_text(
        policies_of(policies, account_of),
        calendars_of(schedules, holidays),
        origin=api.host,
        version=f"zendesk-{now:%Y-%m-%d}",
        effective_from=since,
    )


async def _optional(api: HistoryApi, path: str, key: str) -> list[dict[str, Any]]:
    try:
        return [each async for each in _listed(api, path, key)]
    except ApiRefused as refused:
        if refused.status in NOT_IN_THE_PLAN:
            return []
        raise


async def _listed(api: HistoryApi, path: str, key: str) -> AsyncIterator[dict[str, Any]]:
    for page in range(1, MOST_PAGES + 1):
        found = await api.get(path, page=page)
        for each in tables(found, key):
            yield each
        if text(found, "next_page") is None:
            return
