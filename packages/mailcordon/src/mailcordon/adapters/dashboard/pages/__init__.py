"""One module for each group of pages. Each has `routes(site)`."""
