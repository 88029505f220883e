-- name: add_registration
-- Somebody who wants an account; the token itself is never stored.
INSERT INTO registration (token_hash, email, name, locale, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)

-- name: find_registration
-- A registration that can still be used.
SELECT email, name, locale FROM hub_find_registration($1)

-- name: use_registration
-- Uses a registration up, and every other of that address with it; no row when it was used or has run out.
SELECT email, name, locale FROM hub_use_registration($1)

-- name: add_login
-- A login whose address has been proved; an address that exists already is an error.
INSERT INTO login (id, email, name, password_hash, created_at, locale) VALUES ($1, $2, $3, $4, $5, $6)

-- name: add_challenge
-- A sign-in whose second factor is still to come.
INSERT INTO login_challenge (token_hash, login_id, bearer, created_at, expires_at, refreshable)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: try_challenge
-- Counts a try at a challenge and tells whose it is; no row when it is good for no more.
SELECT login_id, email, name, locale, factors, bearer, refreshable FROM hub_try_challenge($1)

-- name: use_challenge
-- Uses a challenge up; false when another call was first.
SELECT hub_use_challenge($1) AS used

-- name: list_sessions
-- The live sessions of a login, newest use first.
SELECT id, created_at, used_at, expires_at, user_agent, address FROM hub_login_sessions($1)

-- name: is_new_device
-- Whether a login had sessions before this one, and none with such a device.
SELECT hub_is_new_device($1, $2) AS is_new

-- name: revoke_sessions
-- Ends one session of a login, or all but one; the ids of those that ended.
SELECT id FROM hub_revoke_sessions_of($1, $2, $3) AS id

-- name: sweep
-- Forgets registrations and challenges that have run out; how many.
SELECT hub_sweep_sign_ins() AS swept
