"""What holds for every test."""

from __future__ import annotations

import signal

# Under nohup, and in background jobs of scripts, SIGINT is ignored, and every child would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
