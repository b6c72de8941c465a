"""A free port can be listened on."""

import socket

from appliance.core.ports import free_port, free_ports


def test_a_free_port_can_be_listened_on_at_once() -> None:
    port = free_port()
    assert 1024 <= port < 65_536
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()


def test_a_port_that_is_listened_on_is_not_given() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert taken not in {free_port() for _ in range(50)}


def test_several_ports_are_different_ones() -> None:
    assert len(set(free_ports(200))) == 200
    assert free_ports(0) == []
