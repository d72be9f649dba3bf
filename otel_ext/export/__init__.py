"""What leaves the process: OTLP forwarding, the Prometheus exposition, and our verdicts as telemetry.

Nothing here decides anything: a backend that is slow, sampled or dead changes only what these modules count as
dropped. May import the SDK; sends from the SDK's own export threads and the forward threads.
"""
