-- name: list_access
-- Who is let into these inboxes ($2; NULL: all), by themselves and by teams.
SELECT i.id, ARRAY(
           SELECT im.member_id FROM inbox_member im
           WHERE im.workspace_id = i.workspace_id AND im.inbox_id = i.id ORDER BY im.member_id) AS member_ids,
       ARRAY(
           SELECT it.team_id FROM inbox_team it
           WHERE it.workspace_id = i.workspace_id AND it.inbox_id = i.id ORDER BY it.team_id) AS team_ids
FROM inbox i WHERE i.workspace_id = $1 AND ($2::uuid[] IS NULL OR i.id = ANY ($2::uuid[]))

-- name: clear_members
-- Lets nobody into an inbox by themselves any more.
DELETE FROM inbox_member WHERE workspace_id = $1 AND inbox_id = $2

-- name: clear_teams
-- Lets no team into an inbox any more.
DELETE FROM inbox_team WHERE workspace_id = $1 AND inbox_id = $2

-- name: add_members
-- Lets members into an inbox.
INSERT INTO inbox_member (workspace_id, inbox_id, member_id) SELECT $1, $2, one FROM unnest($3::uuid[]) AS one

-- name: add_teams
-- Lets teams into an inbox.
INSERT INTO inbox_team (workspace_id, inbox_id, team_id) SELECT $1, $2, one FROM unnest($3::uuid[]) AS one

-- name: contents
-- What keeps an inbox: its conversations, and channel accounts that are not removed.
SELECT (SELECT count(*) FROM conversation WHERE workspace_id = $1 AND inbox_id = $2) AS conversations,
       (SELECT count(*) FROM channel_account
        WHERE workspace_id = $1 AND inbox_id = $2 AND status <> 'removed') AS accounts

-- name: removed_accounts
-- Accounts of an inbox that were removed.
SELECT id FROM channel_account WHERE workspace_id = $1 AND inbox_id = $2 AND status = 'removed' ORDER BY id

-- name: move_account
-- Puts a removed account into another inbox.
UPDATE channel_account SET inbox_id = $3, version = $4 WHERE workspace_id = $1 AND id = $2

-- name: remove_inbox
-- Takes an empty inbox away.
DELETE FROM inbox WHERE workspace_id = $1 AND id = $2
