"""All kinds of work that goes through a unit step by step."""

from __future__ import annotations

from leadvibe.pipeline.backfill import LINK_ACCOUNTS, MAP_PROFILES, NAME_ACCOUNTS
from leadvibe.pipeline.event_type_deletion import DELETE_EVENT_TYPE
from leadvibe.pipeline.rescore import RESCORE

KINDS = (RESCORE, LINK_ACCOUNTS, NAME_ACCOUNTS, MAP_PROFILES, DELETE_EVENT_TYPE)
