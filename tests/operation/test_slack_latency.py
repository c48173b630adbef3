"""From an accepted event to its message in Slack, through the processes of a real server, and timed at /metrics."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.operation.test_running import samples
from tests.serve_process import remove_cluster, serving
from tests.slack_stand_in import CLIENT_ID, CLIENT_SECRET, CODE, slack_stand_in

FAMILY = "event_to_slack_latency_seconds"


async def connect(http: httpx.AsyncClient) -> None:
    body = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert (await http.put("/settings/org/slack-app", json=body)).status_code == 204
    url = (await http.post("/integrations/slack/initiate")).json()["authorize_url"]
    query = {"state": parse_qs(urlsplit(url).query)["state"][0], "code": CODE}
    answer = await http.get("/integrations/slack/callback", params=query)
    assert answer.headers["location"].endswith("slack=connected")


async def test_an_event_s_way_to_slack_is_timed(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with slack_stand_in() as slack:
        with serving(data_dir, LEADVIBE_SLACK_API_URL=slack.url) as serve:
            login = {"email": serve.printed(r"Login\s+(\S+)"), "password": serve.printed(r"Login\s+\S+ / (\S+)")}
            async with httpx.AsyncClient(base_url=serve.url, timeout=30, trust_env=False) as http:
                token = (await http.post("/auth/login", json=login)).json()["token"]
                http.headers["Authorization"] = f"Bearer {token}"
                await connect(http)
                rule = {"event_type": "demo_request", "weight": 30}
                assert (await http.post("/rules", json=rule)).status_code == 201
                trigger = {
                    "name": "Hot lead", "event_type": "demo_request", "score_threshold": 20,
                    "webhook_url": "", "slack_target_kind": "channel", "slack_target_id": "C01",
                }  # fmt: skip
                made = await http.post("/triggers", json=trigger)
                assert made.status_code == 201, made.text
                event = {"event_type": "demo_request", "lead_id": "ld_slack"}
                assert (await http.post("/ingest", json=event)).status_code == 202
                async with asyncio.timeout(30):
                    await slack.arrived.wait()
                    while await asyncio.to_thread(_timed, serve.url) == (0.0, 0.0):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                count, seconds = await asyncio.to_thread(_timed, serve.url)
    remove_cluster(data_dir)
    assert slack.messages[0]["channel"] == "C01" and "ld_slack" in slack.messages[0]["text"]
    assert count == 1 and 0 < seconds < 30


def _timed(url: str) -> tuple[float, float]:
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        found = samples(http)
    return found.get((f"{FAMILY}_count", ()), 0.0), found.get((f"{FAMILY}_sum", ()), 0.0)
