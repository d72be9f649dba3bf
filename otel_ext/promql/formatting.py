"""Numbers as Go prints them, for users of the engine; the functions live in the vocabulary.

Pure functions.
"""

from otel_ext.model.go_floats import format_float, format_float_e, format_float_g, parse_go_float

__all__ = ["format_float", "format_float_e", "format_float_g", "parse_go_float"]
