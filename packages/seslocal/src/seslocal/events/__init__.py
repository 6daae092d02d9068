"""The events of mail and where they are published: SNS, EventBridge, Firehose, CloudWatch."""
