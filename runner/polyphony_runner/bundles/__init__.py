"""A run in one file: everything that shows what happened, checked offline by ``polyphony verify FILE``.

A bundle is a zip archive without compression, and at once a Workflow Run RO-Crate (profile 0.5 of RO-Crate 1.1):

```
bundle.json            the table of contents: every other file with its SHA-256, every artifact that the journal names
provenance.json        in-toto statement (SLSA provenance v1) in a DSSE envelope, over bundle.json and the outputs
ro-crate-metadata.json the run in the words of RO-Crate
journal.jsonl  head.json  run.json  graph.json        as in the run's folder; head.json carries the public run key
melody.lock            the locked packages of the run, where a lock names them
logs/DIGEST.jsonl      what nodes wrote, with ``--with-artifacts``
artifacts/DIGEST       values that lie outside the journal; with ``--with-artifacts`` files and folders too
```

The same run gives the same bytes: names are sorted, times are those of the run, and nothing is compressed, so that the
size of what is read is never more than the size of the file. What a bundle proves is in docs/bundles.md.
"""
