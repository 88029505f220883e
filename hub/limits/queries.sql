-- name: get_limits
-- What a workspace may use, where it differs from the default.
SELECT members, channel_accounts, storage_bytes, sockets, messages_per_day, workspace_calls_per_minute, version
FROM workspace_limits WHERE workspace_id = $1

-- name: put_limits
-- Replaces a workspace's limits where nobody did since version $8; no row otherwise.
INSERT INTO workspace_limits AS l (workspace_id, members, channel_accounts, storage_bytes, sockets, messages_per_day,
                                   workspace_calls_per_minute)
SELECT $1, $2, $3, $4, $5, $6, $7
WHERE $8::bigint = coalesce((SELECT version FROM workspace_limits WHERE workspace_id = $1), 0)
ON CONFLICT (workspace_id) DO UPDATE
SET members = excluded.members, channel_accounts = excluded.channel_accounts, storage_bytes = excluded.storage_bytes,
    sockets = excluded.sockets, messages_per_day = excluded.messages_per_day,
    workspace_calls_per_minute = excluded.workspace_calls_per_minute, version = l.version + 1
WHERE l.version = $8
RETURNING version

-- name: count_members
-- Active members of a workspace.
SELECT count(*) FROM member WHERE workspace_id = $1 AND active

-- name: count_invited
-- Invitations of a workspace that can still be accepted.
SELECT count(*) FROM invitation
WHERE workspace_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()

-- name: count_channel_accounts
-- Channel accounts of a workspace that are not removed.
SELECT count(*) FROM channel_account WHERE workspace_id = $1 AND status <> 'removed'

-- name: storage_bytes
-- Bytes of all files of a workspace, those under way included.
SELECT coalesce(sum(size_bytes), 0)::bigint FROM attachment WHERE workspace_id = $1

-- name: sent_today
-- Messages a workspace sent today, by UTC.
SELECT coalesce((
    SELECT messages_out FROM usage_day WHERE workspace_id = $1 AND day = (now() AT TIME ZONE 'UTC')::date), 0)

-- name: sockets_now
-- Members' sockets of a workspace by what the processes noted within half a minute.
SELECT coalesce(sum(sockets), 0)::bigint FROM socket_count
WHERE workspace_id = $1 AND noted_at > now() - interval '30 seconds'
