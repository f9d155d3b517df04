"""What AWS asks for what is taken: one dated table, without free tiers and discounts for much or for long."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

GB = float(1 << 30)  # bytes: AWS's GB of memory and of storage


class Architecture(StrEnum):
    """A function's processor."""

    X86 = "x86_64"
    ARM = "arm64"


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars, as they were known on `date`.

    gb_second: a GB of a function's memory for a second. invocation: of a function. put: also POST and LIST; get: also
    HEAD. gb_month: of S3 Standard, for 30 days. message: a request to SQS. log_gb: taken in by CloudWatch.
    instance_hour: of `instance`, on demand, which has so many `processors`.
    """

    date: str
    region: str
    gb_second: Mapping[Architecture, float]
    invocation: float
    put: float
    get: float
    gb_month: float
    message: float
    log_gb: float
    instance: str
    instance_hour: float
    processors: int


# List prices as they were known on the date, of aws.amazon.com/lambda/pricing, /s3/pricing, /sqs/pricing,
# /cloudwatch/pricing and /ec2/pricing/on-demand. Those pages could not be read: the figures of Lambda, S3 and the
# instance are third parties' who agreed (some have 0.085 for the instance), those of SQS and the logs long known ones.
# Whoever relies on them looks there first.
US_EAST_1 = Prices(
    date="2026-11-22",
    region="us-east-1",
    gb_second={Architecture.X86: 0.0000166667, Architecture.ARM: 0.0000133334},
    invocation=0.20 / 1e6,
    put=0.005 / 1000,
    get=0.0004 / 1000,
    gb_month=0.023,
    message=0.40 / 1e6,
    log_gb=0.50,
    instance="c7i.large",
    instance_hour=0.08925,
    processors=2,
)


def dollars(
    took: Mapping[str, float], prices: Prices, architecture: Architecture = Architecture.X86
) -> dict[str, float]:
    """By what is paid for. took: see `core.cost.counting.Tally.took`; bytes on their way cost nothing within the
    region."""
    return {
        "seconds": took.get("gb_seconds", 0.0) * prices.gb_second[architecture],
        "invocations": took.get("invocations", 0) * prices.invocation,
        "requests": (took.get("puts", 0) + took.get("lists", 0)) * prices.put + took.get("gets", 0) * prices.get,
    }


def storage(size: float, days: float, prices: Prices) -> float:
    """Dollars for so many bytes for so many days."""
    return size / GB * days / 30 * prices.gb_month
