"""One alert as evidence: a single zip file that can be read, and checked, without this software."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader, select_autoescape

from appliance.console.officer.cases import Case, decision_words
from appliance.console.officer.pictures import NAMES
from appliance.core.clock import utc_text


def build(case: Case, pictures: Sequence[bytes], exported_by: str, now: datetime, version: str) -> tuple[bytes, str]:
    """The file and its SHA-256 (hex).

    In it: the three pictures as they were published, `alert.json`, `decisions.json` (every one, undone ones too),
    `index.html` to read, and `manifest.json` with the SHA-256 of each of the others.
    """
    alert, decisions = case.alert, list(case.decisions)
    words = {decision.id: decision_words(decision) for decision in decisions}
    files: dict[str, bytes] = {f"{name}.jpg": picture for name, picture in zip(NAMES, pictures, strict=True)}
    files["alert.json"] = _json(alert.model_dump(mode="json"))
    files["decisions.json"] = _json([decision.model_dump(mode="json") for decision in decisions])
    environment = Environment(loader=PackageLoader("appliance.console"), autoescape=select_autoescape())
    page = environment.get_template("evidence.html").render(
        alert=alert,
        decisions=[(decision, words[decision.id]) for decision in decisions],
        words_of=words,
        taken_back=case.standing.undone,
        above=alert.score - alert.threshold,
        exported_by=exported_by,
        exported_at=utc_text(now),
        utc_text=utc_text,
    )
    files["index.html"] = page.encode()
    manifest = {
        "v": 1,
        "alert": alert.id,
        "deployment": alert.deployment,
        "epoch": alert.epoch,
        "seq": alert.seq,
        "exported_by": exported_by,
        "exported_at": utc_text(now),
        "software": f"lfr-appliance {version}",
        "models": alert.models.model_dump(),
        "watchlist_sha256_12": alert.watchlist,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    files["manifest.json"] = _json(manifest)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, now.timetuple()[:6]), content)
    content = buffer.getvalue()
    return content, hashlib.sha256(content).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
