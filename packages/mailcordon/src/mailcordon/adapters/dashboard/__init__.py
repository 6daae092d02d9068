"""The dashboard's pages. They show what the REST API answers, and do what it does: no page has rights or logic of its own."""
