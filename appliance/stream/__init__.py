"""From a camera to every reader: hub, sockets, replay, requests, and the clients of all that."""
