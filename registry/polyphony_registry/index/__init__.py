"""The files by which clients resolve names: record histories, the feed of changes."""
