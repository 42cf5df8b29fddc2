"""Publishing: everything is derived again from the pushed bytes, then one transaction decides."""
