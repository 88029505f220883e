-- name: list_workspaces
-- A page of workspaces of the installation, newest first, whose name or id holds a text.
SELECT id, name, created_at, suspended_at, suspended_why, deleted_at, lets_operators_in, members, sockets,
       messages_30_days, storage_bytes
FROM hub_list_workspaces($1, $2, $3)

-- name: get_workspace
-- One workspace as the operator's list shows it.
SELECT id, name, created_at, suspended_at, suspended_why, deleted_at, lets_operators_in, members, sockets,
       messages_30_days, storage_bytes
FROM hub_list_workspaces(NULL, $1 + 1, 1) WHERE id = $1

-- name: suspend
-- Closes a workspace to its members; nothing where it is closed.
UPDATE workspace SET suspended_at = $2, suspended_why = $3 WHERE id = $1 AND suspended_at IS NULL

-- name: resume
-- Opens a suspended workspace again.
UPDATE workspace SET suspended_at = NULL, suspended_why = '' WHERE id = $1 AND suspended_at IS NOT NULL

-- name: lets_operators_in
-- Whether a workspace's owners let an operator enter.
SELECT lets_operators_in FROM workspace WHERE id = $1

-- name: let_operators_in
-- Lets operators enter from now on, or not.
UPDATE workspace SET lets_operators_in = $2 WHERE id = $1 AND lets_operators_in <> $2

-- name: flags
-- What was set, for the installation and for the workspaces this transaction named.
SELECT workspace_id, name, is_on FROM feature_flag WHERE workspace_id = ANY ($1::bigint[])

-- name: put_flag
-- Sets a flag.
INSERT INTO feature_flag (workspace_id, name, is_on, changed_at) VALUES ($1, $2, $3, now())
ON CONFLICT (workspace_id, name) DO UPDATE SET is_on = excluded.is_on, changed_at = excluded.changed_at

-- name: drop_flag
-- Takes a flag's setting back.
DELETE FROM feature_flag WHERE workspace_id = $1 AND name = $2

-- name: usage_days
-- What a workspace used a day, for the last thirty; days without a row are zeros.
SELECT d.day::date AS day, coalesce(u.messages_in, 0) AS messages_in, coalesce(u.messages_out, 0) AS messages_out,
       coalesce(u.api_calls, 0) AS api_calls, coalesce(u.most_sockets, 0) AS most_sockets
FROM generate_series((now() AT TIME ZONE 'UTC')::date - 29, (now() AT TIME ZONE 'UTC')::date, interval '1 day') AS d (day)
LEFT JOIN usage_day u ON u.workspace_id = $1 AND u.day = d.day::date
ORDER BY d.day

-- name: note_sockets
-- How many sockets this process holds for each of some workspaces.
INSERT INTO socket_count (workspace_id, process, sockets, noted_at)
SELECT n.workspace_id, $2, n.sockets, now() FROM unnest($1::bigint[], $3::bigint[]) AS n (workspace_id, sockets)
WHERE EXISTS (SELECT FROM workspace w WHERE w.id = n.workspace_id) ORDER BY n.workspace_id
ON CONFLICT (workspace_id, process) DO UPDATE SET sockets = excluded.sockets, noted_at = excluded.noted_at

-- name: forget_processes
-- Drops what processes noted that are long gone.
DELETE FROM socket_count WHERE workspace_id = ANY ($1::bigint[]) AND noted_at < now() - interval '1 hour'

-- name: note_usage
-- Adds what this process counted, and keeps the most sockets there were at one time over all processes.
INSERT INTO usage_day AS u (workspace_id, day, api_calls, most_sockets)
SELECT n.workspace_id, n.day, n.calls, coalesce((
    SELECT sum(s.sockets) FROM socket_count s
    WHERE s.workspace_id = n.workspace_id AND s.noted_at > now() - interval '30 seconds'), 0)
FROM unnest($1::bigint[], $2::date[], $3::bigint[]) AS n (workspace_id, day, calls)
WHERE EXISTS (SELECT FROM workspace w WHERE w.id = n.workspace_id) ORDER BY n.workspace_id, n.day
ON CONFLICT (workspace_id, day) DO UPDATE
SET api_calls = u.api_calls + excluded.api_calls, most_sockets = greatest(u.most_sockets, excluded.most_sockets)

-- name: add_entered
-- Makes a session an operator's in this workspace.
INSERT INTO entered_session (workspace_id, session_id, operator_id, member_id, reason, began_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: list_entered
-- The stays of operators in a workspace, newest first; one that ran out ended then.
SELECT session_id, operator_id, member_id, reason, began_at, expires_at,
       coalesce(ended_at, CASE WHEN expires_at <= now() THEN expires_at END) AS ended_at
FROM entered_session WHERE workspace_id = $1 ORDER BY began_at DESC, session_id LIMIT $2

-- name: end_entered
-- Ends an operator's stay; nothing where it had ended.
UPDATE entered_session SET ended_at = $3
WHERE workspace_id = $1 AND session_id = $2 AND ended_at IS NULL AND expires_at > $3

-- name: revoke_entered
-- Ends the session of a stay; its open sockets close within a minute.
SELECT hub_end_entered_session($1, $2) AS ended

-- name: owners
-- Active owners of a workspace, with the login and language of each.
SELECT m.id, m.login_id, m.email, m.name FROM member m WHERE m.workspace_id = $1 AND m.active AND m.role = 'owner'
ORDER BY m.created_at, m.id

-- name: login_of_member
-- The login of an active member.
SELECT login_id FROM member WHERE workspace_id = $1 AND id = $2 AND active

-- name: login_of_stay
-- As whose login a stay of an operator runs.
SELECT m.login_id FROM entered_session e JOIN member m ON m.workspace_id = e.workspace_id AND m.id = e.member_id
WHERE e.workspace_id = $1 AND e.session_id = $2
