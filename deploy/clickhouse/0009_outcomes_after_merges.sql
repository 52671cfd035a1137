-- What counts, as the windows of the accounts have it (agents/domain/promise_windows.py): a breach stays one when its
-- clock is cancelled after it; a merged clock is its survivor's; without a target nothing was promised.

CREATE OR REPLACE VIEW outcomes AS
SELECT
    if(outcome = 'met', satisfied_at, breached_at) AS decided_at,
    outcome = 'met' AS kept,
    *
FROM clocks FINAL
WHERE
    (outcome IN ('met', 'breached', 'satisfied_late') OR (outcome = 'cancelled' AND breached_at IS NOT NULL))
    AND (due_at IS NOT NULL OR target_seconds IS NOT NULL);
