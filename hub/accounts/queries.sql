-- name: has_owner
-- True once somebody owns a workspace here.
SELECT hub_has_owner() AS has_owner

-- name: lock_set_up
-- Lets one set-up run at a time, until the end of the transaction.
SELECT pg_advisory_xact_lock($1)

-- name: create_workspace
-- Makes a workspace; the id it returns must be locked before anything is written under it.
SELECT hub_create_workspace($1, $2) AS id

-- name: only_workspace
-- The id of the installation's workspace where there is exactly one.
SELECT hub_only_workspace() AS id

-- name: find_login
-- A login by e-mail address, with its verifier.
SELECT id, email, name, password_hash, factors, locale FROM hub_find_login($1)

-- name: get_login
-- A login by id, with its verifier.
SELECT id, email, name, password_hash, factors, locale FROM hub_get_login($1)

-- name: add_login
-- A new login; an address that exists already is an error.
INSERT INTO login (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)

-- name: set_password
-- Replaces a login's verifier.
UPDATE login SET password_hash = $2 WHERE id = $1

-- name: name_login
-- Replaces a login's name.
UPDATE login SET name = $2 WHERE id = $1

-- name: memberships
-- The workspaces in which a login is an active member.
SELECT workspace_id, workspace_name, member_id, role, custom_role_id FROM hub_login_memberships($1)

-- name: add_session
-- A new sign-in; the token itself is never stored.
INSERT INTO login_session (token_hash, id, login_id, created_at, used_at, expires_at, user_agent, address)
VALUES ($1, $2, $3, $4, $4, $5, $6, $7)

-- name: find_session
-- A live session by the hash of its token; marks it used.
SELECT id, login_id, email, name, expires_at FROM hub_find_session($1)

-- name: revoke_session
-- Ends one live session; its id and whose it was.
SELECT login_id, hub_revoke_session($1) AS id FROM hub_find_session($1)

-- name: revoke_login_sessions
-- Ends every session of a login; their ids.
SELECT id FROM hub_revoke_login_sessions($1) AS id

-- name: add_link
-- A one-time link; the token itself is never stored.
INSERT INTO login_link (token_hash, login_id, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)

-- name: consume_link
-- Uses a link up, and every other open link of that login with it; no row when it was used or has run out.
SELECT login_id, purpose FROM hub_consume_link($1)

-- name: add_member
-- A person in a workspace.
INSERT INTO member (workspace_id, id, login_id, name, email, role, created_at, version, custom_role_id, avatar)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: add_first_inbox
-- The inbox every workspace starts with.
INSERT INTO inbox (workspace_id, id, name, created_at) VALUES ($1, $2, $3, $4)

-- name: list_members
-- Everybody of a workspace, oldest first, those who left included: old messages refer to them.
SELECT id, name, email, role, active, version, custom_role_id, avatar FROM member WHERE workspace_id = $1 ORDER BY created_at, id

-- name: page_members
-- Members after one ($4; NULL: from the first), oldest first, by part of a name or address ($2) and state ($3).
SELECT id, name, email, role, active, version, custom_role_id, avatar FROM member
WHERE workspace_id = $1
  AND ($2::text IS NULL OR name ILIKE $2 OR email ILIKE $2)
  AND ($3::boolean IS NULL OR active = $3)
  AND ($4::uuid IS NULL OR (created_at, id) > (
      SELECT one.created_at, one.id FROM member one WHERE one.workspace_id = $1 AND one.id = $4))
ORDER BY created_at, id LIMIT $5

-- name: get_member
-- One member.
SELECT id, name, email, role, active, version, custom_role_id, avatar FROM member WHERE workspace_id = $1 AND id = $2

-- name: member_of_login
-- The member a login is in a workspace.
SELECT id, name, email, role, active, version, custom_role_id, avatar FROM member WHERE workspace_id = $1 AND login_id = $2

-- name: change_member
-- Replaces what can change about a member.
UPDATE member SET name = $3, role = $4, active = $5, version = $6, custom_role_id = $7, avatar = $8
WHERE workspace_id = $1 AND id = $2

-- name: count_owners
-- How many active owners a workspace has.
SELECT count(*) AS owners FROM member WHERE workspace_id = $1 AND role = 'owner' AND active

-- name: bump_rights
-- Says that somebody's rights changed: open sockets of the workspace are checked again.
UPDATE workspace SET rights_version = rights_version + 1, rights_seq = event_seq + 1 WHERE id = $1

-- name: rights_version
-- The version of everybody's rights in a workspace.
SELECT rights_version FROM workspace WHERE id = $1

-- name: load_actor
-- An active member, the version of the workspace's rights, and the inboxes an agent or viewer may see.
SELECT member_id, role, rights_version, rights_seq, visible_inboxes, permissions,
       hub_lacks_second_factor($1, $2) AS lacks_factor, hub_suspended_why($1) AS suspended_why
FROM hub_load_actor($1, $2)

-- name: find_actor
-- A live session by the hash of its token, and who its login is in a workspace; marks the session used.
SELECT id, login_id, email, name, expires_at, member_id, role, rights_version, rights_seq, visible_inboxes, permissions,
       hub_lacks_second_factor($2, login_id) AS lacks_factor, hub_suspended_why($2) AS suspended_why,
       (SELECT e.operator_id FROM hub_entered(id) e) AS operator_id,
       (SELECT e.workspace_id FROM hub_entered(id) e) AS entered_id
FROM hub_find_actor($1, $2)

-- name: get_workspace
-- One workspace by id.
SELECT id, name, version FROM workspace WHERE id = $1

-- name: live_sessions
-- Which of these sessions still hold, and whose they are.
SELECT id, login_id FROM hub_live_sessions($1::uuid[])

-- name: load_actors
-- Who many logins are, each in a workspace; no row for whoever is no active member there, or lacks a second factor.
SELECT workspace_id, login_id, member_id, role, rights_version, rights_seq, visible_inboxes, permissions
FROM hub_load_actors($1::bigint[], $2::uuid[])
WHERE NOT hub_lacks_second_factor(workspace_id, login_id) AND hub_suspended_why(workspace_id) IS NULL

-- name: find_logins
-- Login and address of some active members.
SELECT login_id, email FROM member WHERE workspace_id = $1 AND id = ANY ($2::uuid[]) AND active

-- name: recently_revoked_sessions
-- Sessions revoked in the last so many seconds, by the database's clock; ids only.
SELECT id FROM hub_revoked_sessions(clock_timestamp() - make_interval(secs => $1::double precision)) AS id

-- name: is_operator
-- Whether a login operates this installation.
SELECT hub_is_operator($1) AS is_operator

-- name: set_operator
-- Makes a login an operator, or none any more; whether anything changed.
SELECT hub_set_operator($1, $2) AS changed

-- name: list_operators
-- Everybody who operates this installation.
SELECT id, email, name FROM hub_list_operators()

-- name: entered
-- Which operator is behind a session, and where; no row for an ordinary one.
SELECT workspace_id, operator_id, member_id, reason, expires_at FROM hub_entered($1)

-- name: entered_sessions
-- Which of these sessions are an operator's in somebody's workspace.
SELECT session_id, workspace_id FROM hub_entered_sessions($1::uuid[])
