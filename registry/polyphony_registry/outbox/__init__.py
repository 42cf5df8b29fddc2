"""What follows a commit: files, refs, search. Rows are written in the transaction and done after it."""
