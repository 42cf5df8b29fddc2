"""What others may watch of runs: spans, metrics, structured logs, traces. All are readers of the journal's events."""
