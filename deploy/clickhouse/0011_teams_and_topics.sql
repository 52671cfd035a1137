-- Of fewer than ten cases nobody can tell skill from luck: the figures of an agent or a team have no value below, as
-- `careline care` has none (docs/care-metrics.md). The populations, in `sums`, stay. New are satisfaction after hard cases,
-- switches of channel that were forced on customers, and what customers write about: topics of issues with their names.

ALTER TABLE sla_events ADD COLUMN IF NOT EXISTS by_channel LowCardinality(String)
    COMMENT 'of a contact: its channel where it is not that of the conversation' AFTER channel;

ALTER TABLE rollups COMMENT COLUMN scope 'company, account, channel, team, agent, tier, hours (of the day, UTC), topic (of issues)';

CREATE OR REPLACE VIEW care_figures AS
SELECT
    clock, scope, scope_value, window,
    arraySum(arrayMap((m, n) -> if(startsWith(m, 'met/'), n, 0), mapKeys(sums), mapValues(sums))) AS met,
    arraySum(arrayMap((m, n) -> if(startsWith(m, 'breached/'), n, 0), mapKeys(sums), mapValues(sums))) AS breached,
    if(met + breached >= enough, met / (met + breached), NULL) AS adherence_ratio,
    if(sums['csat'] >= enough, sums['csat_satisfied'] / sums['csat'], NULL) AS csat_ratio,
    if(sums['nps'] >= enough, 100 * (sums['nps_promoters'] - sums['nps_detractors']) / sums['nps'], NULL) AS nps,
    if(sums['ces'] >= enough, 1 + 6 * sums['ces_score'] / sums['ces'] / 10000, NULL) AS ces_mean,
    if(sums['sentiment'] >= enough, 2 * sums['sentiment_score'] / sums['sentiment'] / 10000 - 1, NULL) AS sentiment_mean,
    if(sums['first_resolutions'] >= enough, sums['solved_at_first_contact'] / sums['first_resolutions'], NULL)
        AS first_contact_resolution_ratio,
    if(sums['resolutions'] >= enough, sums['reopened'] / sums['resolutions'], NULL) AS reopen_ratio,
    if(sums['begun_by_customer'] + sums['begun_by_us'] >= enough,
        sums['begun_by_us'] / (sums['begun_by_customer'] + sums['begun_by_us']), NULL) AS proactive_ratio,
    if(sums['feedback_opened'] >= enough, sums['feedback_closed'] / sums['feedback_opened'], NULL) AS feedback_closed_ratio,
    if(sums['csat_hard'] >= enough, sums['csat_hard_satisfied'] / sums['csat_hard'], NULL) AS csat_after_hard_cases_ratio,
    if(sums['begun_by_customer'] >= enough, sums['forced_switches'] / sums['begun_by_customer'], NULL) AS forced_switch_ratio,
    sums
FROM
(
    SELECT clock, scope, scope_value, window, if(scope IN ('agent', 'team'), 10, 1) AS enough, sumMap(counts) AS sums
    FROM care_parts
    GROUP BY clock, scope, scope_value, window
);

CREATE OR REPLACE VIEW care_durations AS
SELECT
    clock, scope, scope_value, window, measure,
    sum(n) AS population,
    arrayMap(bin -> if(bin <= 0, 0.5, pow(51 / 49, bin) * 0.98),
        quantilesExactWeighted(0.5, 0.9, 0.99)(bin, toUInt64(n))) AS found,
    population >= if(scope IN ('agent', 'team'), 10, 1) AS is_enough,
    if(is_enough, found, []) AS seconds,
    if(is_enough, found[1], NULL) AS median_seconds,
    if(is_enough, found[2], NULL) AS p90_seconds,
    if(is_enough, found[3], NULL) AS p99_seconds
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

-- What customers write about, by the theme of issues. Names come and go with the issues, counts name nobody.
CREATE OR REPLACE VIEW care_topics AS
SELECT
    f.clock AS clock, f.scope_value AS topic_id, f.window AS window, n.topic AS name,
    f.sums['mentions'] AS mentions, f.sums['issue_accounts'] AS issue_accounts,
    f.sums['issues_opened'] AS issues_opened, f.sums['issues_closed'] AS issues_closed,
    f.sentiment_mean AS sentiment_mean
FROM care_figures AS f
LEFT JOIN
(
    SELECT clock, topic_id, argMax(name, opened_at) AS topic
    FROM issues_now
    WHERE topic_id != ''
    GROUP BY clock, topic_id
) AS n ON n.clock = f.clock AND n.topic_id = f.scope_value
WHERE f.scope = 'topic';
