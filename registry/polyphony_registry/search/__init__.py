"""Search over the newest version of every package. Fed by the outbox; can be thrown away and rebuilt."""
