-- Not tenant data: a person's factors hold in every workspace they belong to. The application reads and changes these
-- only through the functions below, one login at a time.
CREATE TABLE login_totp (
    login_id      uuid PRIMARY KEY REFERENCES login ON DELETE CASCADE,
    id            uuid NOT NULL UNIQUE,
    secret_sealed bytea NOT NULL,
    -- The newest time step whose code was used: that code and older ones are worth nothing.
    last_step     bigint NOT NULL DEFAULT -1,
    created_at    timestamptz NOT NULL,
    confirmed_at  timestamptz
);
CREATE TABLE login_recovery_code (
    login_id   uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    code_hash  bytea NOT NULL CHECK (length(code_hash) = 32),
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (login_id, code_hash)
);
CREATE TABLE login_passkey (
    id            uuid PRIMARY KEY,
    login_id      uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    credential_id bytea NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
    public_key    bytea NOT NULL,
    sign_count    bigint NOT NULL CHECK (sign_count >= 0),
    backed_up     boolean NOT NULL,
    transports    text[] NOT NULL,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz
);
CREATE INDEX login_passkey_by_login ON login_passkey (login_id);
-- A passkey's challenge that was given out; answered once, by whom it is bound to, within minutes.
CREATE TABLE passkey_ceremony (
    challenge_hash bytea PRIMARY KEY CHECK (length(challenge_hash) = 32),
    purpose        text NOT NULL CHECK (purpose IN ('register', 'second_factor', 'proof', 'sign_in')),
    bound_to       bytea NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL
);
CREATE INDEX passkey_ceremony_expires ON passkey_ceremony (expires_at);

ALTER TABLE workspace ADD COLUMN requires_second_factor boolean NOT NULL DEFAULT false;

GRANT INSERT ON login_passkey, passkey_ceremony TO hub_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_totp, login_recovery_code, login_passkey, passkey_ceremony TO hub_router;
GRANT UPDATE (factors) ON login TO hub_router;
GRANT UPDATE (token_hash, proved_at) ON login_session TO hub_router;
GRANT SELECT (requires_second_factor) ON workspace TO hub_router;

-- Makes changes to one login's factors wait for each other, until the end of the transaction.
CREATE FUNCTION hub_lock_login(wanted uuid) RETURNS TABLE (email text, name text, factors text[])
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT l.email, l.name, l.factors FROM login l WHERE l.id = wanted FOR NO KEY UPDATE $$;

-- Writes login.factors anew from the rows; without a device the recovery codes go too: they open nothing by themselves.
CREATE FUNCTION hub_refresh_factors(wanted uuid) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        found text[];
    BEGIN
        found := ARRAY(
            SELECT 'passkey' WHERE EXISTS (SELECT FROM login_passkey p WHERE p.login_id = wanted)
            UNION ALL
            SELECT 'totp' WHERE EXISTS (SELECT FROM login_totp t WHERE t.login_id = wanted AND t.confirmed_at IS NOT NULL)
        );
        IF found = '{}' THEN
            DELETE FROM login_recovery_code c WHERE c.login_id = wanted;
        ELSIF EXISTS (SELECT FROM login_recovery_code c WHERE c.login_id = wanted AND c.used_at IS NULL) THEN
            found := found || 'recovery_code'::text;
        END IF;
        UPDATE login l SET factors = found WHERE l.id = wanted;
        RETURN found;
    END $$;

CREATE FUNCTION hub_factors(wanted uuid) RETURNS TABLE (totp_since timestamptz, recovery_codes_left bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT (SELECT t.confirmed_at FROM login_totp t WHERE t.login_id = wanted),
               (SELECT count(*) FROM login_recovery_code c WHERE c.login_id = wanted AND c.used_at IS NULL)
    $$;

-- When a session was last proved, and by what its login can prove itself; no row for one that ended.
CREATE FUNCTION hub_standing(wanted_session uuid)
    RETURNS TABLE (proved_at timestamptz, factors text[], has_password boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT s.proved_at, l.factors, l.password_hash IS NOT NULL
        FROM login_session s JOIN login l ON l.id = s.login_id
        WHERE s.id = wanted_session AND s.revoked_at IS NULL AND s.expires_at > now()
    $$;

-- Gives a session that was proved anew another token; false where the old one is worth nothing any more.
CREATE FUNCTION hub_rotate_session(wanted_session uuid, old_hash bytea, new_hash bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE login_session s SET token_hash = new_hash, proved_at = now()
        WHERE s.id = wanted_session AND s.token_hash = old_hash AND s.revoked_at IS NULL;
        RETURN FOUND;
    END $$;

-- ── a sign-in half done ─────────────────────────────────────────────────────────────────────────────────────────
CREATE FUNCTION hub_login_factors(wanted uuid) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT l.factors FROM login l WHERE l.id = wanted $$;

-- Whose sign-in waits under a challenge, without counting a try: asked for what a passkey has to sign.
CREATE FUNCTION hub_peek_challenge(wanted_hash bytea) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT c.login_id FROM login_challenge c
        WHERE c.token_hash = wanted_hash AND c.used_at IS NULL AND c.expires_at > now()
    $$;

-- ── TOTP ────────────────────────────────────────────────────────────────────────────────────────────────────────
-- A secret not confirmed yet replaces an older one of its kind; false where one is confirmed.
CREATE FUNCTION hub_put_totp(wanted uuid, totp_id uuid, sealed bytea, made_at timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        INSERT INTO login_totp (login_id, id, secret_sealed, created_at) VALUES (wanted, totp_id, sealed, made_at)
        ON CONFLICT (login_id) DO UPDATE
            SET id = excluded.id, secret_sealed = excluded.secret_sealed, created_at = excluded.created_at, last_step = -1
            WHERE login_totp.confirmed_at IS NULL;
        RETURN FOUND;
    END $$;

CREATE FUNCTION hub_find_totp(wanted uuid)
    RETURNS TABLE (id uuid, secret_sealed bytea, last_step bigint, confirmed boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ SELECT t.id, t.secret_sealed, t.last_step, t.confirmed_at IS NOT NULL FROM login_totp t WHERE t.login_id = wanted $$;

-- Uses a time step up, and confirms the secret with it: of two calls with one code the second gets false.
CREATE FUNCTION hub_use_totp_step(wanted uuid, totp_id uuid, step bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE login_totp t SET last_step = step, confirmed_at = coalesce(t.confirmed_at, now())
        WHERE t.login_id = wanted AND t.id = totp_id AND t.last_step < step;
        RETURN FOUND;
    END $$;

CREATE FUNCTION hub_remove_totp(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ BEGIN DELETE FROM login_totp t WHERE t.login_id = wanted; RETURN FOUND; END $$;

-- ── recovery codes ──────────────────────────────────────────────────────────────────────────────────────────────
CREATE FUNCTION hub_replace_recovery_codes(wanted uuid, hashes bytea[], made_at timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        DELETE FROM login_recovery_code c WHERE c.login_id = wanted;
        INSERT INTO login_recovery_code (login_id, code_hash, created_at)
        SELECT wanted, one, made_at FROM unnest(hashes) AS one;
    END $$;

CREATE FUNCTION hub_use_recovery_code(wanted uuid, wanted_hash bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE login_recovery_code c SET used_at = now()
        WHERE c.login_id = wanted AND c.code_hash = wanted_hash AND c.used_at IS NULL;
        RETURN FOUND;
    END $$;

-- ── passkeys ────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE FUNCTION hub_passkeys(wanted uuid)
    RETURNS TABLE (id uuid, name text, backed_up boolean, created_at timestamptz, last_used_at timestamptz,
                   credential_id bytea, transports text[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.id, p.name, p.backed_up, p.created_at, p.last_used_at, p.credential_id, p.transports
        FROM login_passkey p WHERE p.login_id = wanted ORDER BY p.created_at, p.id
    $$;

CREATE FUNCTION hub_find_passkey(wanted_credential bytea)
    RETURNS TABLE (id uuid, login_id uuid, credential_id bytea, public_key bytea, sign_count bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT p.id, p.login_id, p.credential_id, p.public_key, p.sign_count
        FROM login_passkey p WHERE p.credential_id = wanted_credential
    $$;

-- Notes a use; false where the authenticator's counter did not go up: a copy of it may be about.
CREATE FUNCTION hub_use_passkey(wanted uuid, counted bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE login_passkey p SET sign_count = counted, last_used_at = now()
        WHERE p.id = wanted AND (p.sign_count < counted OR (p.sign_count = 0 AND counted = 0));
        RETURN FOUND;
    END $$;

CREATE FUNCTION hub_rename_passkey(wanted uuid, passkey_id uuid, new_name text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE login_passkey p SET name = new_name WHERE p.login_id = wanted AND p.id = passkey_id;
        RETURN FOUND;
    END $$;

CREATE FUNCTION hub_remove_passkey(wanted uuid, passkey_id uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        DELETE FROM login_passkey p WHERE p.login_id = wanted AND p.id = passkey_id;
        RETURN FOUND;
    END $$;

-- Uses a challenge up and clears away some that ran out; false where it was used, ran out, or is another's.
CREATE FUNCTION hub_take_ceremony(wanted_hash bytea, wanted_purpose text, wanted_binding bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        taken boolean;
    BEGIN
        DELETE FROM passkey_ceremony c
        WHERE c.challenge_hash = wanted_hash AND c.purpose = wanted_purpose AND c.bound_to = wanted_binding
          AND c.expires_at > now();
        taken := FOUND;
        DELETE FROM passkey_ceremony c WHERE c.challenge_hash IN (
            SELECT o.challenge_hash FROM passkey_ceremony o WHERE o.expires_at < now() - interval '1 minute'
            LIMIT 100 FOR UPDATE SKIP LOCKED);
        RETURN taken;
    END $$;

-- ── losing everything, and workspaces that insist ───────────────────────────────────────────────────────────────
CREATE FUNCTION hub_clear_factors(wanted uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        DELETE FROM login_totp t WHERE t.login_id = wanted;
        DELETE FROM login_passkey p WHERE p.login_id = wanted;
        DELETE FROM login_recovery_code c WHERE c.login_id = wanted;
        DELETE FROM login_challenge h WHERE h.login_id = wanted;
        UPDATE login l SET factors = '{}' WHERE l.id = wanted;
    END $$;

-- True where a workspace insists on a second factor and this login has none: asked with every call of the API.
CREATE FUNCTION hub_lacks_second_factor(wanted_workspace bigint, wanted_login uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM workspace w WHERE w.id = wanted_workspace AND w.requires_second_factor)
           AND NOT EXISTS (SELECT FROM login l WHERE l.id = wanted_login AND l.factors && ARRAY['passkey', 'totp'])
    $$;

-- Active members of a workspace who would be shut out, or are, where it insists.
CREATE FUNCTION hub_members_without_factor(wanted_workspace bigint) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT m.id FROM member m JOIN login l ON l.id = m.login_id
        WHERE m.workspace_id = wanted_workspace AND m.active AND NOT l.factors && ARRAY['passkey', 'totp']
        ORDER BY m.id
    $$;

-- Workspaces of a login that insist on a second factor.
CREATE FUNCTION hub_insisting_workspaces(wanted uuid) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT w.name FROM member m JOIN workspace w ON w.id = m.workspace_id
        WHERE m.login_id = wanted AND m.active AND w.requires_second_factor ORDER BY w.id
    $$;
