"""One lock around the imports that background threads make, so that a fork never falls into the middle of one.

A child forked while another thread imports a module would wait for that module's import lock for ever: the thread
that would release it does not exist there. Fork takes the gate first, and so waits for the import to end.
"""

from __future__ import annotations

import os
import threading

__all__ = ["ImportGate", "import_gate"]


class ImportGate:
    """``with import_gate: import heavy`` in every thread but the main one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        os.register_at_fork(before=self.__enter__, after_in_parent=self.__exit__, after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


import_gate = ImportGate()
