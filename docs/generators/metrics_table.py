"""The table of the metrics, from the catalogue that the exporter renders."""

from __future__ import annotations

from appliance.core.telemetry import LATENCY_BUCKETS_S
from appliance.supervision.metrics import COUNTERS, GAUGES, HISTOGRAMS

KINDS = (("counter", COUNTERS, "_total"), ("gauge", GAUGES, ""), ("histogram", HISTOGRAMS, ""))


def table() -> str:
    """Every metric of the catalogue: name as it is scraped, type, labels, help."""
    rows = [
        f"| `{name}{ending}` | {kind} | {', '.join(f'`{label}`' for label in labels) or '–'} | {help_text} |"
        for kind, catalogue, ending in KINDS
        for name, (help_text, labels) in catalogue.items()
    ]
    return "\n".join(["| metric | type | labels | meaning |\n|---|---|---|---|", *rows])


def buckets() -> str:
    """The upper bounds of the histograms' buckets, in seconds."""
    return ", ".join(f"{bound:g}" for bound in LATENCY_BUCKETS_S)
