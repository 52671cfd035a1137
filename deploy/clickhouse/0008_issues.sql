-- What customers' messages are found to say: how each of them feels, and the issues that many of them make. No text.

CREATE TABLE IF NOT EXISTS enrichments
(
    id              String,
    conversation_id String,
    interaction_id  String,
    account_id      String,
    scorer          LowCardinality(String)  COMMENT 'careline-rules, or the name of a model',
    scorer_version  LowCardinality(String),
    channel         LowCardinality(String),
    language        LowCardinality(String)  COMMENT 'ISO 639-1, or und',
    mood            LowCardinality(String)  COMMENT 'negative, neutral, positive; empty where there is nothing to go by',
    fallback        LowCardinality(String)  COMMENT 'why the rules judged where a model was asked for',
    clock           LowCardinality(String),
    tier            LowCardinality(String),
    team            LowCardinality(String),
    occurred_at     DateTime64(6, 'UTC')    COMMENT 'when the message was written',
    sentiment       Nullable(Float64)       COMMENT '-1 (furious) to 1 (delighted)',
    tokens          Int64                   COMMENT 'what the judgement cost',
    topic_partition Int32,
    topic_offset    Int64,
    version         UInt64,
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (account_id, occurred_at, id)
TTL toDateTime(ingested_at) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS issues
(
    id              String,
    issue_id        String                  COMMENT 'the issue through its life',
    kind            LowCardinality(String)  COMMENT 'issue_surge, issue_silence',
    status          LowCardinality(String)  COMMENT 'opened, updated, closed',
    name            String,
    topic_id        String                  COMMENT 'of a surge: its theme, which may come back',
    account_id      String                  COMMENT 'of a silence: who',
    owner           LowCardinality(String),
    clock           LowCardinality(String),
    opened_at       DateTime64(6, 'UTC'),
    as_of           DateTime64(6, 'UTC'),
    began_at        DateTime64(6, 'UTC')    COMMENT 'the first message of a surge; the last one before a silence',
    closed_at       Nullable(DateTime64(6, 'UTC')),
    times           Int32                   COMMENT 'the how manieth surge of its theme',
    growth          Nullable(Float64)       COMMENT 'times more messages than expected, the most so far',
    missing         Nullable(Float64)       COMMENT 'contacts that should have come',
    account_count   Int32,
    accounts        Array(String)           COMMENT 'of a surge: the first hundred',
    messages        Array(String)           COMMENT 'the first ones, as conversation id/interaction id',
    topic_partition Int32,
    topic_offset    Int64,
    version         UInt64,
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened_at)
ORDER BY (opened_at, issue_id, id)
TTL toDateTime(ingested_at) + INTERVAL 13 MONTH
SETTINGS non_replicated_deduplication_window = 10000;

-- Each issue as it stands now.
CREATE OR REPLACE VIEW issues_now AS
SELECT * FROM
(
    SELECT * FROM issues FINAL
    ORDER BY version DESC
    LIMIT 1 BY issue_id
);

-- Of several judgements about a message the last one.
CREATE OR REPLACE VIEW sentiments AS
SELECT * FROM
(
    SELECT * FROM enrichments FINAL
    ORDER BY version DESC
    LIMIT 1 BY conversation_id, interaction_id
)
WHERE sentiment IS NOT NULL;

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS issue_id String COMMENT 'of an issue' AFTER play;

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS topic_id String COMMENT 'of a theme that rises' AFTER issue_id;

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS growth Nullable(Float64) COMMENT 'of a theme that rises' AFTER topic_id;

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS accounts Array(String) COMMENT 'who wrote about it first' AFTER growth;

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS messages Array(String) COMMENT 'the first messages' AFTER accounts;

CREATE OR REPLACE VIEW alerts_firing AS
SELECT * FROM
(
    SELECT * FROM alerts FINAL
    ORDER BY version DESC
    LIMIT 1 BY key
)
WHERE state = 'firing';

-- The figures with the tone of messages among them. Nothing to count gives NULL.
CREATE OR REPLACE VIEW care_figures AS
SELECT
    clock, scope, scope_value, window,
    arraySum(arrayMap((m, n) -> if(startsWith(m, 'met/'), n, 0), mapKeys(sums), mapValues(sums))) AS met,
    arraySum(arrayMap((m, n) -> if(startsWith(m, 'breached/'), n, 0), mapKeys(sums), mapValues(sums))) AS breached,
    if(met + breached > 0, met / (met + breached), NULL) AS adherence_ratio,
    if(sums['csat'] > 0, sums['csat_satisfied'] / sums['csat'], NULL) AS csat_ratio,
    if(sums['nps'] > 0, 100 * (sums['nps_promoters'] - sums['nps_detractors']) / sums['nps'], NULL) AS nps,
    if(sums['ces'] > 0, 1 + 6 * sums['ces_score'] / sums['ces'] / 10000, NULL) AS ces_mean,
    if(sums['sentiment'] > 0, 2 * sums['sentiment_score'] / sums['sentiment'] / 10000 - 1, NULL) AS sentiment_mean,
    if(sums['first_resolutions'] > 0, sums['solved_at_first_contact'] / sums['first_resolutions'], NULL) AS first_contact_resolution_ratio,
    if(sums['resolutions'] > 0, sums['reopened'] / sums['resolutions'], NULL) AS reopen_ratio,
    if(sums['begun_by_customer'] + sums['begun_by_us'] > 0,
        sums['begun_by_us'] / (sums['begun_by_customer'] + sums['begun_by_us']), NULL) AS proactive_ratio,
    if(sums['feedback_opened'] > 0, sums['feedback_closed'] / sums['feedback_opened'], NULL) AS feedback_closed_ratio,
    sums
FROM
(
    SELECT clock, scope, scope_value, window, sumMap(counts) AS sums
    FROM care_parts
    GROUP BY clock, scope, scope_value, window
);
