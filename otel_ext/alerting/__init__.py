"""Alerting: the one state machine that rules, SLOs, anomalies, health checks and code share.

:class:`AlertMachine` owns the state of every alert; one thread observes, any thread reads the snapshots.
Imports the vocabulary and errors alone.
"""

from otel_ext.alerting.machine import RESOLVED_RETENTION_MS, AlertMachine
from otel_ext.alerting.state_file import load_state, save_state

__all__ = ["RESOLVED_RETENTION_MS", "AlertMachine", "load_state", "save_state"]
