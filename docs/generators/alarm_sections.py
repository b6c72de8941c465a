"""The sections on Prometheus' alarms, from the rules that are loaded into it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parents[2] / "config" / "prometheus" / "alerts.yml"
SEVERITIES = {"page": "somebody is called", "ticket": "it can wait for the next day"}


def rules() -> list[dict[str, Any]]:
    """Every rule, in the order of the file."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def sections() -> str:
    """A section for each rule: what it means, what to do, when it fires."""
    return "\n\n".join(_section(rule) for rule in rules())


def _section(rule: dict[str, Any]) -> str:
    severity, notes = rule["labels"]["severity"], rule["annotations"]
    patience = f" for {rule['for']}" if "for" in rule else ""
    expression = " ".join(rule["expr"].split())
    return (
        f"### {rule['alert']}\n\n**{severity}** ({SEVERITIES[severity]}). {_plain(notes['summary'])}\n\n"
        f"**What to do.** {notes['action']}\n\nFires when this holds{patience}:\n\n```promql\n{expression}\n```"
    )


def _plain(summary: str) -> str:
    """A summary without Prometheus' template: `{{ $value | humanize }}` becomes an ellipsis."""
    return re.sub(r"\{\{[^}]*\}\}", "…", summary).replace("….", "…")
