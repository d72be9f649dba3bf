"""Streaming statistics and rings over time: plain data structures whose owner is whoever made them.

Imports nothing of the package; each module says what its operations cost.
"""
