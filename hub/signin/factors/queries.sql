-- name: lock_login
-- Whose factors these are, held until the end of the transaction; no row where there is no such login.
SELECT email, name, factors FROM hub_lock_login($1)

-- name: refresh_factors
-- Writes what a login can prove itself by, from its rows.
SELECT hub_refresh_factors($1) AS factors

-- name: factors
-- What a login has, without its passkeys.
SELECT totp_since, recovery_codes_left FROM hub_factors($1)

-- name: standing
-- When a live session was last proved and how it can be.
SELECT proved_at, factors, has_password FROM hub_standing($1)

-- name: rotate_session
-- Notes that a session was proved and gives it another token; false where the old token ended meanwhile.
SELECT hub_rotate_session($1, $2, $3) AS rotated

-- name: put_totp
-- A secret to be confirmed; false where one is confirmed already.
SELECT hub_put_totp($1, $2, $3, $4) AS put

-- name: find_totp
-- A login's TOTP secret, confirmed or not.
SELECT id, secret_sealed, last_step, confirmed FROM hub_find_totp($1)

-- name: use_totp_step
-- Uses a time step up; false where it or a later one was used.
SELECT hub_use_totp_step($1, $2, $3) AS used

-- name: remove_totp
-- Takes the TOTP secret away; false where there was none.
SELECT hub_remove_totp($1) AS removed

-- name: replace_recovery_codes
-- Voids a login's recovery codes and writes new ones.
SELECT hub_replace_recovery_codes($1, $2::bytea[], $3)

-- name: use_recovery_code
-- Uses a recovery code up; false where it is none, or was used.
SELECT hub_use_recovery_code($1, $2) AS used

-- name: passkeys
-- A login's passkeys, oldest first.
SELECT id, name, backed_up, created_at, last_used_at, credential_id, transports FROM hub_passkeys($1)

-- name: find_passkey
-- A passkey by its credential id, whoever's it is.
SELECT id, login_id, credential_id, public_key, sign_count FROM hub_find_passkey($1)

-- name: add_passkey
-- A new passkey; one that is registered already is an error.
INSERT INTO login_passkey (id, login_id, credential_id, public_key, sign_count, backed_up, transports, name, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: use_passkey
-- Notes a use with the authenticator's counter; false where that did not go up.
SELECT hub_use_passkey($1, $2) AS used

-- name: rename_passkey
-- Calls a passkey of a login by another name; false where it has none by that id.
SELECT hub_rename_passkey($1, $2, $3) AS renamed

-- name: remove_passkey
-- Takes a passkey of a login away; false where it has none by that id.
SELECT hub_remove_passkey($1, $2) AS removed

-- name: add_ceremony
-- A challenge given out; only its hash is stored.
INSERT INTO passkey_ceremony (challenge_hash, purpose, bound_to, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)

-- name: take_ceremony
-- Uses a challenge up; false where it was used, ran out, or belongs to another purpose or browser.
SELECT hub_take_ceremony($1, $2, $3) AS taken

-- name: clear_factors
-- Takes every factor of a login away.
SELECT hub_clear_factors($1)

-- name: insisting_workspaces
-- Names of the workspaces of a login that insist on a second factor.
SELECT name FROM hub_insisting_workspaces($1) AS name

-- name: member_login
-- Whose login a member of a workspace is.
SELECT login_id FROM member WHERE workspace_id = $1 AND id = $2

-- name: requires_second_factor
-- Whether a workspace insists on a second factor.
SELECT requires_second_factor FROM workspace WHERE id = $1

-- name: set_requires_second_factor
-- Makes a workspace insist on a second factor, or not.
UPDATE workspace SET requires_second_factor = $2 WHERE id = $1

-- name: members_without_factor
-- Active members of a workspace who have no second factor.
SELECT id FROM hub_members_without_factor($1) AS id

-- name: login_factors
-- What a login can prove itself by beside the password.
SELECT hub_login_factors($1) AS factors

-- name: peek_challenge
-- Whose sign-in waits under a challenge; NULL when it was used or has run out.
SELECT hub_peek_challenge($1) AS login_id
