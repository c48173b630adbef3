"""The schema: all nouns put together.

A mutation that carries data takes it as one `input`. What it acts on is named beside that, by id: of a thing, of
several, or of what the new thing becomes part of; an event type's id is its name, `eventType`. A mutation that only
says what it acts on takes nothing but that. `ingestEvents` takes a list of inputs, and the key under which the
whole list is taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry
from strawberry.extensions import SchemaExtension
from strawberry.tools import create_type
from strawberry.types.execution import ExecutionContext
from strawberry.types.field import StrawberryField

from leadvibe.schema import families, segments
from leadvibe.schema.access import AccessMutations, AccessQueries
from leadvibe.schema.account_lists import AccountMutations, AccountQueries
from leadvibe.schema.activity import ActivityQueries
from leadvibe.schema.analytics import AnalyticsQueries
from leadvibe.schema.auditing import AuditedOperation
from leadvibe.schema.backfill import BackfillMutations
from leadvibe.schema.context import OperationContext
from leadvibe.schema.deliveries import DeliveryMutations, DeliveryQueries
from leadvibe.schema.documents import DocumentCache
from leadvibe.schema.errors import ContractErrors
from leadvibe.schema.event_deletion import EventDeletionQueries, EventDeletions
from leadvibe.schema.event_reads import EventReads
from leadvibe.schema.events import EventMutations, EventQueries
from leadvibe.schema.explanation import ExplanationQueries
from leadvibe.schema.extensions import Runner
from leadvibe.schema.governance import GovernanceQueries
from leadvibe.schema.jobs import ImportMutations, JobQueries, RescoreMutations, RescoreQueries
from leadvibe.schema.lead_deletion import DeletionMutations, DeletionQueries
from leadvibe.schema.lead_edits import LeadMutations
from leadvibe.schema.lead_lookups import LeadLookups
from leadvibe.schema.leads import LeadQueries
from leadvibe.schema.limits import Limits
from leadvibe.schema.merging import MergeMutations, MergeQueries
from leadvibe.schema.node import NodeQueries, trust_resolvers
from leadvibe.schema.organisation import OrganisationMutations, OrganisationQueries
from leadvibe.schema.pushing import PushingExecutor
from leadvibe.schema.sample_data import SampleDataMutations
from leadvibe.schema.scalars import CONFIG
from leadvibe.schema.score_history import ScoreHistoryQueries
from leadvibe.schema.segments import SegmentQueries
from leadvibe.schema.service import ServiceMutations, ServiceQueries
from leadvibe.schema.settings import SettingsMutations, SettingsQueries
from leadvibe.schema.slack import SlackMutations, SlackQueries
from leadvibe.schema.subscriptions import Subscription
from leadvibe.schema.surges import SurgeQueries
from leadvibe.schema.triggers import TriggerQueries
from leadvibe.schema.units import UnitMutations


class _Schema(strawberry.Schema):
    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> Runner:
        return Runner(execution_context, extensions)

    def process_errors(self, errors: list[Any], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: ContractErrors logs what is a failure of the server, and only that."""


def _root(name: str, description: str, *parts: Any, fields: Sequence[StrawberryField]) -> Any:
    """A root type with the fields of all nouns."""
    own = [field for part in parts for field in part.__strawberry_definition__.fields]
    return create_type(name, [*own, *fields], description=description)


SCHEMA = _Schema(
    query=_root(
        "Query",
        "What can be asked.",
        LeadQueries,
        LeadLookups,
        AccountQueries,
        MergeQueries,
        DeletionQueries,
        JobQueries,
        RescoreQueries,
        ExplanationQueries,
        EventQueries,
        EventReads,
        EventDeletionQueries,
        ActivityQueries,
        ScoreHistoryQueries,
        AnalyticsQueries,
        SegmentQueries,
        SettingsQueries,
        SlackQueries,
        SurgeQueries,
        TriggerQueries,
        OrganisationQueries,
        AccessQueries,
        DeliveryQueries,
        GovernanceQueries,
        ServiceQueries,
        NodeQueries,
        fields=[*families.QUERIES, *segments.QUERIES],
    ),
    mutation=_root(
        "Mutation",
        "What can be done.",
        EventMutations,
        EventDeletions,
        ImportMutations,
        RescoreMutations,
        LeadMutations,
        AccountMutations,
        BackfillMutations,
        SampleDataMutations,
        MergeMutations,
        DeletionMutations,
        SettingsMutations,
        SlackMutations,
        DeliveryMutations,
        ServiceMutations,
        UnitMutations,
        OrganisationMutations,
        AccessMutations,
        fields=[*families.MUTATIONS, *segments.MUTATIONS],
    ),
    subscription=Subscription,
    config=CONFIG,
    execution_context_class=PushingExecutor,
    extensions=[
        OperationContext,
        ContractErrors,
        AuditedOperation,
        DocumentCache,
        Limits,
    ],
)
trust_resolvers(SCHEMA._schema)
