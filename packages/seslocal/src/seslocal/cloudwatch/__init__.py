"""CloudWatch's API, as far as it shows what SES counts: ListMetrics and GetMetricData of the namespace AWS/SES."""
