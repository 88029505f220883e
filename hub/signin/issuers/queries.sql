-- name: add_attempt
-- A browser that is sent to an issuer; of its secrets only hashes are kept.
INSERT INTO issuer_attempt (state_hash, browser_hash, slug, issuer, login_id, session_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: take_attempt
-- Uses an attempt up; no row for another browser, another issuer, a second time, or too late.
SELECT slug, issuer, login_id, session_id FROM hub_take_issuer_attempt($1, $2, $3)

-- name: use_identity
-- Whose login an account at an issuer opens; notes its use.
SELECT hub_use_issuer_identity($1, $2) AS login_id

-- name: add_identity
-- An account at an issuer that opens a login from now on.
INSERT INTO issuer_identity (id, login_id, issuer, subject, email, created_at) VALUES ($1, $2, $3, $4, $5, $6)

-- name: list_identities
-- The accounts at issuers that open a login, oldest first.
SELECT id, issuer, email, created_at, used_at FROM hub_issuer_identities($1)

-- name: remove_identity
-- Takes one of them away; false where the login has none by that id.
SELECT hub_remove_issuer_identity($1, $2) AS removed

-- name: ways_in
-- By what else a login can be opened.
SELECT has_password, has_passkey FROM hub_ways_in($1)

-- name: add_link
-- An account at an issuer that waits for the password of the login with its address.
INSERT INTO issuer_link (token_hash, login_id, issuer, subject, email, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: try_link
-- Counts a try at a waiting link and tells whose password it needs; no row when it is good for no more.
SELECT email FROM hub_try_issuer_link($1)

-- name: hold_link
-- Lets a link wait for a second factor under the challenge of its sign-in.
SELECT hub_hold_issuer_link($1, $2) AS held

-- name: take_link
-- Takes a waiting link, by its token or by its challenge.
SELECT login_id, issuer, subject, email FROM hub_take_issuer_link($1, $2)
