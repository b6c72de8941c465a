"""A run says before it starts which of its addresses is taken, and by which key."""

import socket
from pathlib import Path

import pytest
from alerts_material import short_folder
from own_ports import own_port

from appliance.config.live import Config, parse
from appliance.core.errors import LfrError
from appliance.lab.simulation.scenario import document
from appliance.supervision.addresses import addresses, require_free, taken


def config_of(folder: Path, metrics: str, publish: str) -> Config:
    sections = {"metrics": {"listen": metrics}, "alerts": {"publish": publish}}
    return parse(document(folder, [{"name": "north", "source": "test:"}], **sections), folder / "lfr.yaml")


def test_every_address_is_known_by_its_key(tmp_path: Path) -> None:
    found = addresses(config_of(tmp_path, "127.0.0.1:9100", "tcp://127.0.0.1:5556"))
    assert found == {
        "metrics.listen": "127.0.0.1:9100",
        "alerts.publish": "127.0.0.1:5556",
        "alerts.replay": f"ipc://{tmp_path}/replay",
    }


def test_free_addresses_let_it_start(tmp_path: Path) -> None:
    with short_folder() as folder:
        made = config_of(folder, f"127.0.0.1:{own_port()}", f"tcp://127.0.0.1:{own_port()}")
        require_free(made, wait_s=0)


def test_a_port_that_is_in_use_is_named_with_its_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(LfrError, match=f"metrics.listen {address} cannot be used: address already in use"):
            require_free(config_of(tmp_path, address, "ipc://x"), wait_s=0)


def test_an_ipv6_address_is_looked_at_as_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert taken(f"127.0.0.1:{port}")
        if socket.has_ipv6:
            assert "already in use" not in taken(f"[::1]:{port}")


@pytest.mark.parametrize(
    ("path", "why"),
    [("missing/socket", "there is no folder"), ("file", "a file that is no socket"), ("x" * 110, "is longer than")],
)
def test_a_socket_that_cannot_be_made_is_said(path: str, why: str) -> None:
    with short_folder() as folder:
        (folder / "file").write_text("")
        assert why in taken(f"ipc://{folder}/{path}")


def test_a_socket_that_is_there_is_left_to_the_hub_and_one_in_the_kernel_has_no_file() -> None:
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "socket"))
        assert taken(f"ipc://{folder}/socket") == ""
    assert taken("ipc://@name") == ""
