"""SLO definitions that people already have: readers of other tools' files.

Pure functions from text to frozen values; every error names the source, the place in the file, the value and what is
allowed. PyYAML is imported when a file is read. Imports errors and this package.
"""

from otel_ext.slo.specs.definitions import QueryAlert, QuerySlo, RuleTarget
from otel_ext.slo.specs.sloth import read_sloth

__all__ = ["QueryAlert", "QuerySlo", "RuleTarget", "read_sloth"]
