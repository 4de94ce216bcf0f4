"""The catalog's tables, as a list of migrations that only ever grows."""

from __future__ import annotations

# Each migration is a tuple of statements run in one transaction; the number of those applied is `user_version`.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
        """CREATE TABLE provenance (
            id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL) STRICT""",
        """CREATE TABLE image (
            id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, extension TEXT NOT NULL,
            width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL,
            split TEXT CHECK (split IN ('train', 'validation', 'test'))) STRICT""",
        # Every attempt to get an image, scraped or imported; `image_id` where it gave one.
        """CREATE TABLE fetch (
            id INTEGER PRIMARY KEY, at REAL NOT NULL, url TEXT NOT NULL, status INTEGER,
            outcome TEXT NOT NULL CHECK (outcome IN ('stored', 'duplicate', 'refused', 'failed')),
            bytes INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
            image_id INTEGER REFERENCES image (id), note TEXT NOT NULL DEFAULT '') STRICT""",
        "CREATE INDEX fetch_by_image ON fetch (image_id)",
        # `flags` names what the segmenter noticed: empty, seam, fragment (space-separated).
        """CREATE TABLE glyph (
            image_id INTEGER NOT NULL REFERENCES image (id), position INTEGER NOT NULL,
            segmenter TEXT NOT NULL, x0 INTEGER NOT NULL, y0 INTEGER NOT NULL,
            x1 INTEGER NOT NULL, y1 INTEGER NOT NULL, flags TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (image_id, position)) STRICT""",
        """CREATE TABLE model_run (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at REAL NOT NULL) STRICT""",
        # `fold` is NULL for a prediction made by a model that may have trained on the glyph.
        """CREATE TABLE prediction (
            run_id INTEGER NOT NULL REFERENCES model_run (id) ON DELETE CASCADE,
            image_id INTEGER NOT NULL REFERENCES image (id), position INTEGER NOT NULL, fold INTEGER,
            value TEXT NOT NULL, confidence REAL NOT NULL, margin REAL NOT NULL,
            PRIMARY KEY (run_id, image_id, position)) STRICT""",
        # An act is what one undo takes back: one key, one typed captcha, one accepted page.
        # `token` is the client's own name for the act, so that sending it twice applies it once.
        """CREATE TABLE label_act (
            id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, session TEXT NOT NULL,
            keystrokes INTEGER NOT NULL, token TEXT UNIQUE, undoes INTEGER UNIQUE REFERENCES label_act (id))
            STRICT""",
        # Labels belong to a place in a captcha, not to a cut: they exist before segmenting and survive a new one.
        # The empty value means "not a glyph, or badly cut".
        """CREATE TABLE label_event (
            id INTEGER PRIMARY KEY, act_id INTEGER NOT NULL REFERENCES label_act (id),
            image_id INTEGER NOT NULL REFERENCES image (id), position INTEGER NOT NULL, value TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('human', 'model', 'batch', 'import')),
            run_id INTEGER REFERENCES model_run (id), confidence REAL) STRICT""",
        "CREATE INDEX label_event_by_place ON label_event (image_id, position, id)",
        "CREATE INDEX label_event_by_act ON label_event (act_id)",
        """CREATE TRIGGER label_event_is_append_only BEFORE UPDATE ON label_event
            BEGIN SELECT RAISE(ABORT, 'label events are append-only'); END""",
        """CREATE TRIGGER label_event_is_never_deleted BEFORE DELETE ON label_event
            BEGIN SELECT RAISE(ABORT, 'label events are append-only'); END""",
        """CREATE VIEW current_label AS
            SELECT event.image_id, event.position, event.value, event.source, event.run_id,
                   event.confidence, event.act_id
            FROM label_event AS event
            WHERE event.id = (
                SELECT max(latest.id) FROM label_event AS latest
                WHERE latest.image_id = event.image_id AND latest.position = event.position
                  AND latest.act_id NOT IN (SELECT undoes FROM label_act WHERE undoes IS NOT NULL))""",
    ),
)
