-- A view keeps the columns that its tables had when it was made, and these two were made before a score had its churn
-- risk, its open actions, and the origin of its parts.

CREATE OR REPLACE VIEW health_now AS
SELECT * FROM
(
    SELECT * FROM health FINAL
    ORDER BY version DESC
    LIMIT 1 BY account_id
);

CREATE OR REPLACE VIEW health_contributions AS
SELECT
    h.id AS health_id,
    h.account_id AS account_id,
    h.as_of AS as_of,
    h.score AS score,
    c.component AS component,
    c.signal AS signal,
    c.value AS value,
    c.word AS word,
    c.sub_score AS sub_score,
    c.weight AS weight,
    c.points AS points,
    c.change AS change,
    c.observed_at AS observed_at,
    c.freshness AS freshness,
    c.source AS source,
    c.because AS because,
    c.event_ids AS event_ids
FROM health AS h FINAL
ARRAY JOIN contributions AS c;
