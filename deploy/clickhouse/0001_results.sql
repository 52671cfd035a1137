-- What the agents say, one table per result topic. The database is the connection's.
--
-- Common to all tables:
--   topic_partition, topic_offset  where the record stands in its topic
--   version                        grows with the offset, also over a topic that was created anew; the highest one wins
--   ingested_at                    when the row arrived; expiry counts from here, so imported history is not deleted on arrival
-- Absent text is '', absent numbers and instants are NULL. Instants are UTC. Seconds with the prefix wall_ are calendar
-- time, those without are open time.
--
-- A fact is identified by its id; the columns before it in ORDER BY follow from it. Facts are partitioned by the month in
-- which they happened, so a fact that is written again meets its older self. Tables of latest values have the key of their
-- topic and no partitions, because the instants of a value may change.
--
-- The deduplication window counts inserted parts, up to 48 in an insert of imported history: 10,000 remember the batches
-- that can still be repeated, with room to spare.

CREATE TABLE IF NOT EXISTS sla_events
(
    id                    String,
    kind                  LowCardinality(String)  COMMENT 'activated, met, breached, ... for a clock; opened, contact, ... for a conversation',
    conversation_id       String,
    account_id            String,
    occurred_at           DateTime64(6, 'UTC')    COMMENT 'when it became true in event time; a breach carries its due instant',
    source                LowCardinality(String),
    clock                 LowCardinality(String)  COMMENT 'wall, import:<id> or simulation:<seed>',
    channel               LowCardinality(String),
    metric                LowCardinality(String),
    instance              Nullable(Int32),
    outcome               LowCardinality(String),
    previous_outcome      LowCardinality(String),
    policy                LowCardinality(String),
    policy_version        LowCardinality(String),
    calendar              LowCardinality(String),
    priority              LowCardinality(String),
    tier                  LowCardinality(String),
    segment               LowCardinality(String),
    team                  LowCardinality(String),
    inbox                 LowCardinality(String),
    agent                 String,
    target_seconds        Nullable(Float64),
    objective_ratio       Nullable(Float64),
    started_at            Nullable(DateTime64(6, 'UTC')),
    due_at                Nullable(DateTime64(6, 'UTC')),
    satisfied_at          Nullable(DateTime64(6, 'UTC')),
    breached_at           Nullable(DateTime64(6, 'UTC')),
    previous_decided_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'where the outcome was counted that is revised or taken back',
    elapsed_seconds       Nullable(Float64),
    wall_elapsed_seconds  Nullable(Float64),
    overrun_seconds       Nullable(Float64),
    wall_overrun_seconds  Nullable(Float64),
    warning               LowCardinality(String),
    reason                LowCardinality(String),
    author_kind           LowCardinality(String),
    status                LowCardinality(String),
    detected_at           Nullable(DateTime64(6, 'UTC')),
    lateness_seconds      Nullable(Float64)       COMMENT 'for what a timer found: detected_at - occurred_at, a time warp taken out',
    cause_partition       Int32,
    cause_offset          Int64,
    cause_index           Int32,
    cause_event_id        String,
    topic_partition       Int32,
    topic_offset          Int64,
    version               UInt64,
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (account_id, occurred_at, id)
TTL toDateTime(ingested_at) + INTERVAL 25 MONTH
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS clocks
(
    id                    String,
    conversation_id       String,
    account_id            String,
    metric                LowCardinality(String),
    instance              Int32,
    outcome               LowCardinality(String)  COMMENT 'open, met, breached (due and unanswered), satisfied_late, cancelled, merged, retracted',
    as_of                 DateTime64(6, 'UTC'),
    source                LowCardinality(String),
    clock                 LowCardinality(String),
    channel               LowCardinality(String),
    tier                  LowCardinality(String),
    segment               LowCardinality(String),
    team                  LowCardinality(String),
    inbox                 LowCardinality(String),
    policy                LowCardinality(String),
    policy_version        LowCardinality(String),
    calendar              LowCardinality(String),
    priority              LowCardinality(String),
    paused                Bool,
    target_seconds        Nullable(Float64),
    started_at            Nullable(DateTime64(6, 'UTC')),
    due_at                Nullable(DateTime64(6, 'UTC')),
    next_change_at        Nullable(DateTime64(6, 'UTC')),
    satisfied_at          Nullable(DateTime64(6, 'UTC')),
    breached_at           Nullable(DateTime64(6, 'UTC')),
    elapsed_seconds       Nullable(Float64),
    wall_elapsed_seconds  Nullable(Float64),
    cause_partition       Int32,
    cause_offset          Int64,
    cause_index           Int32,
    cause_event_id        String,
    topic_partition       Int32,
    topic_offset          Int64,
    version               UInt64,
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    INDEX by_account account_id TYPE bloom_filter GRANULARITY 4,
    INDEX by_outcome outcome TYPE set(8) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (conversation_id, metric, instance)
TTL toDateTime(ingested_at) + INTERVAL 25 MONTH DELETE WHERE outcome != 'open'
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS adherence
(
    id                    String,
    account_id            String,
    metric                LowCardinality(String),
    scope                 LowCardinality(String)  COMMENT 'account, or what the figure is narrowed to: channel, priority, team, ...',
    scope_value           LowCardinality(String),
    window                LowCardinality(String)  COMMENT '1h, 24h, 7d, 30d or month',
    as_of                 DateTime64(6, 'UTC'),
    met                   Int64,
    breached              Int64,
    ratio                 Nullable(Float64)       COMMENT 'met / (met + breached); NULL when nothing was decided',
    open                  Int64,
    overdue               Int64,
    clock                 LowCardinality(String),
    tier                  LowCardinality(String),
    segment               LowCardinality(String),
    cause_id              String,
    topic_partition       Int32,
    topic_offset          Int64,
    version               UInt64,
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account_id, metric, scope, scope_value, window)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS health
(
    id                    String,
    account_id            String,
    as_of                 DateTime64(6, 'UTC'),
    score                 Nullable(Float64)       COMMENT '0..100; NULL when nothing is known',
    band                  LowCardinality(String)  COMMENT 'red, amber, green; empty when nothing is known',
    coverage              Float64                 COMMENT 'share of the weight that had data, 0..1',
    change                LowCardinality(String),
    previous_score        Nullable(Float64),
    previous_band         LowCardinality(String),
    reason                String,
    profile               LowCardinality(String),
    profile_version       LowCardinality(String),
    clock                 LowCardinality(String),
    tier                  LowCardinality(String),
    segment               LowCardinality(String),
    cause_id              String,
    contributions         Nested
    (
        component         LowCardinality(String),
        signal            LowCardinality(String),
        value             Nullable(Float64),
        sub_score         Nullable(Float64),
        weight            Float64,
        points            Float64,
        change            Nullable(Float64),
        observed_at       Nullable(DateTime64(6, 'UTC')),
        event_ids         Array(String)
    ),
    topic_partition       Int32,
    topic_offset          Int64,
    version               UInt64,
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(as_of)
ORDER BY (account_id, as_of, id)
TTL toDateTime(ingested_at) + INTERVAL 25 MONTH
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS alerts
(
    id                    String,
    key                   String                  COMMENT 'what an alert is deduplicated by: firing and resolved share it',
    name                  LowCardinality(String),
    state                 LowCardinality(String),
    severity              LowCardinality(String),
    account_id            String,
    occurred_at           DateTime64(6, 'UTC'),
    summary               String,
    conversation_id       String,
    metric                LowCardinality(String),
    instance              Nullable(Int32),
    policy                LowCardinality(String),
    priority              LowCardinality(String),
    channel               LowCardinality(String),
    tier                  LowCardinality(String),
    team                  LowCardinality(String),
    due_at                Nullable(DateTime64(6, 'UTC')),
    clock                 LowCardinality(String),
    cause_id              String,
    topic_partition       Int32,
    topic_offset          Int64,
    version               UInt64,
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (account_id, occurred_at, id)
TTL toDateTime(ingested_at) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 10000;

-- Dead letters hold what a customer wrote, untouched: kept as short as their topic.
CREATE TABLE IF NOT EXISTS rejected
(
    id                    String,
    reason                LowCardinality(String),
    detail                String,
    rejected_at           DateTime64(6, 'UTC'),
    origin_topic          LowCardinality(String),
    origin_partition      Nullable(Int32),
    origin_offset         Nullable(Int64),
    origin_connector      LowCardinality(String),
    key                   String                  COMMENT 'the bytes as received',
    value                 String                  COMMENT 'the bytes as received',
    headers               Array(Tuple(name String, value String)),
    topic_partition       Int32,
    topic_offset          Int64,
    version               UInt64,
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(rejected_at)
ORDER BY (rejected_at, id)
TTL toDateTime(ingested_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;
