"""Runs on many machines: PostgreSQL is the truth, RQ on Redis the doorbell (docs/cluster.md, docs/adr/0005).

Whoever holds a run's lease conducts it with the very Conductor of a local run; the journal it appends to is
``journal.PgJournal``, the executor it starts attempts with is ``executor.ClusterExecutor``. Needs the extra
``polyphony-runner[cluster]``; nothing outside of this package imports it before a cluster is asked for.
"""
