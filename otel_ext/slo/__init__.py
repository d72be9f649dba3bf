"""Service level objectives: budgets, burn rates and the alerts they raise, from exact counts.

:class:`SloEngine` owns all state; the pipeline thread ticks it, any thread reads its immutable statuses. Alert
catalogs are data in :mod:`otel_ext.slo.catalog`. Imports the model, errors and stats.
"""

from otel_ext.slo.catalog import SLOTH, WORKBOOK, BurnRateAlert, BurnRateCatalog, BurnRateWindow
from otel_ext.slo.engine import AlertObserver, SloEngine
from otel_ext.slo.history import SloPoint

__all__ = [
    "AlertObserver",
    "BurnRateAlert",
    "BurnRateCatalog",
    "BurnRateWindow",
    "SLOTH",
    "SloEngine",
    "SloPoint",
    "WORKBOOK",
]
