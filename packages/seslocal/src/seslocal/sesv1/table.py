"""Every operation of SES v1 that is implemented."""

from __future__ import annotations

from typing import Final

from seslocal.sesv1 import identities, send_statistics, sending, settings
from seslocal.sesv2.table import Act

IMPLEMENTED: Final[dict[str, Act]] = {
    **identities.OPERATIONS,
    **sending.OPERATIONS,
    **settings.OPERATIONS,
    **send_statistics.OPERATIONS,
}
