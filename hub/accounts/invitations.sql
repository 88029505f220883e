-- name: members_by_email
-- Which of these addresses are members', and whether they still work here.
SELECT email, active FROM member WHERE workspace_id = $1 AND email = ANY ($2::text[])

-- name: count_open
-- How many invitations of a workspace are open.
SELECT count(*) AS amount FROM invitation WHERE workspace_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL

-- name: put_invitation
-- A new invitation, or a new offer and link in place of the open one to that address.
INSERT INTO invitation (workspace_id, id, token_hash, email, role, custom_role_id, team_ids, inbox_ids, invited_by,
                        created_at, sent_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)
ON CONFLICT (workspace_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL
DO UPDATE SET token_hash = excluded.token_hash, role = excluded.role, custom_role_id = excluded.custom_role_id,
              team_ids = excluded.team_ids, inbox_ids = excluded.inbox_ids, invited_by = excluded.invited_by,
              sent_at = excluded.sent_at, expires_at = excluded.expires_at
RETURNING id, email, role, custom_role_id, team_ids, inbox_ids, invited_by, created_at, sent_at, expires_at

-- name: list_invitations
-- Open invitations after one ($2; NULL: from the first), newest first; those that ran out too.
SELECT id, email, role, custom_role_id, team_ids, inbox_ids, invited_by, created_at, sent_at, expires_at
FROM invitation
WHERE workspace_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL
  AND ($2::uuid IS NULL OR (created_at, id) < (
      SELECT one.created_at, one.id FROM invitation one WHERE one.workspace_id = $1 AND one.id = $2))
ORDER BY created_at DESC, id DESC LIMIT $3

-- name: open_invitations
-- Open invitations to these addresses.
SELECT id, email, role, custom_role_id, team_ids, inbox_ids, invited_by, created_at, sent_at, expires_at
FROM invitation
WHERE workspace_id = $1 AND email = ANY ($2::text[]) AND accepted_at IS NULL AND revoked_at IS NULL

-- name: get_invitation
-- One open invitation.
SELECT id, email, role, custom_role_id, team_ids, inbox_ids, invited_by, created_at, sent_at, expires_at
FROM invitation WHERE workspace_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL

-- name: live_invitation
-- One open invitation that has not run out, by its newest link; none where the workspace is deleted.
SELECT i.id, i.email, i.role, i.custom_role_id, i.team_ids, i.inbox_ids, i.invited_by, i.created_at, i.sent_at,
       i.expires_at
FROM invitation i JOIN workspace w ON w.id = i.workspace_id
WHERE i.workspace_id = $1 AND i.id = $2 AND i.token_hash = $3 AND i.expires_at > $4
  AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND w.deleted_at IS NULL

-- name: accept_invitation
-- Uses an invitation up.
UPDATE invitation SET accepted_at = $3 WHERE workspace_id = $1 AND id = $2

-- name: revoke_invitation
-- Takes an invitation back.
UPDATE invitation SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2

-- name: find_invitation
-- Where an invitation is, by the hash of its token.
SELECT workspace_id, id FROM hub_find_invitation($1)

-- name: login_of_member
-- Whose membership this is.
SELECT login_id FROM member WHERE workspace_id = $1 AND id = $2

-- name: change_workspace
-- Replaces a workspace's name and whether it is deleted.
UPDATE workspace SET name = $2, deleted_at = $3, version = $4 WHERE id = $1

-- name: workspace_deleted_at
-- Since when a workspace is deleted.
SELECT deleted_at FROM workspace WHERE id = $1

-- name: deleted_workspaces
-- Deleted workspaces that a login still may take back.
SELECT workspace_id, workspace_name, member_id, deleted_at FROM hub_deleted_workspaces($1)

-- name: joinable_workspaces
-- Workspaces a login may join by the domain of their address.
SELECT workspace_id, workspace_name FROM hub_joinable_workspaces($1, $2)

-- name: list_domains
-- The domains a workspace proved.
SELECT domain, role, enabled, version FROM join_domain WHERE workspace_id = $1 ORDER BY domain

-- name: get_domain
-- One domain.
SELECT domain, role, enabled, version FROM join_domain WHERE workspace_id = $1 AND domain = $2

-- name: add_domain
-- A domain that was just proved.
INSERT INTO join_domain (workspace_id, domain, role, enabled, version, proved_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: change_domain
-- Replaces what can change about a domain.
UPDATE join_domain SET role = $3, enabled = $4, version = $5 WHERE workspace_id = $1 AND domain = $2

-- name: remove_domain
-- Forgets a domain.
DELETE FROM join_domain WHERE workspace_id = $1 AND domain = $2
