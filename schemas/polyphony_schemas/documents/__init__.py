"""How documents become models: shared field types, and problems with places in place of exceptions."""
