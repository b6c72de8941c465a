"""A live deployment's configuration: what it refuses, what its example documents."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.config import live, reference
from appliance.core.errors import ConfigError

VAN = Path(__file__).parents[2] / live.Config.EXAMPLE

MINIMAL: dict[str, Any] = {
    "deployment": {"id": "d1", "starts": "2026-11-21T10:00:00Z", "ends": "2026-11-21T15:30:00Z"},
    "watchlist": {"file": "lists/a.lfrw", "key": "keys/seal.key"},
    "cameras": [{"name": "north", "source": "clips/a.mp4"}],
    "alerts": {"state_dir": "state"},
}


def changed(**sections: Any) -> Any:
    document = {name: dict(value) if isinstance(value, dict) else value for name, value in MINIMAL.items()}
    for name, value in sections.items():
        if isinstance(value, dict):
            document[name] = {**document.get(name, {}), **value}
        else:
            document[name] = value
    return document


def write(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "lfr.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return path


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    read = live.load(write(tmp_path, MINIMAL))
    assert read.watchlist.file == tmp_path / "lists/a.lfrw"
    assert read.alerts.state_dir == tmp_path / "state"
    assert read.cameras[0].source == str(tmp_path / "clips/a.mp4")
    assert read.watchlist.approvers_dir == tmp_path / "keys/approvers"
    read = live.load(write(tmp_path, changed(alerts={"publish": "ipc://run/out", "replay": "ipc://@named"})))
    assert read.alerts.publish == f"ipc://{tmp_path}/run/out"
    assert read.alerts.replay == "ipc://@named"


@pytest.mark.parametrize("source", ["rtsp://10.0.0.21/stream1", "/dev/video0", "test:", "street:?people=3"])
def test_sources_that_are_not_relative_paths_stay_as_they_are(tmp_path: Path, source: Any) -> None:
    read = live.load(write(tmp_path, changed(cameras=[{"name": "a", "source": source}])))
    assert read.cameras[0].source == source


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (changed(matching={"treshold": 0.5}), "matching.treshold is not a key"),
        (changed(matching={"threshold": 7}), "matching.threshold input should be less than 1 (given: '7')"),
        (changed(models={"provider": "tpu"}), "models.provider"),
        (changed(cameras=[]), "cameras"),
        (changed(cameras=[{"name": "a", "source": "x"}, {"name": "a", "source": "y"}]), "two cameras are called a"),
        (changed(cameras=[{"name": "No North!", "source": "x"}]), "cameras.0.name"),
        (changed(alerts={"publish": "tcp://0.0.0.0:5556"}), "alerts.publish must be a loopback"),
        (changed(alerts={"publish": "tcp://*:5556"}), "alerts.publish must be a loopback"),
        (changed(alerts={"replay": "udp://127.0.0.1:5"}), "alerts.replay must look like"),
        (changed(alerts={"state_dir": "state", "keep_hours": 1000}), "alerts.keep_hours"),
        (changed(console={"listen": "0.0.0.0:8080"}), "listening beyond this machine needs tls_cert"),
        (changed(deployment={"ends": "2026-11-21T09:00:00Z"}), "ends must be after starts"),
        (changed(deployment={"ends": "2026-11-23T09:00:00Z"}), "24 hours at most"),
        (changed(deployment={"starts": "2026-11-21T09:00:00"}), "deployment.starts"),
        (yaml.safe_dump(MINIMAL).replace("'2026-11-21T10:00:00Z'", "2026-11-31T10:00:00Z"), "deployment.starts"),
        (changed(watchlist={"max_entries": 20_000}), "watchlist.max_entries"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, document: Any, says: Any) -> None:
    path = write(tmp_path, document)
    with pytest.raises(ConfigError) as error:
        live.load(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        live.load(write(tmp_path, changed(matching={"x": 1}, models={"y": 2}, guard={"on_breach": "shrug"})))
    assert len(str(error.value).splitlines()) == 3


def test_a_password_in_a_source_is_never_shown(tmp_path: Path) -> None:
    document = changed(cameras=[{"name": "a", "source": "rtsp://user:hunter2@10.0.0.21/s", "min_face_px": 1}])
    with pytest.raises(ConfigError) as error:
        live.load(write(tmp_path, document))
    assert "hunter2" not in str(error.value)
    document["cameras"][0].pop("min_face_px")
    read = live.load(write(tmp_path, document))
    assert "hunter2" not in repr(read)
    assert read.cameras[0].safe_source == "rtsp://***@10.0.0.21/s"


def documented(text: str) -> set[str]:
    """Every key that the example shows, in use or behind a `#`, as `section.key`, `cameras[].key` and so on."""
    keys: set[str] = set()
    way: list[tuple[int, str]] = []
    for line in text.splitlines():
        found = re.match(r"^(\s*)(# )?(\s*)(- )?([a-z_]+):( |$)", line)
        if not found:
            continue
        depth = len(found[1]) + len(found[3]) + len(found[4] or "")
        while way and way[-1][0] >= depth:
            way.pop()
        path = ".".join([*(name for _, name in way), found[5]])
        keys.add(path)
        way.append((depth, {"cameras": "cameras[]"}.get(found[5], found[5])))
        for name in re.findall(r"([a-z_]+): ", line[found.end() :].partition("  #")[0]) if "{" in line else ():
            keys.add(f"{path}.{name}")
    return {key.replace("categories.terrorism", "categories.*") for key in keys} - {"matching.categories.*"}


def test_the_example_documents_every_key_and_no_other() -> None:
    assert documented(VAN.read_text(encoding="utf-8")) == {path for path, _ in reference.keys(live.Config)}


def test_what_the_example_calls_a_default_is_the_default() -> None:
    text = VAN.read_text(encoding="utf-8")
    fields = dict(reference.keys(live.Config))
    claims = re.findall(r"^  (?:[ -] )?([a-z_]+): (\S.*?) +# default(?:[;.]|$)", text, re.MULTILINE)
    assert len(claims) > 10
    for name, shown in claims:
        own = [field.default for path, field in fields.items() if path.rpartition(".")[2] == name]
        value = yaml.safe_load(shown)
        assert value in own, f"{name} is documented as {shown}; its default is {own}"


def test_every_configuration_of_the_repository_is_one() -> None:
    assert live.load(VAN).deployment.id == "croydon-2026-11-21"
    demo = VAN.parents[1] / "appliance" / "data" / "demo.yaml"
    assert live.load(demo).cameras[0].name == "street"
