"""Samples in the format that the scraper asks for: Prometheus's text or OpenMetrics.

The library is imported at the first scrape, in a thread: a role that nobody scrapes does not pay for it, and a dispatcher goes on
with its calls meanwhile.
"""

import asyncio
import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mailcordon.adapters.prometheus.families import Family
from mailcordon.adapters.prometheus.samples import Sample
from mailcordon.core.histogram import Histogram
from mailcordon.messages import machine_metrics

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX = "mailcordon_"


async def load() -> None:
    await asyncio.to_thread(importlib.import_module, "prometheus_client")


def render(families: Sequence[Family], samples: Iterable[Sample], accept: str) -> tuple[bytes, str]:
    """The body and its content type. `load` has been called.

    Raises KeyError for a sample of no family, ValueError for labels that the family does not have.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector, exposition

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    metrics = list(_metrics(families, samples))
    registry.register(_Collected(metrics))
    encoder, content_type = exposition.choose_encoder(accept)
    return encoder(registry), content_type


class _Collected:
    def __init__(self, metrics: "Sequence[Metric]") -> None:
        self._metrics = metrics

    def describe(self) -> "Sequence[Metric]":
        return ()

    def collect(self) -> "Iterator[Metric]":
        return iter(self._metrics)


def _metrics(families: Sequence[Family], samples: Iterable[Sample]) -> "Iterator[Metric]":
    """All families in their order, those without samples too: a rule can tell "nothing" from "no such metric"."""
    from prometheus_client import core

    made = {
        "counter": core.CounterMetricFamily,
        "gauge": core.GaugeMetricFamily,
        "histogram": core.HistogramMetricFamily,
    }
    found = {
        family.name: made[family.type](
            family.name, machine_metrics.help_of(family.name), labels=family.labels
        )
        for family in families
    }
    labels = {family.name: family.labels for family in families}
    for sample in samples:
        metric = found[PREFIX + sample.name]
        if len(sample.labels) != len(labels[PREFIX + sample.name]):
            raise ValueError(f"{sample.name} has the labels {labels[PREFIX + sample.name]}")
        if isinstance(sample.value, Histogram):
            buckets = [(_bound(bound), count) for bound, count in sample.value.cumulative()]
            assert isinstance(metric, core.HistogramMetricFamily)
            metric.add_metric(sample.labels, buckets, sample.value.sum)
        else:
            assert not isinstance(metric, core.HistogramMetricFamily)
            metric.add_metric(sample.labels, sample.value)
    return iter(found.values())


def _bound(value: float) -> str:
    return "+Inf" if value == float("inf") else repr(value)
