"""The SES door: SES's own API v2 and v1, for apps that have boto3 or another AWS SDK (docs/ses-door.md)."""
