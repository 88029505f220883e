-- name: public_key
-- The key push services know this installation by.
SELECT public_key FROM push_key

-- name: sealed_key
-- Both halves, the private one sealed.
SELECT public_key, sealed, key_version FROM push_key

-- name: keep_key
-- The key pair, made once: whoever comes second uses the first one's.
INSERT INTO push_key (public_key, sealed, key_version, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: replace_key
-- A key pair in place of one that does not open any more.
UPDATE push_key SET public_key = $1, sealed = $2, key_version = $3, created_at = $4

-- name: keep_subscription
-- A browser to push to, for a session.
SELECT hub_keep_push_subscription($1, $2, $3, $4, $5, $6, $7, $8) AS id

-- name: drop_subscription
-- The login wants no more pushes in that browser.
SELECT hub_drop_push_subscription($1, $2) AS is_gone

-- name: target
-- Where a browser is reached; no row once its session ended.
SELECT endpoint, public_key, auth FROM hub_push_target($1)

-- name: forget
-- The push service does not know this browser any more.
SELECT hub_forget_push_subscription($1) AS is_gone

-- name: own_subscriptions
-- The browsers of a login, newest first.
SELECT id, session_id, user_agent, created_at FROM hub_own_push_subscriptions($1)
