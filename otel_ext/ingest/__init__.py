"""The SDK's hooks: where spans, logs and metrics enter, on the application's threads.

A hook appends to one bounded queue and returns. It never raises, never blocks on I/O, never keeps an SDK object
longer than the queue does. May import the SDK.
"""
