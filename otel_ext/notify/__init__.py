"""Notification: the Notifier protocol, Alertmanager, and the queue that stands between the engines and the network.

:class:`NotifyQueue` is offered alerts by the pipeline thread and worked off by the notify thread. Sockets are opened
here; ``requests`` is imported at the first send.
"""

from otel_ext.notify.alertmanager import AlertmanagerNotifier
from otel_ext.notify.masking import mask_url
from otel_ext.notify.notifier import Delivery, Notifier
from otel_ext.notify.queue import NotifyQueue, NotifyStats

__all__ = ["AlertmanagerNotifier", "Delivery", "Notifier", "NotifyQueue", "NotifyStats", "mask_url"]
