-- ── accounts at issuers (OpenID Connect) ────────────────────────────────────────────────────────────────────────
-- Not tenant data: a person's ways in hold in every workspace they belong to.
CREATE TABLE issuer_identity (
    id         uuid PRIMARY KEY,
    login_id   uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    issuer     text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
    subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    email      text NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    UNIQUE (issuer, subject)
);
CREATE INDEX issuer_identity_by_login ON issuer_identity (login_id);

-- A browser that was sent to an issuer. Its own secret is in its cookie alone: nonce and PKCE verifier come of it.
CREATE TABLE issuer_attempt (
    state_hash   bytea PRIMARY KEY CHECK (length(state_hash) = 32),
    browser_hash bytea NOT NULL CHECK (length(browser_hash) = 32),
    slug         text NOT NULL,
    issuer       text NOT NULL,
    login_id     uuid REFERENCES login ON DELETE CASCADE,
    session_id   uuid,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at),
    CHECK ((login_id IS NULL) = (session_id IS NULL))
);
CREATE INDEX issuer_attempt_expires ON issuer_attempt (expires_at);

-- An account at an issuer that waits for the password of the login with its address, then perhaps for a second factor.
CREATE TABLE issuer_link (
    token_hash     bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    login_id       uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    issuer         text NOT NULL,
    subject        text NOT NULL,
    email          text NOT NULL,
    tries          integer NOT NULL DEFAULT 0,
    challenge_hash bytea,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL CHECK (expires_at > created_at)
);
CREATE INDEX issuer_link_expires ON issuer_link (expires_at);
CREATE INDEX issuer_link_challenge ON issuer_link (challenge_hash) WHERE challenge_hash IS NOT NULL;

GRANT INSERT ON issuer_identity, issuer_attempt, issuer_link TO hub_app;
GRANT SELECT, UPDATE, DELETE ON issuer_identity, issuer_attempt, issuer_link TO hub_router;

-- Uses an attempt up: only by the browser that began it, at the issuer it was sent to, in time.
CREATE FUNCTION hub_take_issuer_attempt(wanted_state bytea, wanted_browser bytea, wanted_slug text)
    RETURNS TABLE (slug text, issuer text, login_id uuid, session_id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        DELETE FROM issuer_attempt a
        WHERE a.state_hash = wanted_state AND a.browser_hash = wanted_browser AND a.slug = wanted_slug
          AND a.expires_at > now()
        RETURNING a.slug, a.issuer, a.login_id, a.session_id
    $$;

-- Whose login an account at an issuer opens; notes its use.
CREATE FUNCTION hub_use_issuer_identity(wanted_issuer text, wanted_subject text) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        UPDATE issuer_identity i SET used_at = now() WHERE i.issuer = wanted_issuer AND i.subject = wanted_subject
        RETURNING i.login_id
    $$;

CREATE FUNCTION hub_issuer_identities(wanted_login uuid)
    RETURNS TABLE (id uuid, issuer text, email text, created_at timestamptz, used_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT i.id, i.issuer, i.email, i.created_at, i.used_at FROM issuer_identity i
        WHERE i.login_id = wanted_login ORDER BY i.created_at, i.id
    $$;

CREATE FUNCTION hub_remove_issuer_identity(wanted_login uuid, wanted uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        DELETE FROM issuer_identity i WHERE i.login_id = wanted_login AND i.id = wanted;
        RETURN FOUND;
    END $$;

-- By what a login can be opened, beside its accounts at issuers.
CREATE FUNCTION hub_ways_in(wanted_login uuid) RETURNS TABLE (has_password boolean, has_passkey boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT l.password_hash IS NOT NULL, EXISTS (SELECT FROM login_passkey p WHERE p.login_id = l.id)
        FROM login l WHERE l.id = wanted_login
    $$;

-- Counts a try at a waiting link and tells which address's password it needs; no row after five.
CREATE FUNCTION hub_try_issuer_link(wanted_hash bytea) RETURNS TABLE (email text)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH tried AS (
            UPDATE issuer_link k SET tries = k.tries + 1
            WHERE k.token_hash = wanted_hash AND k.expires_at > now() AND k.tries < 5 AND k.challenge_hash IS NULL
            RETURNING k.login_id
        )
        SELECT l.email FROM tried JOIN login l ON l.id = tried.login_id
    $$;

-- The password was right, a second factor is still to come: the link waits under the sign-in's challenge.
CREATE FUNCTION hub_hold_issuer_link(wanted_hash bytea, wanted_challenge bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE issuer_link k SET challenge_hash = wanted_challenge
        WHERE k.token_hash = wanted_hash AND k.expires_at > now() AND k.challenge_hash IS NULL;
        RETURN FOUND;
    END $$;

-- Takes a waiting link, by its own token or by the challenge it was held under; it is there once.
CREATE FUNCTION hub_take_issuer_link(wanted_hash bytea, wanted_challenge bytea)
    RETURNS TABLE (login_id uuid, issuer text, subject text, email text)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        DELETE FROM issuer_link k
        WHERE k.expires_at > now()
          AND ((k.token_hash = wanted_hash AND k.challenge_hash IS NULL) OR k.challenge_hash = wanted_challenge)
        RETURNING k.login_id, k.issuer, k.subject, k.email
    $$;

-- ── refresh tokens ──────────────────────────────────────────────────────────────────────────────────────────────
-- Until when the session's token opens anything; NULL: as long as the session. Clients with refresh tokens have a
-- session whose token changes every quarter of an hour.
ALTER TABLE login_session ADD COLUMN token_expires_at timestamptz;
ALTER TABLE login_challenge ADD COLUMN refreshable boolean NOT NULL DEFAULT false;
-- Each is good once and has at most a few children; a used one that comes again ends its session.
CREATE TABLE refresh_token (
    token_hash  bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    session_id  uuid NOT NULL REFERENCES login_session (id) ON DELETE CASCADE,
    parent_hash bytea,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL CHECK (expires_at > created_at),
    used_at     timestamptz,
    voided_at   timestamptz
);
CREATE INDEX refresh_token_by_session ON refresh_token (session_id);
CREATE INDEX refresh_token_by_parent ON refresh_token (parent_hash) WHERE parent_hash IS NOT NULL;
CREATE INDEX refresh_token_expires ON refresh_token (expires_at);
GRANT INSERT ON refresh_token TO hub_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_token TO hub_router;
GRANT UPDATE (token_expires_at) ON login_session TO hub_router;

CREATE OR REPLACE FUNCTION hub_find_session(wanted_hash bytea)
    RETURNS TABLE (id uuid, login_id uuid, email text, name text, expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    BEGIN
        UPDATE login_session s SET used_at = now()
        WHERE s.token_hash = wanted_hash AND s.revoked_at IS NULL
          AND least(s.expires_at, s.token_expires_at) > now() AND s.used_at < now() - interval '1 minute'
          AND (s.used_at > now() - interval '12 hours' OR s.token_expires_at IS NOT NULL);
        RETURN QUERY
            -- least() leaves NULL out.
            SELECT s.id, s.login_id, l.email, l.name, least(s.expires_at, s.token_expires_at)
            FROM login_session s JOIN login l ON l.id = s.login_id
            WHERE s.token_hash = wanted_hash AND s.revoked_at IS NULL
              AND least(s.expires_at, s.token_expires_at) > now()
              AND (s.used_at > now() - interval '12 hours' OR s.token_expires_at IS NOT NULL);
    END $$;

CREATE OR REPLACE FUNCTION hub_login_sessions(wanted_login uuid)
    RETURNS TABLE (id uuid, created_at timestamptz, used_at timestamptz, expires_at timestamptz, user_agent text, address text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT s.id, s.created_at, s.used_at, s.expires_at, s.user_agent, s.address FROM login_session s
        WHERE s.login_id = wanted_login AND s.revoked_at IS NULL AND s.expires_at > now()
          AND CASE WHEN s.token_expires_at IS NULL THEN s.used_at > now() - interval '12 hours'
                   ELSE EXISTS (SELECT FROM refresh_token r WHERE r.session_id = s.id AND r.expires_at > now()
                                AND r.used_at IS NULL AND r.voided_at IS NULL) END
        ORDER BY s.used_at DESC, s.id
    $$;

DROP FUNCTION hub_try_challenge(bytea);
CREATE FUNCTION hub_try_challenge(wanted_hash bytea)
    RETURNS TABLE (login_id uuid, email text, name text, locale text, factors text[], bearer boolean, refreshable boolean)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH tried AS (
            UPDATE login_challenge c SET tries = c.tries + 1
            WHERE c.token_hash = wanted_hash AND c.used_at IS NULL AND c.expires_at > now() AND c.tries < 5
            RETURNING c.login_id, c.bearer, c.refreshable
        )
        SELECT l.id, l.email, l.name, l.locale, l.factors, tried.bearer, tried.refreshable
        FROM tried JOIN login l ON l.id = tried.login_id
    $$;

-- Makes a session's token short-lived: refresh tokens renew it.
CREATE FUNCTION hub_shorten_token(wanted_session uuid, until timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$ UPDATE login_session s SET token_expires_at = until WHERE s.id = wanted_session $$;

-- Exchanges a refresh token. Outcomes: rotated; unknown; ended (run out, signed out); reused: it was used before, so
-- two have it, and the session ends. One that is presented again within the grace, while none of its children was
-- used, gets another child: an answer was lost on its way. Whichever child is used first voids the others.
CREATE FUNCTION hub_refresh_session(wanted_hash bytea, child_hash bytea, access_hash bytea, access_s integer,
                                    refresh_s integer, grace_s integer)
    RETURNS TABLE (outcome text, session_id uuid, login_id uuid)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        held login_session;
        given refresh_token;
        moment timestamptz;
    BEGIN
        SELECT s.* INTO held FROM login_session s
        WHERE s.id = (SELECT r.session_id FROM refresh_token r WHERE r.token_hash = wanted_hash) FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'unknown', NULL::uuid, NULL::uuid;
            RETURN;
        END IF;
        -- The family is locked: what is read from here on is as the call before left it.
        moment := clock_timestamp();
        SELECT r.* INTO given FROM refresh_token r WHERE r.token_hash = wanted_hash;
        IF held.revoked_at IS NOT NULL OR held.expires_at <= moment OR given.expires_at <= moment THEN
            RETURN QUERY SELECT 'ended', held.id, held.login_id;
            RETURN;
        END IF;
        IF given.voided_at IS NOT NULL OR (given.used_at IS NOT NULL AND (
                given.used_at < moment - make_interval(secs => grace_s)
                OR EXISTS (SELECT FROM refresh_token c WHERE c.parent_hash = wanted_hash AND c.used_at IS NOT NULL)
                OR (SELECT count(*) FROM refresh_token c WHERE c.parent_hash = wanted_hash) >= 4)) THEN
            UPDATE login_session s SET revoked_at = moment WHERE s.id = held.id;
            RETURN QUERY SELECT 'reused', held.id, held.login_id;
            RETURN;
        END IF;
        UPDATE refresh_token r SET used_at = moment WHERE r.token_hash = wanted_hash AND r.used_at IS NULL;
        UPDATE refresh_token r SET voided_at = moment
        WHERE r.parent_hash = given.parent_hash AND r.token_hash <> wanted_hash AND r.used_at IS NULL
          AND r.voided_at IS NULL;
        INSERT INTO refresh_token (token_hash, session_id, parent_hash, created_at, expires_at)
        VALUES (child_hash, held.id, wanted_hash, moment,
                least(held.expires_at, moment + make_interval(secs => refresh_s)));
        UPDATE login_session s SET token_hash = access_hash, used_at = moment,
               token_expires_at = least(held.expires_at, moment + make_interval(secs => access_s))
        WHERE s.id = held.id;
        RETURN QUERY SELECT 'rotated', held.id, held.login_id;
    END $$;

-- ── changes of address ──────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE address_change (
    id           uuid PRIMARY KEY,
    login_id     uuid NOT NULL REFERENCES login ON DELETE CASCADE,
    session_id   uuid NOT NULL,
    old_email    text NOT NULL,
    new_email    text NOT NULL CHECK (new_email = lower(new_email) AND length(new_email) BETWEEN 3 AND 320),
    -- Goes to the new address and makes the change.
    token_hash   bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    -- Goes to the old address and stops it, or takes it back.
    stop_hash    bytea NOT NULL UNIQUE CHECK (length(stop_hash) = 32),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at),
    stop_until   timestamptz NOT NULL CHECK (stop_until >= expires_at),
    applied_at   timestamptz
);
CREATE INDEX address_change_by_login ON address_change (login_id);
CREATE INDEX address_change_stop ON address_change (stop_until);
GRANT INSERT ON address_change TO hub_app;
GRANT SELECT, UPDATE, DELETE ON address_change TO hub_router;
GRANT UPDATE (email) ON login TO hub_router;

-- Whose change a link makes, before anything is changed: its workspaces are locked first.
CREATE FUNCTION hub_find_address_change(wanted_hash bytea) RETURNS TABLE (login_id uuid, new_email text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.login_id, a.new_email FROM address_change a
        WHERE a.token_hash = wanted_hash AND a.applied_at IS NULL AND a.expires_at > now()
    $$;

-- Gives a login the address whose link was used, once; no row when it was used, stopped, or has run out.
CREATE FUNCTION hub_apply_address_change(wanted_hash bytea)
    RETURNS TABLE (login_id uuid, session_id uuid, old_email text, new_email text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        made address_change;
    BEGIN
        UPDATE address_change a SET applied_at = now()
        WHERE a.token_hash = wanted_hash AND a.applied_at IS NULL AND a.expires_at > now() RETURNING a.* INTO made;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        UPDATE login l SET email = made.new_email, email_verified_at = now() WHERE l.id = made.login_id;
        DELETE FROM address_change a WHERE a.login_id = made.login_id AND a.applied_at IS NULL;
        RETURN QUERY SELECT made.login_id, made.session_id, made.old_email, made.new_email;
    END $$;

CREATE FUNCTION hub_find_address_stop(wanted_hash bytea) RETURNS TABLE (login_id uuid, is_applied boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT a.login_id, a.applied_at IS NOT NULL FROM address_change a
        WHERE a.stop_hash = wanted_hash AND a.stop_until > now()
    $$;

-- Stops a change, or takes it back: the old address is the login's again. What was asked for since goes as well.
CREATE FUNCTION hub_stop_address_change(wanted_hash bytea)
    RETURNS TABLE (login_id uuid, old_email text, new_email text, was_applied boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
    DECLARE
        made address_change;
    BEGIN
        DELETE FROM address_change a WHERE a.stop_hash = wanted_hash AND a.stop_until > now() RETURNING a.* INTO made;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        IF made.applied_at IS NOT NULL THEN
            UPDATE login l SET email = made.old_email WHERE l.id = made.login_id;
        END IF;
        DELETE FROM address_change a WHERE a.login_id = made.login_id AND a.created_at >= made.created_at;
        RETURN QUERY SELECT made.login_id, made.old_email, made.new_email, made.applied_at IS NOT NULL;
    END $$;

-- What nobody can use any more: counts what went.
CREATE OR REPLACE FUNCTION hub_sweep_sign_ins() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        WITH registrations AS (DELETE FROM registration WHERE expires_at < now() RETURNING 1),
             challenges AS (DELETE FROM login_challenge WHERE expires_at < now() RETURNING 1),
             attempts AS (DELETE FROM issuer_attempt WHERE expires_at < now() RETURNING 1),
             links AS (DELETE FROM issuer_link WHERE expires_at < now() RETURNING 1),
             refreshes AS (DELETE FROM refresh_token WHERE expires_at < now() RETURNING 1),
             changes AS (DELETE FROM address_change WHERE stop_until < now() RETURNING 1)
        SELECT (SELECT count(*) FROM registrations) + (SELECT count(*) FROM challenges)
             + (SELECT count(*) FROM attempts) + (SELECT count(*) FROM links)
             + (SELECT count(*) FROM refreshes) + (SELECT count(*) FROM changes)
    $$;
