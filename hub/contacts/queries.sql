-- name: list_contacts
-- A page of contacts, newest first; $2 (NULL: any) is looked for in names and identities.
SELECT c.id, c.name, c.lifecycle_stage, c.created_at, c.version, c.avatar FROM contact c
WHERE c.workspace_id = $1 AND c.merged_into IS NULL
  AND ($2::text IS NULL OR c.name ILIKE $2 OR EXISTS (
      SELECT FROM contact_identity ci
      WHERE ci.workspace_id = c.workspace_id AND ci.contact_id = c.id AND ci.value ILIKE $2))
  AND ($3::uuid IS NULL OR c.id < $3)
ORDER BY c.id DESC LIMIT $4

-- name: contacts_by_id
-- The named contacts.
SELECT c.id, c.name, c.lifecycle_stage, c.created_at, c.version, c.avatar FROM contact c
WHERE c.workspace_id = $1 AND c.id = ANY ($2::uuid[])

-- name: identities_of
-- Every identity of the named contacts, oldest first.
SELECT contact_id, scheme, scope, value, verified FROM contact_identity
WHERE workspace_id = $1 AND contact_id = ANY ($2::uuid[]) ORDER BY created_at, scheme, value

-- name: write_contact
-- Changes what members may change of a contact.
UPDATE contact SET name = $3, lifecycle_stage = $4, version = $5 WHERE workspace_id = $1 AND id = $2

-- name: note_named
-- Notes that a member named a contact: no vendor does any more.
UPDATE contact SET name_is_edited = true WHERE workspace_id = $1 AND id = $2

-- name: add_identity
-- Adds an identity unless somebody has it; returns no row then.
INSERT INTO contact_identity (workspace_id, scheme, scope, value, contact_id, verified, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING contact_id

-- name: show_pictures
-- Shows pictures of a contact's mails without being asked; who said so first stays.
INSERT INTO contact_pictures (workspace_id, contact_id, member_id, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING

-- name: hide_pictures
-- Asks again before pictures of a contact's mails are shown.
DELETE FROM contact_pictures WHERE workspace_id = $1 AND contact_id = $2

-- name: shows_pictures
-- Whether pictures of a contact's mails are shown without being asked.
SELECT EXISTS (SELECT FROM contact_pictures WHERE workspace_id = $1 AND contact_id = $2)

-- name: find_identity
-- Whose an identity is.
SELECT contact_id FROM contact_identity WHERE workspace_id = $1 AND scheme = $2 AND scope = $3 AND value = $4
