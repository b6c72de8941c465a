"""Follow an appliance's alert stream with pyzmq alone: every event once and in order, whatever dies in between.

python subscriber.py tcp://127.0.0.1:5556 tcp://127.0.0.1:5557
"""

import json
import sys
import time
import uuid

import zmq


def follow(publish, replay):
    """Yield (topic, header, pictures) of each event; ("silent", {}, []) when nothing was heard for three seconds."""
    sub, dealer = zmq.Context.instance().socket(zmq.SUB), zmq.Context.instance().socket(zmq.DEALER)
    for topic in (b"alert", b"decision", b"sighting", b"status"):
        sub.subscribe(topic)
    sub.connect(publish)  # subscribe first, so that nothing falls between the replay and the stream
    dealer.connect(replay)
    poller = zmq.Poller()
    poller.register(sub, zmq.POLLIN)
    poller.register(dealer, zmq.POLLIN)
    epoch, last, question, asked = "", 0, b"", 0.0
    while True:
        ready = dict(poller.poll(3000))
        if not ready:
            yield "silent", {}, []
        if dealer in ready:
            kind, answered, *frames = dealer.recv_multipart()
            if answered == question and kind == b"event":
                asked, header = time.monotonic(), json.loads(frames[1])
                if header["epoch"] == epoch and header["seq"] > last:  # drop what you have
                    last = header["seq"]
                    yield frames[0].decode(), header, frames[2:]
            elif answered == question:  # end or error: the next status tells whether more is to be asked for
                end, question = json.loads(frames[0]), b""
                last = max(last, end["next"] - 1) if end.get("epoch") == epoch else last
        if sub in ready:
            topic, header, *pictures = sub.recv_multipart()
            header = json.loads(header)
            if header["epoch"] != epoch:  # another journal: start again
                epoch, last, question = header["epoch"], 0, b""
            waiting = question and time.monotonic() - asked < 2  # later: no answer, ask anew under another name
            if topic != b"status" and header["seq"] == last + 1 and not waiting:
                last = header["seq"]
                yield topic.decode(), header, pictures
            elif header["seq"] > last and not waiting:  # a gap, or the first message
                question, asked = uuid.uuid4().bytes, time.monotonic()
                dealer.send_multipart([b"replay", question, json.dumps({"from": last + 1}).encode()])


if __name__ == "__main__":
    for topic, header, pictures in follow(*sys.argv[1:3]):
        print(topic, json.dumps(header), [len(picture) for picture in pictures], flush=True)
