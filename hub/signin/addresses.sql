-- name: add_change
-- A change of address that waits for the link in the new mailbox; of its two secrets only hashes are kept.
INSERT INTO address_change (id, login_id, session_id, old_email, new_email, token_hash, stop_hash, created_at,
                            expires_at, stop_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: find_change
-- Whose change a link would make.
SELECT login_id, new_email FROM hub_find_address_change($1)

-- name: apply_change
-- Gives a login its new address; no row when the link was used, stopped, or has run out.
SELECT login_id, session_id, old_email, new_email FROM hub_apply_address_change($1)

-- name: find_stop
-- Whose change a stop link would end, and whether it was made by now.
SELECT login_id, is_applied FROM hub_find_address_stop($1)

-- name: stop_change
-- Ends a change, or takes it back; no row when it was ended before or is too long ago.
SELECT login_id, old_email, new_email, was_applied FROM hub_stop_address_change($1)

-- name: set_member_address
-- The address a person has in one workspace.
UPDATE member SET email = $3, version = $4 WHERE workspace_id = $1 AND id = $2
