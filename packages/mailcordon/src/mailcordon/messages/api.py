"""What the REST API says when it refuses a request."""
