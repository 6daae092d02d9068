"""Amazon SES and SQS over HTTP: signed calls, and the event documents that come back."""
