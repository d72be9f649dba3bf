"""Rules for a fleet's Prometheus, Mimir or Thanos from SLO definitions.

Pure functions to plain data and YAML. Imports the model and this package.
"""

from otel_ext.slo.generate.sloth import rule_documents, rules_yaml

__all__ = ["rule_documents", "rules_yaml"]
