-- What people ask, answered at read: every view takes replaced rows, revised and retracted outcomes out by itself.
-- (A sum kept by a materialized view could not take back what was retracted.)

-- Time on every clock: the wall's is now, that of an import or a simulation is the latest instant it has reached.
CREATE OR REPLACE VIEW clock_times AS
SELECT clock, if(clock = 'wall', now64(6, 'UTC'), max(as_of)) AS clock_now
FROM clocks
GROUP BY clock;

-- Promises that are running, paused or overdue now. Seconds left are calendar time; due_soon is the last fifth of a target.
CREATE OR REPLACE VIEW open_clocks AS
SELECT
    now_of.clock_now AS clock_now,
    dateDiff('microsecond', now_of.clock_now, c.due_at) / 1e6 AS seconds_left,
    multiIf(
        c.outcome = 'breached' OR seconds_left < 0, 'overdue',
        c.paused, 'paused',
        seconds_left <= 0.2 * c.target_seconds, 'due_soon',
        'running'
    ) AS stage,
    c.*
FROM clocks AS c FINAL
INNER JOIN clock_times AS now_of ON now_of.clock = c.clock
WHERE c.outcome IN ('open', 'breached');

-- Promises that were decided: kept, or broken (answered late or not yet answered). Each counts once, as it stands now.
CREATE OR REPLACE VIEW outcomes AS
SELECT
    if(outcome = 'met', satisfied_at, breached_at) AS decided_at,
    outcome = 'met' AS kept,
    *
FROM clocks FINAL
WHERE outcome IN ('met', 'breached', 'satisfied_late');

CREATE OR REPLACE VIEW outcomes_hourly AS
SELECT
    toStartOfHour(decided_at) AS hour,
    clock,
    metric,
    channel,
    priority,
    tier,
    team,
    policy,
    countIf(kept) AS met,
    countIf(NOT kept) AS breached,
    met / (met + breached) AS ratio
FROM outcomes
GROUP BY hour, clock, metric, channel, priority, tier, team, policy;

CREATE OR REPLACE VIEW adherence_now AS
SELECT * FROM adherence FINAL;

CREATE OR REPLACE VIEW health_now AS
SELECT * FROM health FINAL
ORDER BY version DESC
LIMIT 1 BY account_id;

-- Why a score is what it is: the points of one score add up to it.
CREATE OR REPLACE VIEW health_contributions AS
SELECT
    h.id AS health_id,
    h.account_id AS account_id,
    h.as_of AS as_of,
    h.score AS score,
    c.component AS component,
    c.signal AS signal,
    c.value AS value,
    c.sub_score AS sub_score,
    c.weight AS weight,
    c.points AS points,
    c.change AS change,
    c.observed_at AS observed_at,
    c.event_ids AS event_ids
FROM health AS h FINAL
ARRAY JOIN contributions AS c;

CREATE OR REPLACE VIEW alerts_firing AS
SELECT * FROM
(
    SELECT * FROM alerts FINAL
    ORDER BY version DESC
    LIMIT 1 BY key
)
WHERE state = 'firing';
