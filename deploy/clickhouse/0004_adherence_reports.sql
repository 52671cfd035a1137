-- Adherence comes as one report per account and metric, with all scopes and windows of the same instant. The table holds
-- the latest report of each; the figures of before were latest values too, and every account that has any is told anew
-- when one of them moves, within a month at the longest.

DROP VIEW IF EXISTS adherence_now;

DROP TABLE IF EXISTS adherence;

CREATE TABLE IF NOT EXISTS adherence
(
    id                    String,
    account_id            String,
    metric                LowCardinality(String),
    as_of                 DateTime64(6, 'UTC'),
    clock                 LowCardinality(String),
    tier                  LowCardinality(String),
    segment               LowCardinality(String),
    cause_id              String,
    forecast_breach_ratio Nullable(Float64)       COMMENT 'share of the open clocks that will probably break; NULL when none falls due',
    forecast_breaches     Nullable(Float64)       COMMENT 'how many that are',
    standings             Nested
    (
        scope             LowCardinality(String), -- account, channel, priority, tier, team, policy
        scope_value       LowCardinality(String),
        met               Array(Int64),           -- 1h, 24h, 7d, 30d, month (calendar, UTC), as breached and ratio
        breached          Array(Int64),
        ratio             Array(Nullable(Float64)),
        open              Int64,
        overdue           Int64,
        at_risk           Int64
    ),
    budgets               Nested
    (
        policy            LowCardinality(String),
        objective_ratio   Float64,
        over              LowCardinality(String), -- 30d, or another number of days, or month
        met               Int64,
        breached          Int64,
        allowed           Float64,
        left              Float64,
        left_ratio        Nullable(Float64),
        open              Int64,
        expected_breaches Float64,
        forecast_ratio    Nullable(Float64),
        breaches_left     Int64,
        burn_window       Array(LowCardinality(String)),
        burn_rate         Array(Nullable(Float64)),
        burn_factor       Array(Float64),
        burning           Array(Bool)
    ),
    due                   Nested
    (
        conversation_id   String,
        instance          Int32,
        due_at            DateTime64(6, 'UTC'),
        at_risk           Bool
    ),
    topic_partition       Int32,
    topic_offset          Int64,
    version               UInt64,
    ingested_at           DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account_id, metric)
SETTINGS non_replicated_deduplication_window = 10000;

ALTER TABLE sla_events ADD COLUMN IF NOT EXISTS objective_over LowCardinality(String) AFTER objective_ratio;

ALTER TABLE sla_events ADD COLUMN IF NOT EXISTS flags Array(LowCardinality(String)) COMMENT 'what looks like playing with the clock' AFTER reason;

ALTER TABLE clocks ADD COLUMN IF NOT EXISTS flags Array(LowCardinality(String)) COMMENT 'what looks like playing with the clock' AFTER paused;

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS window LowCardinality(String) COMMENT 'of an error budget that burns' AFTER due_at;

-- One row per account, metric, scope and window. Values of a scope sum to the account; ratios have to be made from sums.
CREATE OR REPLACE VIEW adherence_now AS
SELECT
    id, account_id, metric, scope, scope_value, window, as_of,
    met, breached, ratio, open, overdue, at_risk,
    clock, tier, segment, cause_id
FROM
(
    SELECT
        a.id AS id, a.account_id AS account_id, a.metric AS metric, a.as_of AS as_of, a.clock AS clock,
        a.tier AS tier, a.segment AS segment, a.cause_id AS cause_id,
        s.scope AS scope, s.scope_value AS scope_value, s.met AS mets, s.breached AS breacheds, s.ratio AS ratios,
        s.open AS open, s.overdue AS overdue, s.at_risk AS at_risk
    FROM adherence AS a FINAL
    ARRAY JOIN standings AS s
)
ARRAY JOIN ['1h', '24h', '7d', '30d', 'month'] AS window, mets AS met, breacheds AS breached, ratios AS ratio;

-- What the objectives of policies allow each account to break, and where it will end. Burn columns run over burn_window.
CREATE OR REPLACE VIEW error_budgets_now AS
SELECT
    a.account_id AS account_id, a.metric AS metric, a.as_of AS as_of, a.clock AS clock,
    a.tier AS tier, a.segment AS segment,
    b.policy AS policy, b.objective_ratio AS objective_ratio, b.over AS over,
    b.met AS met, b.breached AS breached, b.allowed AS allowed, b.left AS left, b.left_ratio AS left_ratio,
    b.open AS open, b.expected_breaches AS expected_breaches, b.forecast_ratio AS forecast_ratio,
    b.breaches_left AS breaches_left, b.burn_window AS burn_window, b.burn_rate AS burn_rate,
    b.burn_factor AS burn_factor, b.burning AS burning
FROM adherence AS a FINAL
ARRAY JOIN budgets AS b;

CREATE OR REPLACE VIEW alerts_firing AS
SELECT * FROM
(
    SELECT * FROM alerts FINAL
    ORDER BY version DESC
    LIMIT 1 BY key
)
WHERE state = 'firing';
