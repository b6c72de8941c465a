"""Every act has a model of its details: what is written is known, fits, and stands for no face."""

import ast
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from audit_lines import write_lines
from pydantic import BaseModel

import appliance
from appliance.alerts.messages import DecisionKind
from appliance.audit import acts
from appliance.audit.act import Act
from appliance.audit.acts import ACTS, act_of
from appliance.audit.record import AuditRecord
from appliance.core.errors import ActRefused, AuditError
from appliance.deployment.ending import certificate
from appliance.deployment.report import incidents
from appliance.deployment.store import Store

ROOT = Path(appliance.__file__).parent
MODULES = [path for path in sorted(ROOT.rglob("*.py")) if path.parent != ROOT / "audit" or path.stem == "record"]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
WHOLE: dict[str, dict[str, Any]] = {
    "deployment.open": {"deployment": "d-1"},
    "deployment.start": {"deployment": "d-1"},
    "deployment.stop": {"why": "the appliance was stopped"},
    "deployment.extend": {
        "deployment": "d-1", "until": "2026-11-21T16:00:00Z", "rank": "Superintendent", "reason": "the crowd came late",
    },
    "deployment.revoke": {"deployment": "d-1", "reason": "the reason fell away"},
    "deployment.archive": {"deployment": "d-1"},
    "watchlist.open": {"digest": "ab" * 32, "entries": 3},
    "watchlist.change": {"digest": "ab" * 32, "added": ["N-1"], "removed": []},
    "watchlist.refused": {"reason": "It was altered after it was sealed."},
    "threshold.set": {"threshold": 0.5, "model_threshold": 0.5, "set_by": "the model's own"},
    "camera.down": {"camera": "north"},
    "camera.up": {"camera": "north"},
    "process.restarted": {"worker": "hub"},
    "guard.breach": {"sentence": "3 of 1,000 people"},
    "guard.clear": {"sentence": "3 of 100,000 people"},
    "view.alert": {"alert": "a-1"},
    "export.alert": {"alert": "a-1"},
    "user.signin": {"role": "operator"},
    "user.signout": {},
    "user.refused": {"address": "10.0.0.9"},
    "user.locked": {"seconds": 60},
    "user.added": {"user": "anna", "role": "operator"},
    "user.removed": {"user": "anna"},
    "blue.walk": {"deployment": "d-1", "entry": "BLUE-1", "camera": "north", "at": "2026-11-21T11:00:00Z"},
    "end.begin": {"deployment": "d-1", "reason": "ended by hand"},
    "wipe": {"stage": "begin", "what": "sealing key", "path": "/keys/seal.key"},
    "wipe.scan": {"files": 3, "bytes": 9000, "searched_for": ["sealing key (as text)"], "found": 0},
    "end.cleared": {"deployment": "d-1", "gone": ["/tmp/old"]},
    "end": {"deployment": "d-1", "complete": True},
    "purge": {"alerts": 2, "ids": ["a-1", "a-2"], "kept_hours": 24.0},
    "report": {"folder": "/state", "sha256": {"report-public.json": "ab" * 32}},
    "audit.repair": {"torn": ["ab" * 32], "torn_bytes": 7},
    **{f"decision.{kind}": {"kind": kind, "alert": "a-1"} for kind in get_args(DecisionKind)},
}  # fmt: skip
"""A smallest sensible act of each name."""


def written() -> Iterator[str]:
    """The names of acts that the source writes: by model, or at the console by name."""
    for path, tree in TREES.items():
        known = {
            alias.asname or alias.name: getattr(acts, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == acts.__name__
            for alias in node.names
        }
        for node in ast.walk(tree):
            model = known.get(node.id) if isinstance(node, ast.Name) else None
            if isinstance(model, type) and issubclass(model, Act):
                yield from model.names
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "new_act":
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno} names no act"
                yield str(node.args[0].value)


def looked_for() -> Iterator[str]:
    """The names with which the source compares `….act`."""
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "act":
                parts: list[ast.expr] = node.comparators
            elif isinstance(node, ast.Match) and isinstance(node.subject, ast.Attribute) and node.subject.attr == "act":
                parts = [value.value for value in ast.walk(node) if isinstance(value, ast.MatchValue)]
            else:
                continue
            for part in parts:
                yield from (str(one.value) for one in ast.walk(part) if isinstance(one, ast.Constant))


def test_every_act_that_is_written_is_known_and_every_known_act_is_written() -> None:
    assert set(written()) == set(ACTS)


def test_every_act_that_is_looked_for_is_known() -> None:
    names = set(looked_for())
    assert "wipe.scan" in names
    assert names <= set(ACTS)


def test_no_two_models_describe_one_act_and_every_act_says_what_it_is() -> None:
    models = set(ACTS.values())
    assert sum(len(model.names) for model in models) == len(ACTS)
    for model in models:
        assert model.__doc__, model
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def kinds_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from kinds_in(part)


@pytest.mark.parametrize("name", sorted(ACTS))
def test_no_act_can_hold_a_picture_or_a_template(name: str) -> None:
    models: list[type[BaseModel]] = [ACTS[name]]
    for model in models:
        for field, annotation in typing.get_type_hints(model, include_extras=True).items():
            if field in ("names", "by_readers", "model_config"):
                continue
            kinds = list(kinds_in(annotation))
            models += [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
            assert not {Any, object, bytes, bytearray} & {kind for kind in kinds if isinstance(kind, type | type(Any))}
            many = any(typing.get_origin(kind) in (tuple, list, set, dict) for kind in kinds)
            assert not (many and float in kinds), f"{name}.{field} could hold a template"


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_an_act_is_written_and_read_again(tmp_path: Path, name: str) -> None:
    audit = AuditRecord(tmp_path)
    line = audit.append(act_of(name, WHOLE[name]), "PC Lee")
    (one,) = audit.records()
    assert (line.act, one.act, one.by) == (name, name, "PC Lee")
    assert set(one.details) == set(WHOLE[name])
    assert act_of(name, one.details) == act_of(name, WHOLE[name])


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_what_no_model_names_is_refused_with_act_and_field(name: str) -> None:
    with pytest.raises(AuditError, match=rf"refuses {name}: face: Extra"):
        act_of(name, {**WHOLE[name], "face": "N-1"})


@pytest.mark.parametrize("name", ["", "nonsense", "view alert", "view.", "VIEW.alert", "decision", "user.renamed"])
def test_an_unknown_act_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ActRefused, match=f"knows no act '{name}'"):
        act_of(name, {})


def test_a_decision_is_recorded_under_its_own_name_only() -> None:
    assert act_of("decision.undo", {"kind": "undo", "alert": "a-1", "undoes": "d-1"}).name == "decision.undo"
    with pytest.raises(ActRefused, match=r"refuses decision.undo: its details are those of decision.operator"):
        act_of("decision.undo", {"kind": "operator", "alert": "a-1"})


def test_only_what_happens_at_a_console_may_be_recorded_at_a_readers_request() -> None:
    allowed = {name for name, model in ACTS.items() if model.by_readers}
    assert allowed == {
        "view.alert", "export.alert", "user.signin", "user.signout", "user.refused", "user.locked",
    }  # fmt: skip


def test_acts_of_earlier_versions_still_count(config: Any) -> None:
    write_lines(
        config.alerts.state_dir,
        ("deployment.open", {"deployment": config.deployment.id}),
        ("camera.down", {"camera": "north", "since": "10:00"}),
        ("purge", {"alerts": ["a-1", "a-2"], "kept_hours": 24}),
        ("purge", {"alerts": 3, "ids": ["a-3", "a-4", "a-5"]}),
        ("purge", {"alerts": 4, "journal": "destroyed"}),
    )
    store = Store(config.alerts.state_dir)
    assert certificate.build(config, store).alerts_purged == 2 + 3 + 4
    (outage,) = incidents.read(incidents.of_deployment(store.audit, config.deployment.id)).outages
    assert outage.camera == "north"
