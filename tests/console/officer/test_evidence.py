"""Evidence: one file that can be checked without this software, and that says what was taken back."""

import hashlib
import io
import json
import zipfile
from typing import Any

from console_stage import acts_of, decide, told_of


def test_evidence_is_one_file_whose_hashes_hold_and_are_recorded(stage: Any, anna: Any, sam: Any, alert: Any) -> None:
    decide(anna, alert, value="match", reason="Clear likeness", note="<b>scar</b>")
    told_of(sam, alert, 1)
    assert anna.post(f"/api/alerts/{alert.id}/export").status_code == 403
    answer = sam.post(f"/api/alerts/{alert.id}/export")
    assert answer.status_code == 200
    digest = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["x-evidence-sha256"] == digest
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["sha256"] == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert set(files) == {"scene.jpg", "face.jpg", "photo.jpg", "alert.json", "decisions.json", "index.html"}
    assert manifest["models"]["embedder"] == alert.models.embedder
    assert json.loads(files["decisions.json"])[0]["by"] == "anna"
    assert b"<b>scar" not in files["index.html"]
    assert acts_of(stage, "export.alert", lambda record: record.details["sha256"] == digest)


def test_evidence_says_which_decision_was_taken_back(stage: Any, anna: Any, sam: Any, alert: Any) -> None:
    first = decide(anna, alert, value="match").json()["decision"]
    told_of(anna, alert, 1)
    decide(anna, alert, "undo", "undo", undoes=first["id"])
    decide(anna, alert, value="no_match")
    told_of(sam, alert, 3)
    answer = sam.post(f"/api/alerts/{alert.id}/export")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        rows = [row for row in archive.read("index.html").decode().split("<tr>") if "by anna" in row]
    assert ["Taken back later" in row for row in rows] == [True, False, False]
    assert f"Takes back: Match by anna at {first['at']}" in rows[1]
