"""The vocabulary: frozen, slotted values that every layer passes on and no layer owns.

Imports nothing of the package. One module a signal: labels, metrics, spans, logs, alerts, slos, anomalies.
"""
