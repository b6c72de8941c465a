"""Ports for what a test starts in other processes."""

import socket


def own_port() -> int:
    """A TCP port that nobody else is given as long as this process lives.

    It stays bound, which does not keep a server that sets SO_REUSEADDR (as all of ours do) from listening on it; a port
    that is only looked up may be another worker's by the time that the server is there.
    """
    holding = socket.socket()
    holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holding.bind(("127.0.0.1", 0))
    port = int(holding.getsockname()[1])
    holding.detach()
    return port
