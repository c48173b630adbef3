"""The metric families of `GET /metrics`; the first four bear the names of the reference."""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # the reference shows each family without a _created twin

events_ingested = Counter("events_ingested", "Total number of events ingested (accepted).")
queue_depth = Gauge("queue_depth", "Current depth of the async processing queue.", multiprocess_mode="mostrecent")
event_to_slack_latency = Histogram(
    "event_to_slack_latency_seconds", "Latency in seconds from event ingestion to Slack notification."
)
http_requests = Counter("http_requests", "Total number of HTTP requests by status code and method.", ["code", "method"])
