-- name: add_attempt
-- A browser that is sent to a vendor; what ran out of the workspace's goes.
WITH gone AS (DELETE FROM connect_attempt WHERE workspace_id = $1 AND expires_at < now())
INSERT INTO connect_attempt (workspace_id, id, state_hash, member_id, session_id, channel, channel_account_id, is_again,
                             form_sealed, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: find_attempt
-- The workspace of a browser that came back; no row for another session, another channel, a second time, or too late.
SELECT hub_find_connect_attempt($1, $2, $3) AS workspace_id

-- name: lock_attempt
-- An attempt that was not used yet, locked: of two that come back with it one waits and finds it used.
SELECT workspace_id, id, member_id, session_id, channel, channel_account_id AS account_id, is_again, form_sealed
FROM connect_attempt
WHERE workspace_id = $1 AND state_hash = $2 AND session_id = $3 AND used_at IS NULL AND expires_at > now()
FOR UPDATE

-- name: use_attempt
-- Uses an attempt up; what was entered goes.
UPDATE connect_attempt SET used_at = now(), form_sealed = NULL WHERE workspace_id = $1 AND id = $2

-- name: settle_attempt
-- Notes what came of an attempt.
UPDATE connect_attempt SET outcome = $3, message = $4 WHERE workspace_id = $1 AND id = $2

-- name: get_attempt
-- What came of one of a member's attempts.
SELECT id, channel, channel_account_id, outcome, message FROM connect_attempt
WHERE workspace_id = $1 AND id = $2 AND member_id = $3

-- name: find_same
-- The name of another account of a channel that is the same one at the vendor.
SELECT name FROM channel_account
WHERE workspace_id = $1 AND channel = $2 AND external_ref = $3 AND id <> $4 AND status <> 'removed' LIMIT 1

-- name: external_ref
-- The vendor's own id of an account.
SELECT external_ref FROM channel_account WHERE workspace_id = $1 AND id = $2 AND status <> 'removed'

-- name: lock_tokens
-- An account's tokens, its row locked; whether nobody renews them at the moment.
SELECT credentials_sealed, token_expires_at, token_renewed_at,
       (renewing_until IS NULL OR renewing_until <= clock_timestamp()) AS is_free
FROM channel_account
WHERE workspace_id = $1 AND id = $2 AND credentials_sealed IS NOT NULL FOR NO KEY UPDATE

-- name: hold_renewal
-- Says that a renewal is under way, until a moment.
UPDATE channel_account SET renewing_until = clock_timestamp() + make_interval(secs => $3::float8)
WHERE workspace_id = $1 AND id = $2

-- name: end_renewal
-- Says that no renewal is under way any more.
UPDATE channel_account SET renewing_until = NULL WHERE workspace_id = $1 AND id = $2

-- name: set_token
-- When the token in an account's credentials ends; it was granted or renewed now.
UPDATE channel_account SET token_expires_at = $3, token_renewed_at = $4, renewing_until = NULL
WHERE workspace_id = $1 AND id = $2
