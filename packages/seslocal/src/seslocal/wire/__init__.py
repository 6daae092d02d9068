"""What goes over the wire: HTTP, the checks made from botocore's models, pages of lists."""
