"""The one table from function name to implementation, assembled from the families.

Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping

from otel_ext.promql.function_call import FunctionCall, Implementation
from otel_ext.promql.functions_histogram import HISTOGRAMS
from otel_ext.promql.functions_info import INFO
from otel_ext.promql.functions_labels import LABELS
from otel_ext.promql.functions_math import MATH
from otel_ext.promql.functions_over_time import OVER_TIME
from otel_ext.promql.functions_rate import RATES
from otel_ext.promql.functions_series import SERIES

__all__ = ["IMPLEMENTATIONS", "FunctionCall"]

IMPLEMENTATIONS: Mapping[str, Implementation] = {
    **HISTOGRAMS,
    **INFO,
    **LABELS,
    **MATH,
    **OVER_TIME,
    **RATES,
    **SERIES,
}
