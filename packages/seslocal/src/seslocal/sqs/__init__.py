"""SQS: queues, and the operations on them."""
