"""What `mailcordon iam` says."""

from mailcordon.messages import example


@example(given="12345")
def not_an_account(*, given: str) -> str:
    """The value of --account."""
    return f'--account is "{given}": it takes an AWS account, 12 digits.'


@example(given="Frankfurt")
def not_a_region(*, given: str) -> str:
    """The value of --region."""
    return f'--region is "{given}": it takes an AWS region such as us-east-1.'


@example(arn="arn:aws:iam::123456789012:user/kim")
def not_a_role(*, arn: str) -> str:
    """A value of --send-role-arn. A session of the role has the role's ARN in aws:PrincipalArn."""
    return f'--send-role-arn is "{arn}": it takes the ARN of a role, such as arn:aws:iam::123456789012:role/mailcordon-send.'
