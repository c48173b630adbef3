"""The metric families of `GET /metrics`; the first four bear the names of the reference.

With PROMETHEUS_MULTIPROC_DIR, which `leadvibe serve` sets, all processes of a machine write to files there, and each
of them can tell of all. Without it a process tells of itself.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    start_http_server,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # the reference shows each family without a _created twin


class Latencies(Histogram):
    """A histogram that takes many observations at once: one for each of some thousand events a batch."""

    def observe_all(self, seconds: Sequence[float]) -> None:
        # prometheus_client has no call for this; one by one they would cost a batch a tenth of its time.
        ordered, below = sorted(seconds), 0
        for bound, bucket in zip(self._upper_bounds, self._buckets, strict=True):
            upto = bisect_right(ordered, bound)
            if upto > below:
                bucket.inc(upto - below)
                below = upto
        self._sum.inc(sum(ordered))


_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
_EVENTS = (1, 5, 20, 100, 500, 1_000, 2_000, 4_000, 10_000, 50_000)

events_ingested = Counter("events_ingested", "Total number of events ingested (accepted).")
queue_depth = Gauge("queue_depth", "Current depth of the async processing queue.", multiprocess_mode="mostrecent")
event_to_slack_latency = Histogram(
    "event_to_slack_latency_seconds", "Latency in seconds from event ingestion to Slack notification.", buckets=_SECONDS
)
http_requests = Counter("http_requests", "Total number of HTTP requests by status code and method.", ["code", "method"])

queue_lag = Gauge(
    "leadvibe_queue_lag_seconds",
    "How long the oldest event that is not scored has waited.",
    multiprocess_mode="mostrecent",
)
scoring_workers = Gauge(
    "leadvibe_scoring_workers", "Scoring workers connected to the database.", multiprocess_mode="mostrecent"
)
ingest_latency = Latencies(
    "leadvibe_ingest_seconds", "From the arrival of a request's events to their commit.", buckets=_SECONDS
)
scoring_latency = Latencies(
    "leadvibe_scoring_seconds", "From the arrival of an event to the commit of its score.", buckets=_SECONDS
)
batch_events = Histogram("leadvibe_batch_events", "Events of a scoring batch.", buckets=_EVENTS)
batch_duration = Histogram("leadvibe_batch_seconds", "Duration of a scoring batch.", buckets=_SECONDS)
batches_failed = Counter("leadvibe_batches_failed", "Scoring batches that failed; they are tried again.")
ingest_refused = Counter("leadvibe_ingest_refused_events", "Events refused because the ingest buffer was full.")
ingest_waiting = Gauge(
    "leadvibe_ingest_waiting_events", "Events that wait for their commit.", multiprocess_mode="livesum"
)
subscribers = Gauge("leadvibe_subscribers", "Open streams and subscriptions.", multiprocess_mode="livesum")
subscriber_lags = Counter("leadvibe_subscriber_lags", "Times that a subscriber was too slow to follow live.")
subscriber_dropped = Counter(
    "leadvibe_subscriber_dropped_events", "Events taken from a slow subscriber's queue; it reads them from the log."
)
pool_connections = Gauge(
    "leadvibe_pool_connections",
    "Database connections of the API processes, by pool and state.",
    ["pool", "state"],
    multiprocess_mode="livesum",
)
deliveries = Counter("leadvibe_deliveries", "Tries to deliver a message, by how they ended.", ["channel", "outcome"])
deliveries_waiting = Gauge(
    "leadvibe_deliveries_waiting", "Messages not delivered yet.", ["channel"], multiprocess_mode="mostrecent"
)
audit_dropped = Counter("leadvibe_audit_dropped", "Requests that could not be written to the audit log.")
rate_limited = Counter(
    "leadvibe_rate_limited_requests", "Requests beyond their rate limit: refused, or only observed.", ["mode", "key_by"]
)


def exposition() -> bytes:
    """All families in Prometheus' text format: of every process of the machine where they share a folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_process(folder: str, pid: int) -> None:
    """What a process that ended told of its present no longer counts; its counters do."""
    multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def listen(port: int) -> None:
    """Tells of this process on a port of its own, for processes that serve no HTTP. 0 lets the system choose."""
    start_http_server(port)
