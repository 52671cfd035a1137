-- Health by a company's own profiles: who told each part and how fresh it is, churn risk, and the actions that are open.

ALTER TABLE health ADD COLUMN IF NOT EXISTS `contributions.word` Array(String) COMMENT 'a value that is a word' AFTER `contributions.event_ids`;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `contributions.source` Array(LowCardinality(String)) COMMENT 'who told the newest value' AFTER `contributions.word`;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `contributions.freshness` Array(Nullable(Float64)) COMMENT 'what age has left of the weight, 0..1' AFTER `contributions.source`;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `contributions.because` Array(String) COMMENT 'why a cap, a floor or an override' AFTER `contributions.freshness`;

ALTER TABLE health ADD COLUMN IF NOT EXISTS churn_index Nullable(Float64) COMMENT '0..100, the sum of level, trend and recency; NULL when nothing is known' AFTER cause_id;

ALTER TABLE health ADD COLUMN IF NOT EXISTS churn_level Nullable(Float64) AFTER churn_index;

ALTER TABLE health ADD COLUMN IF NOT EXISTS churn_trend Nullable(Float64) COMMENT 'NULL when nothing was known a month before' AFTER churn_level;

ALTER TABLE health ADD COLUMN IF NOT EXISTS churn_recency Nullable(Float64) AFTER churn_trend;

ALTER TABLE health ADD COLUMN IF NOT EXISTS churn_probability Nullable(Float64) COMMENT '0..1; NULL without a calibration' AFTER churn_recency;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `actions.id` Array(String) COMMENT 'next actions that are open' AFTER churn_probability;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `actions.play` Array(LowCardinality(String)) AFTER `actions.id`;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `actions.action` Array(String) AFTER `actions.play`;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `actions.reason` Array(String) AFTER `actions.action`;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `actions.opened_at` Array(DateTime64(6, 'UTC')) AFTER `actions.reason`;

ALTER TABLE health ADD COLUMN IF NOT EXISTS `actions.owner` Array(LowCardinality(String)) AFTER `actions.opened_at`;

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS owner LowCardinality(String) COMMENT 'of a next action' AFTER window;

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS play LowCardinality(String) COMMENT 'that calls for a next action' AFTER owner;
