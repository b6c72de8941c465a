"""A real RTSP server with a moving picture. Run by the system's Python, which has GStreamer (Debian: see rtsp_camera).

Arguments: port (0 takes a free one), WIDTHxHEIGHT, frames a second, and USER PASSWORD or a video file to serve.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
port, size, fps, *rest = sys.argv[1:]
width, height = size.split("x")
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory()
caps = f"video/x-raw,width={width},height={height},framerate={fps}/1"
encode = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5 bitrate=4000 ! rtph264pay name=pay0 pt=96"
if len(rest) == 1:
    picture = f"filesrc location={rest[0]} ! decodebin ! videoconvert ! videoscale ! videorate ! {caps}"
else:
    picture = f"videotestsrc is-live=true pattern=ball ! {caps}"
factory.set_launch(f"( {picture} ! videoconvert ! video/x-raw,format=I420 ! {encode} )")
factory.set_shared(True)
if len(rest) == 2:
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(*rest), token)
    server.set_auth(auth)
    allowed = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        allowed.add_permission_for_role("viewer", permission, True)
    factory.set_permissions(allowed)
server.get_mount_points().add_factory("/stream", factory)
server.attach(None)
print("ready", server.get_bound_port(), flush=True)
GLib.MainLoop().run()
