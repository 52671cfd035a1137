"""Every Kafka topic: its name, key, contract, retention, producer and consumers. The one place where a topic is named.

`streams.kafka_admin` creates them, `careline topics` prints them, the AsyncAPI document is generated from them.
"""

from typing import Literal

from msgspec import Struct

from schemas.account_profile import AccountProfile
from schemas.adherence import AdherenceReport
from schemas.alert import Alert
from schemas.clock_view import ClockView
from schemas.control import Control
from schemas.enrichment import Enrichment
from schemas.health_score import HealthScore
from schemas.interaction import Interaction
from schemas.issue import Issue
from schemas.mention import Mention
from schemas.published_policy import PublishedPolicy
from schemas.pull_cursor import PullCursor
from schemas.rejection import Rejection
from schemas.rollup import Rollup
from schemas.signal import Signal
from schemas.sla_event import SlaEvent

DAY_MS = 86_400_000


class TopicSpec(Struct, frozen=True, kw_only=True):
    """A topic as it is declared.

    Topics with the same `partitioned_with` have equal partition counts, so that one worker owns the same partition of
    each. `retention_ms` null means compacted: the latest value per key is kept for ever.
    """

    name: str
    key: str
    contracts: tuple[type[Struct], ...]
    retention_ms: int | None
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    purpose: str
    partitioned_with: Literal["conversations", "accounts", "single"] = "accounts"
    internal: bool = False


INTERACTIONS = TopicSpec(
    name="careline.interactions.v1",
    key="conversation id",
    contracts=(Interaction, Control),
    retention_ms=30 * DAY_MS,
    producers=("connect", "import", "simulate", "work"),
    consumers=("work", "enrich"),
    purpose="Every customer interaction, and the control records that move time",
    partitioned_with="conversations",
)
SIGNALS = TopicSpec(
    name="careline.signals.v1",
    key="account id",
    contracts=(Signal, Control),
    retention_ms=90 * DAY_MS,
    producers=("connect", "simulate", "health", "accounts", "work"),
    consumers=("work",),
    purpose="Surveys, usage, subscriptions, onboarding, advocacy, goals, pulse; families of accounts; health profiles",
)
ACCOUNTS = TopicSpec(
    name="careline.accounts.v1",
    key="account id",
    contracts=(AccountProfile,),
    retention_ms=None,
    producers=("accounts",),
    consumers=("connect", "import"),
    purpose="The directory: who an account is and by which identities it is known",
    partitioned_with="single",
)
CURSORS = TopicSpec(
    name="careline.cursors.v1",
    key="connector instance",
    contracts=(PullCursor,),
    retention_ms=None,
    producers=("connect",),
    consumers=("connect",),
    purpose="How far each connector that fetches has come",
    partitioned_with="single",
)
POLICIES = TopicSpec(
    name="careline.policies.v1",
    key="kind and name",
    contracts=(PublishedPolicy,),
    retention_ms=None,
    producers=("policy publish", "health publish", "issues publish", "work"),
    consumers=("any subscriber",),
    purpose="Policy, calendar and profile files as published",
    partitioned_with="single",
)
SLA_EVENTS = TopicSpec(
    name="careline.sla-events.v1",
    key="account id",
    contracts=(SlaEvent, Control),
    retention_ms=90 * DAY_MS,
    producers=("work",),
    consumers=("work", "sink", "any subscriber"),
    purpose="Clock events and the facts of conversations; the clock of an import, which is for accounts alone",
)
ENRICHMENTS = TopicSpec(
    name="careline.enrichments.v1",
    key="account id",
    contracts=(Enrichment, Control),
    retention_ms=30 * DAY_MS,
    producers=("enrich",),
    consumers=("work", "sink", "any subscriber"),
    purpose="Language and sentiment of each message of a customer; what forgets an account",
)
MENTIONS = TopicSpec(
    name="careline.mentions.v1",
    key="account id",
    contracts=(Mention, Control),
    retention_ms=7 * DAY_MS,
    producers=("enrich", "issues publish", "work"),
    consumers=("work",),
    purpose="Who wrote, and by which words, in one order for all; the time of issues, and the rules that are in force",
    partitioned_with="single",
)
ISSUES = TopicSpec(
    name="careline.issues.v1",
    key="issue id",
    contracts=(Issue, Control),
    retention_ms=90 * DAY_MS,
    producers=("work",),
    consumers=("sink", "any subscriber"),
    purpose="Themes that many customers suddenly write about and customers gone silent, from beginning to end; what "
    "forgets an account",
    partitioned_with="single",
)
CLOCKS = TopicSpec(
    name="careline.clocks.v1",
    key="conversation id, metric, instance",
    contracts=(ClockView,),
    retention_ms=None,
    producers=("work",),
    consumers=("sink", "board", "any subscriber"),
    purpose="Every clock as it stands now",
    partitioned_with="conversations",
)
ADHERENCE = TopicSpec(
    name="careline.adherence.v1",
    key="account, metric",
    contracts=(AdherenceReport,),
    retention_ms=None,
    producers=("work",),
    consumers=("sink", "any subscriber"),
    purpose="Rolling adherence in all scopes and windows, error budgets, forecast",
)
HEALTH = TopicSpec(
    name="careline.health.v1",
    key="account id",
    contracts=(HealthScore,),
    retention_ms=None,
    producers=("work",),
    consumers=("sink", "board", "any subscriber"),
    purpose="Account health with its parts",
)
ROLLUPS = TopicSpec(
    name="careline.rollups.v1",
    key="clock, scope, value, bucket, slot of the bucket, partition",
    contracts=(Rollup,),
    retention_ms=None,
    producers=("work",),
    consumers=("sink", "care", "any subscriber"),
    purpose="Care figures beyond one account, as parts that add up",
)
ALERTS = TopicSpec(
    name="careline.alerts.v1",
    key="account id",
    contracts=(Alert,),
    retention_ms=30 * DAY_MS,
    producers=("work",),
    consumers=("sink", "notify", "any subscriber"),
    purpose="What a person should act on",
)
REJECTED = TopicSpec(
    name="careline.rejected.v1",
    key="as received",
    contracts=(Rejection,),
    retention_ms=30 * DAY_MS,
    producers=("connect", "work"),
    consumers=("sink", "rejected"),
    purpose="Dead letters with their reason, origin and bytes",
)
CONVERSATION_STATE = TopicSpec(
    name="careline.conversation-state.v1",
    key="conversation id",
    contracts=(),
    retention_ms=None,
    producers=("work",),
    consumers=("work",),
    purpose="What the conversation agent remembers; recovered by the next owner of a partition",
    partitioned_with="conversations",
    internal=True,
)
ACCOUNT_STATE = TopicSpec(
    name="careline.account-state.v1",
    key="account id",
    contracts=(),
    retention_ms=None,
    producers=("work",),
    consumers=("work",),
    purpose="What the account agent remembers; recovered by the next owner of a partition",
    internal=True,
)
ISSUE_STATE = TopicSpec(
    name="careline.issue-state.v1",
    key="clock and part",
    contracts=(),
    retention_ms=None,
    producers=("work",),
    consumers=("work",),
    purpose="What the issue agent remembers; recovered by its next owner",
    partitioned_with="single",
    internal=True,
)

TOPICS = (
    INTERACTIONS,
    SIGNALS,
    ACCOUNTS,
    CURSORS,
    POLICIES,
    SLA_EVENTS,
    ENRICHMENTS,
    MENTIONS,
    CLOCKS,
    ADHERENCE,
    HEALTH,
    ROLLUPS,
    ISSUES,
    ALERTS,
    REJECTED,
    CONVERSATION_STATE,
    ACCOUNT_STATE,
    ISSUE_STATE,
)
