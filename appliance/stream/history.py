"""Everything that was journaled so far, and what follows: from the journal of this machine, else from a hub."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.alerts.event import Event
from appliance.alerts.journal import Journal
from appliance.config.live import Config
from appliance.core.errors import JournalError, StreamError
from appliance.stream.client import HubClient
from appliance.stream.subscriber import Connection, Reset, Subscriber


def so_far(config: Config) -> Iterator[Event]:
    """Every event, in order; of another machine's hub where this one has no journal.

    Raises
    ------
    JournalError
        There is no journal here, and no hub answers.
    """
    try:
        reader = Journal.open_reader(config.alerts.state_dir)
    except JournalError as missing:
        try:
            with HubClient(config.alerts.replay, timeout_s=1.0) as hub:
                yield from hub.events()
        except StreamError:
            raise missing from None
        return
    with reader:
        yield from reader.events()


def and_on(config: Config, after_seq: int = 0) -> Iterator[Event | Connection | Reset | JournalError]:
    """Every event after a sequence number, then what the stream brings, through restarts of the hub, without end.

    Yields
    ------
    Events in order, each once, and between them what happens to the connection; first a `JournalError` where this
    machine has no journal, and everything comes from the hub.
    """
    epoch = ""
    try:
        with Journal.open_reader(config.alerts.state_dir) as reader:
            epoch = reader.epoch
            for event in reader.events(after_seq + 1):
                yield event
                after_seq = event.seq
    except JournalError as error:
        yield error
    with Subscriber(
        config.alerts.publish, config.alerts.replay, after_seq=after_seq, epoch=epoch, pictures=False
    ) as stream:
        for item in stream:
            if isinstance(item, Event | Connection | Reset):
                yield item
