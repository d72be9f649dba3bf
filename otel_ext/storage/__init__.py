"""Bounded stores of recent telemetry: metrics as columns, traces, logs. Each owns its memory and counts its drops."""
