"""The members of SES's answers that this version knows, by the kind of resource: those of botocore 1.44.8.

A newer SDK may return more. Such a member appears on every resource at once, and nobody has changed anything: it is reported once
(control/beside.py), not for each resource. A test compares this table with the SDK of the lock file.
"""

from collections.abc import Mapping

from mailcordon.control.desired import Kind

MEMBERS: Mapping[Kind, frozenset[str]] = {
    Kind.IP_POOL: frozenset({"Ips", "PoolName", "ScalingMode"}),
    Kind.CONFIGURATION_SET: frozenset(
        {
            "ArchivingOptions.ArchiveArn",
            "ConfigurationSetName",
            "DeliveryOptions.MaxDeliverySeconds",
            "DeliveryOptions.SendingPoolName",
            "DeliveryOptions.SharedPoolDeliveryMode",
            "DeliveryOptions.TlsPolicy",
            "MessageSecurityOptions.SigningScheme.SmimeScheme.SignatureFormat",
            "ReputationOptions.LastFreshStart",
            "ReputationOptions.ReputationMetricsEnabled",
            "SendingOptions.SendingEnabled",
            "SuppressionOptions.SuppressedReasons",
            "SuppressionOptions.SuppressionScope",
            "SuppressionOptions.ValidationOptions.ConditionThreshold.ConditionThresholdEnabled",
            "SuppressionOptions.ValidationOptions.ConditionThreshold.OverallConfidenceThreshold.ConfidenceVerdictThreshold",
            "Tags",
            "TrackingOptions.CustomRedirectDomain",
            "TrackingOptions.HttpsPolicy",
            "VdmOptions.DashboardOptions.EngagementMetrics",
            "VdmOptions.GuardianOptions.OptimizedSharedDelivery",
        }
    ),
    Kind.EVENT_DESTINATION: frozenset(
        {
            "CloudWatchDestination.DimensionConfigurations",
            "Enabled",
            "EventBridgeDestination.EventBusArn",
            "KinesisFirehoseDestination.DeliveryStreamArn",
            "KinesisFirehoseDestination.IamRoleArn",
            "MatchingEventTypes",
            "Name",
            "PinpointDestination.ApplicationArn",
            "SnsDestination.TopicArn",
        }
    ),
    Kind.IDENTITY: frozenset(
        {
            "ConfigurationSetName",
            "DkimAttributes.CurrentSigningKeyLength",
            "DkimAttributes.LastKeyGenerationTimestamp",
            "DkimAttributes.NextSigningKeyLength",
            "DkimAttributes.SigningAttributesOrigin",
            "DkimAttributes.SigningEnabled",
            "DkimAttributes.SigningHostedZone",
            "DkimAttributes.Status",
            "DkimAttributes.Tokens",
            "FeedbackForwardingStatus",
            "IdentityType",
            "MailFromAttributes.BehaviorOnMxFailure",
            "MailFromAttributes.MailFromDomain",
            "MailFromAttributes.MailFromDomainStatus",
            "Policies",
            "Tags",
            "VerificationInfo.ErrorType",
            "VerificationInfo.LastCheckedTimestamp",
            "VerificationInfo.LastSuccessTimestamp",
            "VerificationInfo.SOARecord.AdminEmail",
            "VerificationInfo.SOARecord.PrimaryNameServer",
            "VerificationInfo.SOARecord.SerialNumber",
            "VerificationStatus",
            "VerifiedForSendingStatus",
        }
    ),
    Kind.TENANT: frozenset(
        {
            "CreatedTimestamp",
            "SendingStatus",
            "SuppressionAttributes.SuppressedReasons",
            "SuppressionAttributes.SuppressionScope",
            "Tags",
            "TenantArn",
            "TenantId",
            "TenantName",
        }
    ),
    Kind.POLICY: frozenset(
        {
            "AwsSesManagedStatus.Cause",
            "AwsSesManagedStatus.LastUpdatedTimestamp",
            "AwsSesManagedStatus.Status",
            "CustomerManagedStatus.Cause",
            "CustomerManagedStatus.LastUpdatedTimestamp",
            "CustomerManagedStatus.Status",
            "ReputationEntityReference",
            "ReputationEntityType",
            "ReputationImpact",
            "ReputationManagementPolicy",
            "SendingStatusAggregate",
        }
    ),
    Kind.ACCOUNT: frozenset(
        {
            "DedicatedIpAutoWarmupEnabled",
            "DeliveryAttributes.SharedPoolDeliveryMode",
            "Details.AdditionalContactEmailAddresses",
            "Details.ContactLanguage",
            "Details.MailType",
            "Details.ReviewDetails.CaseId",
            "Details.ReviewDetails.Status",
            "Details.UseCaseDescription",
            "Details.WebsiteURL",
            "EnforcementStatus",
            "PricingAttributes.CurrentPlan",
            "PricingAttributes.NextPlan",
            "ProductionAccessEnabled",
            "SendQuota.Max24HourSend",
            "SendQuota.MaxSendRate",
            "SendQuota.SentLast24Hours",
            "SendingEnabled",
            "SuppressionAttributes.SuppressedReasons",
            "SuppressionAttributes.ValidationAttributes.ConditionThreshold.ConditionThresholdEnabled",
            "SuppressionAttributes.ValidationAttributes.ConditionThreshold.OverallConfidenceThreshold.ConfidenceVerdictThreshold",
            "VdmAttributes.DashboardAttributes.EngagementMetrics",
            "VdmAttributes.GuardianAttributes.OptimizedSharedDelivery",
            "VdmAttributes.VdmEnabled",
        }
    ),
    Kind.ASSOCIATION: frozenset({"resources"}),
}


def knows(kind: Kind, path: str) -> bool:
    """Whether a member, or one below a list or map of SES's answer, is in the table."""
    parts = path.split(".")
    return any(".".join(parts[:length]) in MEMBERS[kind] for length in range(1, len(parts) + 1))
