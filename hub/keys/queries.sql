-- name: add_key
-- A new key; the token itself is never stored.
INSERT INTO api_key (workspace_id, id, kind, name, hint, member_id, scopes, inbox_ids, secret_hmac, pepper_version,
                     created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7::text[], $8::uuid[], $9, $10, $11, $12)

-- name: find_key
-- A live key with its verifiers and who answers for it, by the transaction's own workspace only.
SELECT k.id, k.kind, k.name, m.login_id, k.scopes, k.inbox_ids, k.secret_hmac, k.pepper_version, k.expires_at,
       CASE WHEN k.former_until > now() THEN k.former_hmac END AS former_hmac, k.former_pepper_version,
       coalesce(k.last_used_at > now() - interval '1 minute', false) AS is_noted
FROM api_key k JOIN member m ON m.workspace_id = k.workspace_id AND m.id = k.member_id
WHERE k.workspace_id = $1 AND k.id = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())

-- name: note_use
-- Notes that a key was used, unless another call is noting it at this moment.
UPDATE api_key SET last_used_at = now()
WHERE workspace_id = $1 AND id = (
    SELECT k.id FROM api_key k
    WHERE k.workspace_id = $1 AND k.id = $2 AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
    FOR UPDATE SKIP LOCKED)

-- name: renew_verifier
-- Replaces the verifier of a token that was just shown by one under the newest pepper; not after a rotation.
UPDATE api_key SET secret_hmac = $4, pepper_version = $5 WHERE workspace_id = $1 AND id = $2 AND secret_hmac = $3

-- name: live_keys
-- Which of these keys still hold, of any workspace.
SELECT workspace_id, id, kind, name, login_id, scopes, inbox_ids FROM hub_live_keys($1::uuid[])

-- name: recently_revoked_keys
-- Keys revoked in the last so many seconds, by the database's clock; ids only.
SELECT id FROM hub_revoked_keys(clock_timestamp() - make_interval(secs => $1::double precision)) AS id

-- name: list_keys
-- A page of keys of one kind, newest first, of one member ($3) or of all; revoked ones for a month.
SELECT id, kind, name, hint, member_id, scopes, inbox_ids, created_at, expires_at,
       CASE WHEN former_until > now() THEN former_until END AS former_until, last_used_at, revoked_at
FROM api_key
WHERE workspace_id = $1 AND kind = $2 AND ($3::uuid IS NULL OR member_id = $3) AND ($4::uuid IS NULL OR id < $4)
  AND (revoked_at IS NULL OR revoked_at > now() - interval '30 days')
ORDER BY id DESC LIMIT $5

-- name: lock_key
-- One key, held until the end of the transaction.
SELECT id, kind, name, hint, member_id, scopes, inbox_ids, created_at, expires_at,
       CASE WHEN former_until > now() THEN former_until END AS former_until, last_used_at, revoked_at
FROM api_key WHERE workspace_id = $1 AND id = $2 FOR UPDATE

-- name: count_keys
-- How many live keys of one kind there are, of one member ($3) or of all.
SELECT count(*) AS keys FROM api_key
WHERE workspace_id = $1 AND kind = $2 AND ($3::uuid IS NULL OR member_id = $3) AND revoked_at IS NULL

-- name: rename_key
-- Calls a key by another name.
UPDATE api_key SET name = $3 WHERE workspace_id = $1 AND id = $2

-- name: revoke_key
-- Ends a key, once.
UPDATE api_key SET revoked_at = clock_timestamp() WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL

-- name: rotate_key
-- Gives a key another secret and another member who answers for it; the secret before opens until $7.
UPDATE api_key SET former_hmac = secret_hmac, former_pepper_version = pepper_version, former_until = $7,
       secret_hmac = $3, pepper_version = $4, hint = $5, member_id = $6, expires_at = $8
WHERE workspace_id = $1 AND id = $2

-- name: known_inboxes
-- Which of these inboxes the workspace has.
SELECT id FROM inbox WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: call_limits
-- What a workspace may call, where it differs from the default.
SELECT workspace_calls_per_minute, member_calls_per_minute, key_calls_per_minute
FROM workspace_limits WHERE workspace_id = $1

-- name: begin_answer
-- Takes an idempotency key for a call that begins; no row where it was taken before.
INSERT INTO idempotency_key (workspace_id, caller_id, route, key, id, request_hash, lease_until, created_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7::double precision), now())
ON CONFLICT (workspace_id, caller_id, route, key) DO NOTHING RETURNING attempt

-- name: find_answer
-- What became of the call that took an idempotency key; one older than a day counts as none.
SELECT request_hash, attempt, status, media_type, body, extract(epoch FROM lease_until - now())::float8 AS lease_s,
       created_at < now() - interval '24 hours' AS is_old
FROM idempotency_key WHERE workspace_id = $1 AND caller_id = $2 AND route = $3 AND key = $4

-- name: take_over
-- Takes an idempotency key from a call that ended without a word, or from one of another day.
UPDATE idempotency_key SET attempt = attempt + 1, request_hash = $6, status = NULL, body = NULL, media_type = '',
       created_at = now(), lease_until = now() + make_interval(secs => $7::double precision)
WHERE workspace_id = $1 AND caller_id = $2 AND route = $3 AND key = $4 AND attempt = $5
  AND (created_at < now() - interval '24 hours' OR (status IS NULL AND lease_until < now()))
RETURNING attempt

-- name: keep_answer
-- Writes down how a call ended.
UPDATE idempotency_key SET status = $6, media_type = $7, body = $8
WHERE workspace_id = $1 AND caller_id = $2 AND route = $3 AND key = $4 AND attempt = $5

-- name: drop_answer
-- Frees an idempotency key: the call may be tried again.
DELETE FROM idempotency_key
WHERE workspace_id = $1 AND caller_id = $2 AND route = $3 AND key = $4 AND attempt = $5 AND status IS NULL

-- name: old_answers
-- Answers kept for long enough, of any workspace; ids only.
SELECT workspace_id, id FROM hub_old_answers($1, $2)

-- name: drop_answers
-- Drops answers of one workspace.
DELETE FROM idempotency_key WHERE workspace_id = $1 AND id = ANY ($2::uuid[])
