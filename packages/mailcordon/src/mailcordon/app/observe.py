"""The `observe` role: reads what SES reports."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

from mailcordon.adapters.db.cohort_store import CohortStore
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.prometheus.samples import Sample
from mailcordon.adapters.ses.queue import open_queue
from mailcordon.app import heartbeat, mac_keys, machine_metrics, wiring
from mailcordon.app.credentials import credentials
from mailcordon.config import Config
from mailcordon.core.news import News
from mailcordon.observe import facts, folding
from mailcordon.observe.facts import QueueFacts
from mailcordon.observe.pipeline import Pipeline


async def run(config: Config, stop: asyncio.Event) -> None:
    """Reads both event queues, each with its own pipeline, so that the opens of a large mailing do not delay bounces."""
    installation = await wiring.installation(config, "observe")
    async with contextlib.AsyncExitStack() as stack:
        urls = [url for url in (config.outcome_queue_url, config.engagement_queue_url) if url is not None]
        # Without a queue, events come over HTTP, and no credentials of AWS are needed.
        signing = await stack.enter_async_context(credentials(config, stop, "observe")) if urls else None
        reader = wiring.event_reader(config)  # one, so that each certificate is fetched once
        await stack.enter_async_context(mac_keys.kept_fresh(installation, config, "observe"))
        pipelines: list[Pipeline] = []
        for url in urls:
            assert signing is not None
            queue = open_queue(
                url,
                region=config.region,
                credentials=signing,
                endpoint=config.sqs_endpoint,
                visibility_seconds=config.visibility_seconds,
            )
            stack.push_async_callback(queue.close)
            store = ObserveStore(config.login_url("observe"))
            stack.push_async_callback(store.close)
            pipelines.append(
                Pipeline(
                    queue,
                    store,
                    reader=reader,
                    ingest=wiring.ingest(config, installation),
                    # Send events come with the other outcomes. Only the local SES counts messages exactly.
                    settles_after=queue.settles_after if url == config.outcome_queue_url else None,
                    exact=config.local,
                )
            )
        counts = CohortStore(config.login_url("observe"))
        stack.push_async_callback(counts.close)
        folds = News(is_fed=True).loop(folding.PACE_OF_OBSERVERS)
        queues = [pipeline.facts for pipeline in pipelines]
        report = lambda: facts.document(queues, reader.proof.version_1_topics)  # noqa: E731
        reported = await stack.enter_async_context(
            machine_metrics.served(config, "observe", report, lambda: _events(queues))
        )
        async with heartbeat.beating("observe", config.login_url("observe"), reported):
            await asyncio.gather(
                folding.run(counts, stop, folds, lately_ms=folding.LATELY_MS),
                *(pipeline.run(stop) for pipeline in pipelines),
            )


def _events(queues: Sequence[QueueFacts]) -> Iterator[Sample]:
    for queue in queues:
        yield Sample("event_lag_seconds", (queue.name,), queue.lag_seconds)
        for kind, count in sorted(queue.totals.counted.items()):
            yield Sample("events_total", (queue.name, kind), count)
