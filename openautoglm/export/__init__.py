"""Writing programs for the runtimes of phones, and looking into them."""
