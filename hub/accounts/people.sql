-- name: list_roles
-- The custom roles of a workspace, by name.
SELECT id, name, permissions, version FROM custom_role WHERE workspace_id = $1 ORDER BY lower(name)

-- name: get_role
-- One custom role.
SELECT id, name, permissions, version FROM custom_role WHERE workspace_id = $1 AND id = $2

-- name: add_role
-- A new custom role.
INSERT INTO custom_role (workspace_id, id, name, permissions, version, created_at) VALUES ($1, $2, $3, $4, $5, $6)

-- name: change_role
-- Replaces what can change about a custom role.
UPDATE custom_role SET name = $3, permissions = $4, version = $5 WHERE workspace_id = $1 AND id = $2

-- name: remove_role
-- Takes a custom role away that nobody has.
DELETE FROM custom_role WHERE workspace_id = $1 AND id = $2

-- name: role_uses
-- How many members have a custom role, and how many open invitations offer it.
SELECT (SELECT count(*) FROM member WHERE workspace_id = $1 AND custom_role_id = $2) AS members,
       (SELECT count(*) FROM invitation
        WHERE workspace_id = $1 AND custom_role_id = $2 AND accepted_at IS NULL AND revoked_at IS NULL) AS invitations

-- name: forget_role
-- Takes a custom role off invitations that were accepted or taken back.
UPDATE invitation SET custom_role_id = NULL
WHERE workspace_id = $1 AND custom_role_id = $2 AND (accepted_at IS NOT NULL OR revoked_at IS NOT NULL)

-- name: list_teams
-- The teams of a workspace with their members, by name.
SELECT t.id, t.name, t.version, ARRAY(
    SELECT tm.member_id FROM team_member tm
    WHERE tm.workspace_id = t.workspace_id AND tm.team_id = t.id ORDER BY tm.member_id) AS member_ids
FROM team t WHERE t.workspace_id = $1 ORDER BY lower(t.name)

-- name: get_team
-- One team with its members.
SELECT t.id, t.name, t.version, ARRAY(
    SELECT tm.member_id FROM team_member tm
    WHERE tm.workspace_id = t.workspace_id AND tm.team_id = t.id ORDER BY tm.member_id) AS member_ids
FROM team t WHERE t.workspace_id = $1 AND t.id = $2

-- name: add_team
-- A new team.
INSERT INTO team (workspace_id, id, name, version, created_at) VALUES ($1, $2, $3, $4, $5)

-- name: change_team
-- Replaces a team's name and version.
UPDATE team SET name = $3, version = $4 WHERE workspace_id = $1 AND id = $2

-- name: remove_team
-- Takes a team away, and with it what it opened.
DELETE FROM team WHERE workspace_id = $1 AND id = $2

-- name: clear_team
-- Takes everybody out of a team.
DELETE FROM team_member WHERE workspace_id = $1 AND team_id = $2

-- name: fill_team
-- Puts members into a team; those in it already stay.
INSERT INTO team_member (workspace_id, team_id, member_id)
SELECT $1, $2, one FROM unnest($3::uuid[]) AS one
ON CONFLICT DO NOTHING

-- name: known_members
-- Which of these are members, active or not.
SELECT id FROM member WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: known_teams
-- Which of these are teams.
SELECT id FROM team WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: known_inboxes
-- Which of these are inboxes.
SELECT id FROM inbox WHERE workspace_id = $1 AND id = ANY ($2::uuid[])

-- name: inboxes_of_teams
-- The restricted inboxes that these teams open.
SELECT DISTINCT it.inbox_id FROM inbox_team it
JOIN inbox i ON i.workspace_id = it.workspace_id AND i.id = it.inbox_id
WHERE it.workspace_id = $1 AND it.team_id = ANY ($2::uuid[]) AND i.restricted

-- name: open_inboxes
-- Lets a member into inboxes; those they are listed in already stay.
INSERT INTO inbox_member (workspace_id, inbox_id, member_id)
SELECT $1, one, $2 FROM unnest($3::uuid[]) AS one
ON CONFLICT DO NOTHING

-- name: put_hand_over
-- Notes to whom a member's open conversations go; a second one replaces the first.
INSERT INTO hand_over (workspace_id, member_id, to_kind, to_id, asked_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (workspace_id, member_id)
DO UPDATE SET to_kind = excluded.to_kind, to_id = excluded.to_id, asked_by = excluded.asked_by

-- name: get_hand_over
-- To whom a member's open conversations go.
SELECT to_kind, to_id, asked_by FROM hand_over WHERE workspace_id = $1 AND member_id = $2

-- name: drop_hand_over
-- Ends a hand-over.
DELETE FROM hand_over WHERE workspace_id = $1 AND member_id = $2

-- name: due_hand_overs
-- Members whose open conversations are to be handed over.
SELECT workspace_id, member_id FROM hub_due_hand_overs($1)

-- name: receivers
-- The active members among whom work is shared out: one, or those of a team; each with their login.
SELECT m.id, m.login_id FROM member m
WHERE m.workspace_id = $1 AND m.active AND (m.id = $2 OR m.id IN (
    SELECT tm.member_id FROM team_member tm WHERE tm.workspace_id = $1 AND tm.team_id = $2))
ORDER BY m.id

-- name: login_profile
-- A person as they are in every workspace.
SELECT email, name, time_zone, locale, avatar, is_verified FROM hub_login_profile($1)

-- name: change_profile
-- Replaces what a person says of themselves.
UPDATE login SET name = $2, time_zone = $3, locale = $4, avatar = $5 WHERE id = $1

-- name: add_avatar
-- A picture at a new address.
INSERT INTO login_avatar (token, login_id, webp, created_at) VALUES ($1, $2, $3, $4)

-- name: drop_avatar
-- Forgets a person's picture.
DELETE FROM login_avatar WHERE login_id = $1

-- name: read_avatar
-- A picture by its address.
SELECT webp FROM login_avatar WHERE token = $1

-- name: verify_login
-- Notes that a login's address was proved.
SELECT hub_verify_login($1)

-- name: is_time_zone
-- Whether Postgres knows a time zone of that name.
SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1) AS is_known
