-- Offsets begin at 0 again when a topic is created anew. An epoch counts the lives of a topic, so that versions go on
-- growing and a batch of the new life is not taken for one of the old.

CREATE TABLE IF NOT EXISTS topic_epochs
(
    topic    String,
    topic_id String,
    epoch    UInt16,
    seen_at  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(seen_at)
ORDER BY (topic, topic_id);
