"""Keeps users and passwords out of every text that is shown or logged."""

from __future__ import annotations

import re


def mask_credentials(text: str) -> str:
    """The text with the user and password of every URL in it replaced by `***`.

    Also where a password holds `@`, `/`, a quote or a blank that ought to be percent-encoded (a message about a bad
    address quotes it), and where a camera takes user and password as `user=…&password=…`. Rather too much than too
    little is hidden.
    """
    text = re.sub(
        r"(?i)\b([a-z][a-z0-9+.-]*://)(?:[^\s/@:]*:\S*@|[^/\s'\"]*@|[^\s/@:]+:[^\n/@]{0,80}@)", r"\1***@", text
    )
    return re.sub(r"(?i)\b((?:user|username|password|passwd|pass|pwd|token)=)[^&\s'\"]*", r"\1***", text)
