"""Go templates as Prometheus rules use them, interpreted in Python.

``parse`` turns text into a :class:`Template` once; ``execute`` renders it. :class:`Expander` adds Prometheus's
variables and functions. Stateless but for a parse cache. Imports the vocabulary, errors and RE2.
"""

from otel_ext.rules.template.expander import Expander, check_template
from otel_ext.rules.template.interpreter import execute
from otel_ext.rules.template.nodes import TemplateError
from otel_ext.rules.template.parser import Template, parse

__all__ = ["Expander", "Template", "TemplateError", "check_template", "execute", "parse"]
