"""What is told of a mail, and the ways it goes: SNS, EventBridge, Firehose."""
