"""Arrays in, arrays out: faces found, aligned, measured, embedded and redacted. Nothing else imports onnxruntime."""

import os

# Builds from the package index report to their maker by default: an id of the machine is left in the user's cache and
# a host is looked up. Only this, set before the first import, leaves nothing at all.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
