-- Care figures beyond one account (docs/care-metrics.md): what one partition has counted in one bucket of time, for one
-- value of one scope. A row replaces what the partition said of the same bucket before; buckets stay, so there is history.

CREATE TABLE IF NOT EXISTS rollups
(
    id              String,
    clock           LowCardinality(String)  COMMENT 'wall, import:<id> or simulation:<seed>',
    scope           LowCardinality(String)  COMMENT 'company, account, channel, team, agent, tier',
    scope_value     String                  COMMENT 'empty for the company',
    bucket          LowCardinality(String)  COMMENT 'hour, day, month (UTC), or ever: how things stand',
    partition       Int32,
    begins_at       DateTime64(6, 'UTC')    COMMENT 'of the bucket',
    as_of           DateTime64(6, 'UTC'),
    counts          Map(LowCardinality(String), Int64) COMMENT 'by measure: whole numbers that add up',
    timings         Nested
    (
        measure     LowCardinality(String),
        bins        Array(Int32),           -- bin 0 is up to 1 s, each further one ends at 51/49 of the one before
        counts      Array(Int64)
    ),
    topic_partition Int32,
    topic_offset    Int64,
    version         UInt64,
    ingested_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (clock, scope, scope_value, bucket, begins_at, partition)
SETTINGS non_replicated_deduplication_window = 10000;

-- Time on every clock of the care figures: the wall's is now, that of an import or a simulation where it has come to.
CREATE OR REPLACE VIEW care_times AS
SELECT clock, if(clock = 'wall', now64(6, 'UTC'), max(as_of)) AS clock_now
FROM rollups
GROUP BY clock;

-- Every part with the windows that hold it, as `careline care` counts them.
CREATE OR REPLACE VIEW care_parts AS
SELECT
    r.clock AS clock, r.scope AS scope, r.scope_value AS scope_value, windows AS window,
    r.counts AS counts, r.`timings.measure` AS measures, r.`timings.bins` AS bins, r.`timings.counts` AS bin_counts
FROM rollups AS r FINAL
INNER JOIN care_times AS t ON t.clock = r.clock
ARRAY JOIN arrayFilter(each -> each != '', [
    if(r.bucket = 'hour' AND dateDiff('hour', r.begins_at, t.clock_now) BETWEEN 0 AND 23, '24h', ''),
    if(r.bucket = 'day' AND dateDiff('day', r.begins_at, t.clock_now) BETWEEN 0 AND 6, '7d', ''),
    if(r.bucket = 'day' AND dateDiff('day', r.begins_at, t.clock_now) BETWEEN 0 AND 29, '30d', ''),
    if(r.bucket = 'day' AND dateDiff('day', r.begins_at, t.clock_now) BETWEEN 0 AND 89, '90d', ''),
    if(r.bucket = if(r.scope = 'account', 'month', 'day') AND dateDiff('month', r.begins_at, t.clock_now) = 0, 'month', ''),
    if(r.bucket = if(r.scope = 'account', 'month', 'day') AND dateDiff('month', r.begins_at, t.clock_now) = 1, 'last_month', '')
]) AS windows;

-- Figures that are shares and means. Nothing to count gives NULL, never 0 and never 1.
CREATE OR REPLACE VIEW care_figures AS
SELECT
    clock, scope, scope_value, window,
    arraySum(arrayMap((m, n) -> if(startsWith(m, 'met/'), n, 0), mapKeys(sums), mapValues(sums))) AS met,
    arraySum(arrayMap((m, n) -> if(startsWith(m, 'breached/'), n, 0), mapKeys(sums), mapValues(sums))) AS breached,
    if(met + breached > 0, met / (met + breached), NULL) AS adherence_ratio,
    if(sums['csat'] > 0, sums['csat_satisfied'] / sums['csat'], NULL) AS csat_ratio,
    if(sums['nps'] > 0, 100 * (sums['nps_promoters'] - sums['nps_detractors']) / sums['nps'], NULL) AS nps,
    if(sums['ces'] > 0, 1 + 6 * sums['ces_score'] / sums['ces'] / 10000, NULL) AS ces_mean,
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

-- Median, 90th and 99th percentile in seconds, right within 2 %: the middle of a bin whose edges are 51/49 apart.
CREATE OR REPLACE VIEW care_durations AS
SELECT
    clock, scope, scope_value, window, measure,
    sum(n) AS population,
    arrayMap(bin -> if(bin <= 0, 0.5, pow(51 / 49, bin) * 0.98),
        quantilesExactWeighted(0.5, 0.9, 0.99)(bin, toUInt64(n))) AS seconds,
    seconds[1] AS median_seconds,
    seconds[2] AS p90_seconds,
    seconds[3] AS p99_seconds
FROM
(
    SELECT clock, scope, scope_value, window, measure, bin, sum(n) AS n
    FROM
    (
        SELECT clock, scope, scope_value, window, measure, bin_list, n_list
        FROM care_parts
        ARRAY JOIN measures AS measure, bins AS bin_list, bin_counts AS n_list
    )
    ARRAY JOIN bin_list AS bin, n_list AS n
    GROUP BY clock, scope, scope_value, window, measure, bin
    HAVING n > 0
)
GROUP BY clock, scope, scope_value, window, measure;
