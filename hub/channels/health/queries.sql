-- name: facts
-- What the row and the outbox say of an account; the outbox by the index of what is unfinished.
SELECT a.last_item_at, a.last_sent_at, a.token_expires_at, a.token_renewed_at, coalesce(q.queued, 0) AS queued,
       q.oldest AS oldest_queued_at
FROM channel_account a
LEFT JOIN LATERAL (
    SELECT count(*)::bigint AS queued, min(d.created_at) AS oldest FROM delivery d
    WHERE d.workspace_id = a.workspace_id AND d.channel_account_id = a.id AND d.state IN ('queued', 'sending', 'unknown')
) q ON true
WHERE a.workspace_id = $1 AND a.id = $2

-- name: troubles
-- What went wrong with an account, newest first.
SELECT doing, code, message, times, first_at, last_at FROM channel_trouble
WHERE workspace_id = $1 AND channel_account_id = $2 ORDER BY last_at DESC, doing, code LIMIT 20

-- name: touch
-- Notes when something last came in and went out.
UPDATE channel_account SET last_item_at = greatest(last_item_at, $3), last_sent_at = greatest(last_sent_at, $4)
WHERE workspace_id = $1 AND id = $2

-- name: keep_trouble
-- Counts a trouble of an account that still exists; the same code again is the same row.
INSERT INTO channel_trouble AS t (workspace_id, channel_account_id, doing, code, message, times, first_at, last_at)
SELECT a.workspace_id, a.id, $3, $4, $5, $6, $7, $8 FROM channel_account a WHERE a.workspace_id = $1 AND a.id = $2
ON CONFLICT (workspace_id, channel_account_id, doing, code) DO UPDATE
SET message = excluded.message, times = t.times + excluded.times, last_at = greatest(t.last_at, excluded.last_at)

-- name: trim_troubles
-- Keeps the twenty newest troubles of an account.
DELETE FROM channel_trouble WHERE workspace_id = $1 AND channel_account_id = $2 AND (doing, code) IN (
    SELECT o.doing, o.code FROM channel_trouble o WHERE o.workspace_id = $1 AND o.channel_account_id = $2
    ORDER BY o.last_at DESC, o.doing, o.code OFFSET 20)
