"""The wire protocols: HTTP, signatures, input checks made from botocore's models, pagination."""
