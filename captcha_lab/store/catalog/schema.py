"""The catalog's tables, as a list of migrations that only ever grows."""

from __future__ import annotations

import sqlite3
from functools import cache

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
    # The unit becomes a captcha, a picture with a text: labels of whole texts, cuts that are complete or not seen.
    (
        # Why a picture is set aside (blank, too narrow, dropped by a person); NULL where it is in use.
        "ALTER TABLE image ADD COLUMN aside TEXT",
        # One way of cutting one image. A new segmentation of a dataset is written beside the old one, and takes its
        # place in one transaction: until then it is not complete, and nobody sees it.
        """CREATE TABLE cut (
            id INTEGER PRIMARY KEY, image_id INTEGER NOT NULL REFERENCES image (id), segmenter TEXT NOT NULL,
            complete INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)), UNIQUE (image_id, segmenter)) STRICT""",
        "CREATE UNIQUE INDEX cut_is_one_at_a_time ON cut (image_id) WHERE complete",
        """INSERT INTO cut (image_id, segmenter, complete)
            SELECT image_id, max(segmenter), 1 FROM glyph GROUP BY image_id""",
        "ALTER TABLE glyph RENAME TO glyph_1",
        """CREATE TABLE glyph (
            cut_id INTEGER NOT NULL REFERENCES cut (id) ON DELETE CASCADE, position INTEGER NOT NULL,
            x0 INTEGER NOT NULL, y0 INTEGER NOT NULL, x1 INTEGER NOT NULL, y1 INTEGER NOT NULL,
            flags TEXT NOT NULL DEFAULT '', PRIMARY KEY (cut_id, position)) STRICT""",
        """INSERT INTO glyph SELECT cut.id, position, x0, y0, x1, y1, flags
            FROM glyph_1 JOIN cut ON cut.image_id = glyph_1.image_id""",
        "DROP VIEW current_label",
        "ALTER TABLE label_event RENAME TO label_event_1",
        # `position` is NULL where the event speaks of the whole text; the empty text means that no person can read
        # it. `cells` is the number of cells a place was one of: after a cut into another number the event is void.
        """CREATE TABLE label_event (
            id INTEGER PRIMARY KEY, act_id INTEGER NOT NULL REFERENCES label_act (id),
            image_id INTEGER NOT NULL REFERENCES image (id),
            position INTEGER CHECK (position >= 0), cells INTEGER, value TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('human', 'model', 'batch', 'import')),
            run_id INTEGER REFERENCES model_run (id), confidence REAL) STRICT""",
        # Acts that gave every place of a captcha a character gave its text.
        """INSERT INTO label_event (id, act_id, image_id, position, cells, value, source, run_id, confidence)
            WITH place AS (
                SELECT event.*, act.kind,
                    (SELECT count(*) FROM glyph_1 WHERE glyph_1.image_id = event.image_id) AS cells,
                    (SELECT max(position) + 1 FROM label_event_1) AS longest
                FROM label_event_1 AS event JOIN label_act AS act ON act.id = event.act_id
                ORDER BY event.act_id, event.image_id, event.position),
            whole AS (
                SELECT act_id, image_id, min(id) AS id, group_concat(value, '') AS text, source
                FROM place WHERE kind IN ('import', 'captcha') GROUP BY act_id, image_id
                HAVING count(*) = iif(cells > 0, cells, longest) AND count(DISTINCT position) = count(*)
                    AND max(position) = count(*) - 1 AND min(length(value)) = 1 AND min(source) = max(source))
            SELECT id, act_id, image_id, NULL, NULL, text, source, NULL, NULL FROM whole
            UNION ALL
            SELECT id, act_id, image_id, position, nullif(cells, 0), value, source, run_id, confidence FROM place
            WHERE (act_id, image_id) NOT IN (SELECT act_id, image_id FROM whole)
            ORDER BY id""",
        "DROP TABLE label_event_1",
        "DROP TABLE glyph_1",
        "CREATE INDEX label_event_by_place ON label_event (image_id, position, id)",
        "CREATE INDEX label_event_by_act ON label_event (act_id)",
        """CREATE TRIGGER label_event_is_append_only BEFORE UPDATE ON label_event
            BEGIN SELECT RAISE(ABORT, 'label events are append-only'); END""",
        """CREATE TRIGGER label_event_is_never_deleted BEFORE DELETE ON label_event
            BEGIN SELECT RAISE(ABORT, 'label events are append-only'); END""",
        "ALTER TABLE prediction RENAME TO prediction_1",
        # `fold` is NULL for a prediction made by a model that may have trained on the captcha; `per_character` is a
        # JSON array of probabilities, one for each character.
        """CREATE TABLE prediction (
            run_id INTEGER NOT NULL REFERENCES model_run (id) ON DELETE CASCADE,
            image_id INTEGER NOT NULL REFERENCES image (id), fold INTEGER, text TEXT NOT NULL,
            confidence REAL NOT NULL, per_character TEXT NOT NULL DEFAULT '[]',
            PRIMARY KEY (run_id, image_id)) STRICT""",
        """INSERT INTO prediction
            SELECT run_id, image_id, max(fold), group_concat(value, ''), min(confidence),
                json_group_array(confidence)
            FROM (SELECT * FROM prediction_1 ORDER BY run_id, image_id, position) AS prediction_1
            GROUP BY run_id, image_id HAVING count(*) = (SELECT count(*) FROM glyph JOIN cut ON cut.id = glyph.cut_id
                WHERE cut.image_id = prediction_1.image_id)""",
        "DROP TABLE prediction_1",
        """CREATE VIEW current_cut AS
            SELECT cut.id AS cut_id, cut.image_id, cut.segmenter, count(glyph.position) AS cells
            FROM cut LEFT JOIN glyph ON glyph.cut_id = cut.id WHERE cut.complete GROUP BY cut.id""",
        """CREATE VIEW standing_event AS
            SELECT event.* FROM label_event AS event
            WHERE event.act_id NOT IN (SELECT undoes FROM label_act WHERE undoes IS NOT NULL)""",
        """CREATE VIEW newest_text AS
            SELECT id, image_id, value, source, run_id, confidence, act_id FROM standing_event
            WHERE id IN (SELECT max(id) FROM standing_event WHERE position IS NULL GROUP BY image_id)""",
        # A place's own events since the newest text; else its character of that text, where the text has as many
        # characters as the cut has cells.
        """CREATE VIEW current_glyph AS
            WITH own AS (
                SELECT event.image_id, event.position, max(event.id) AS id
                FROM standing_event AS event
                LEFT JOIN newest_text AS whole ON whole.image_id = event.image_id
                LEFT JOIN current_cut AS cut ON cut.image_id = event.image_id
                WHERE event.position IS NOT NULL AND event.id > coalesce(whole.id, 0)
                    AND (event.cells = cut.cells OR event.cells IS NULL OR cut.cells IS NULL)
                GROUP BY event.image_id, event.position),
            spread AS (
                SELECT whole.image_id, glyph.position, whole.id
                FROM newest_text AS whole
                JOIN current_cut AS cut ON cut.image_id = whole.image_id AND cut.cells = length(whole.value)
                JOIN glyph ON glyph.cut_id = cut.cut_id),
            newest AS (
                SELECT image_id, position, max(id) AS id
                FROM (SELECT * FROM own UNION ALL SELECT * FROM spread) GROUP BY image_id, position)
            SELECT newest.image_id, newest.position,
                iif(event.position IS NULL, substr(event.value, newest.position + 1, 1), event.value) AS value,
                event.source, event.run_id, event.confidence, event.act_id
            FROM newest JOIN label_event AS event ON event.id = newest.id""",
        # All places of a complete cut spell the text (what is no glyph keeps the character that a whole text gave it);
        # else the newest whole text. A part of the places is never a text.
        """CREATE VIEW current_text AS
            WITH place AS (
                SELECT glyph.image_id, glyph.position, cut.cells,
                    coalesce(nullif(glyph.value, ''), substr(whole.value, glyph.position + 1, 1)) AS value,
                    glyph.source, glyph.run_id, glyph.confidence, glyph.act_id
                FROM current_glyph AS glyph
                JOIN current_cut AS cut ON cut.image_id = glyph.image_id AND glyph.position < cut.cells
                LEFT JOIN newest_text AS whole
                    ON whole.image_id = glyph.image_id AND length(whole.value) = cut.cells
                ORDER BY glyph.image_id, glyph.position),
            spelled AS (
                SELECT image_id, group_concat(value, '') AS value,
                    CASE WHEN max(source = 'model') THEN 'model' WHEN max(source = 'batch') THEN 'batch'
                        WHEN max(source = 'human') THEN 'human' ELSE 'import' END AS source,
                    max(run_id) AS run_id, min(confidence) AS confidence, max(act_id) AS act_id
                FROM place WHERE value != '' GROUP BY image_id HAVING count(*) = max(cells))
            SELECT * FROM spelled
            UNION ALL
            SELECT image_id, value, source, run_id, confidence, act_id FROM newest_text
            WHERE image_id NOT IN (SELECT image_id FROM spelled)""",
    ),
)


def shape_of(connection: sqlite3.Connection) -> set[tuple[object, ...]]:
    """What a catalog consists of: tables with their columns, and the text of views and triggers."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    )
    shape: set[tuple[object, ...]] = set()
    for kind, name, sql in rows.fetchall():
        if kind == "table":
            facts = 'SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)'
            columns = connection.execute(facts, (name,))
            shape.add((kind, name, *(tuple(column) for column in columns)))
        else:
            shape.add((kind, name, None if kind == "index" else sql))
    return shape


@cache
def own_shape() -> frozenset[tuple[object, ...]]:
    """The shape that the migrations give."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement)
    shape = frozenset(shape_of(connection))
    connection.close()
    return shape
