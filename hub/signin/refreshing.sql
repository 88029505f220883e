-- name: shorten_token
-- Makes the token of a session short-lived.
SELECT hub_shorten_token($1, $2)

-- name: add_refresh_token
-- The first refresh token of a session; the token itself is never stored.
INSERT INTO refresh_token (token_hash, session_id, created_at, expires_at) VALUES ($1, $2, $3, $4)

-- name: refresh_session
-- Exchanges a refresh token: rotated, unknown, ended or reused, and whose session it is.
SELECT outcome, session_id, login_id FROM hub_refresh_session($1, $2, $3, $4, $5, $6)
