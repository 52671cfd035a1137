-- What looks like playing with the clock is shown where people look: a view keeps the columns that its tables had when it was made,
-- and these two were made before clocks had flags.

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

CREATE OR REPLACE VIEW outcomes AS
SELECT
    if(outcome = 'met', satisfied_at, breached_at) AS decided_at,
    outcome = 'met' AS kept,
    *
FROM clocks FINAL
WHERE outcome IN ('met', 'breached', 'satisfied_late');
