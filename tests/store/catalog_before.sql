PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE fetch (
            id INTEGER PRIMARY KEY, at REAL NOT NULL, url TEXT NOT NULL, status INTEGER,
            outcome TEXT NOT NULL CHECK (outcome IN ('stored', 'duplicate', 'refused', 'failed')),
            bytes INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
            image_id INTEGER REFERENCES image (id), note TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "fetch" VALUES(1,1.79562208803650546077e+09,'http://127.0.0.1/captcha?0',200,'stored',100,0.0,1,'');
INSERT INTO "fetch" VALUES(2,1.79562208807653450959e+09,'http://127.0.0.1/captcha?1',200,'stored',101,0.0,2,'');
INSERT INTO "fetch" VALUES(3,1.79562208810848164563e+09,'http://127.0.0.1/captcha?2',200,'stored',102,0.0,3,'');
INSERT INTO "fetch" VALUES(4,1.79562208814824652669e+09,'http://127.0.0.1/captcha?3',200,'stored',103,0.0,4,'');
INSERT INTO "fetch" VALUES(5,1.79562208818442249299e+09,'http://127.0.0.1/captcha?4',200,'stored',104,0.0,5,'');
INSERT INTO "fetch" VALUES(6,1.79562208821657872193e+09,'http://127.0.0.1/captcha?5',200,'stored',105,0.0,6,'');
CREATE TABLE glyph (
            image_id INTEGER NOT NULL REFERENCES image (id), position INTEGER NOT NULL,
            segmenter TEXT NOT NULL, x0 INTEGER NOT NULL, y0 INTEGER NOT NULL,
            x1 INTEGER NOT NULL, y1 INTEGER NOT NULL, flags TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (image_id, position)) STRICT;
INSERT INTO "glyph" VALUES(1,0,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',0,0,20,20,'');
INSERT INTO "glyph" VALUES(1,1,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',20,0,40,20,'seam');
INSERT INTO "glyph" VALUES(1,2,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',40,0,60,20,'');
INSERT INTO "glyph" VALUES(1,3,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',60,0,80,20,'');
INSERT INTO "glyph" VALUES(2,0,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',0,0,20,20,'');
INSERT INTO "glyph" VALUES(2,1,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',20,0,40,20,'seam');
INSERT INTO "glyph" VALUES(2,2,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',40,0,60,20,'');
INSERT INTO "glyph" VALUES(2,3,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',60,0,80,20,'');
INSERT INTO "glyph" VALUES(3,0,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',0,0,20,20,'');
INSERT INTO "glyph" VALUES(3,1,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',20,0,40,20,'seam');
INSERT INTO "glyph" VALUES(3,2,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',40,0,60,20,'');
INSERT INTO "glyph" VALUES(3,3,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',60,0,80,20,'');
INSERT INTO "glyph" VALUES(6,0,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',0,0,20,20,'');
INSERT INTO "glyph" VALUES(6,1,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',20,0,40,20,'seam');
INSERT INTO "glyph" VALUES(6,2,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',40,0,60,20,'');
INSERT INTO "glyph" VALUES(6,3,'quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad',60,0,80,20,'');
CREATE TABLE image (
            id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, extension TEXT NOT NULL,
            width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL,
            split TEXT CHECK (split IN ('train', 'validation', 'test'))) STRICT;
INSERT INTO "image" VALUES(1,'0000000000000000000000000000000000000000000000000000000000000000','png',80,20,100,NULL);
INSERT INTO "image" VALUES(2,'0000000000000000000000000000000000000000000000000000000000000001','png',80,20,101,NULL);
INSERT INTO "image" VALUES(3,'0000000000000000000000000000000000000000000000000000000000000002','png',80,20,102,NULL);
INSERT INTO "image" VALUES(4,'0000000000000000000000000000000000000000000000000000000000000003','png',80,20,103,NULL);
INSERT INTO "image" VALUES(5,'0000000000000000000000000000000000000000000000000000000000000004','png',80,20,104,NULL);
INSERT INTO "image" VALUES(6,'0000000000000000000000000000000000000000000000000000000000000005','png',80,20,105,'test');
CREATE TABLE label_act (
            id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, session TEXT NOT NULL,
            keystrokes INTEGER NOT NULL, token TEXT UNIQUE, undoes INTEGER UNIQUE REFERENCES label_act (id))
            STRICT;
INSERT INTO "label_act" VALUES(1,1764000000.0,'import','',0,NULL,NULL);
INSERT INTO "label_act" VALUES(2,1.79562208840210032461e+09,'captcha','s',5,'t1',NULL);
INSERT INTO "label_act" VALUES(3,1.79562208840443730348e+09,'seed','',1,NULL,NULL);
INSERT INTO "label_act" VALUES(4,1.79562208840686392784e+09,'captcha','',3,NULL,NULL);
INSERT INTO "label_act" VALUES(5,1.79562208840933704373e+09,'captcha','',5,NULL,NULL);
INSERT INTO "label_act" VALUES(6,1.79562208841142964361e+09,'seed','',1,NULL,NULL);
INSERT INTO "label_act" VALUES(7,1.79562208841359329221e+09,'undo','',1,NULL,6);
INSERT INTO "label_act" VALUES(8,1.79562208841557145117e+09,'auto','',0,NULL,NULL);
CREATE TABLE label_event (
            id INTEGER PRIMARY KEY, act_id INTEGER NOT NULL REFERENCES label_act (id),
            image_id INTEGER NOT NULL REFERENCES image (id), position INTEGER NOT NULL, value TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('human', 'model', 'batch', 'import')),
            run_id INTEGER REFERENCES model_run (id), confidence REAL) STRICT;
INSERT INTO "label_event" VALUES(1,1,1,0,'A','import',NULL,NULL);
INSERT INTO "label_event" VALUES(2,1,1,1,'B','import',NULL,NULL);
INSERT INTO "label_event" VALUES(3,1,1,2,'2','import',NULL,NULL);
INSERT INTO "label_event" VALUES(4,1,1,3,'D','import',NULL,NULL);
INSERT INTO "label_event" VALUES(5,2,2,0,'E','human',NULL,NULL);
INSERT INTO "label_event" VALUES(6,2,2,1,'F','human',NULL,NULL);
INSERT INTO "label_event" VALUES(7,2,2,2,'G','human',NULL,NULL);
INSERT INTO "label_event" VALUES(8,2,2,3,'H','human',NULL,NULL);
INSERT INTO "label_event" VALUES(9,3,2,3,'J','human',NULL,NULL);
INSERT INTO "label_event" VALUES(10,3,3,0,'K','batch',NULL,NULL);
INSERT INTO "label_event" VALUES(11,3,3,1,'','human',NULL,NULL);
INSERT INTO "label_event" VALUES(12,4,4,0,'M','human',NULL,NULL);
INSERT INTO "label_event" VALUES(13,4,4,1,'N','human',NULL,NULL);
INSERT INTO "label_event" VALUES(14,5,5,0,'P','human',NULL,NULL);
INSERT INTO "label_event" VALUES(15,5,5,1,'Q','human',NULL,NULL);
INSERT INTO "label_event" VALUES(16,5,5,2,'R','human',NULL,NULL);
INSERT INTO "label_event" VALUES(17,5,5,3,'S','human',NULL,NULL);
INSERT INTO "label_event" VALUES(18,6,1,0,'Z','human',NULL,NULL);
INSERT INTO "label_event" VALUES(19,8,6,0,'T','model',1,0.9);
INSERT INTO "label_event" VALUES(20,8,6,1,'U','model',1,0.9);
INSERT INTO "label_event" VALUES(21,8,6,2,'V','model',1,0.9);
INSERT INTO "label_event" VALUES(22,8,6,3,'W','model',1,0.9);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO "meta" VALUES('segmenter','{"glyphs": 4, "threshold": "otsu", "binary": false, "size": 20, "fit": "pad"}');
INSERT INTO "meta" VALUES('alphabet','23456789ABCDEFGHJKLMNPQRSTUVWXYZ');
CREATE TABLE model_run (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at REAL NOT NULL) STRICT;
INSERT INTO "model_run" VALUES(1,'recogniser-1','recogniser',1.79562208839851093289e+09);
CREATE TABLE prediction (
            run_id INTEGER NOT NULL REFERENCES model_run (id) ON DELETE CASCADE,
            image_id INTEGER NOT NULL REFERENCES image (id), position INTEGER NOT NULL, fold INTEGER,
            value TEXT NOT NULL, confidence REAL NOT NULL, margin REAL NOT NULL,
            PRIMARY KEY (run_id, image_id, position)) STRICT;
INSERT INTO "prediction" VALUES(1,6,0,NULL,'T',0.9,0.8);
INSERT INTO "prediction" VALUES(1,6,1,NULL,'U',0.9,0.8);
INSERT INTO "prediction" VALUES(1,6,2,NULL,'V',0.9,0.8);
INSERT INTO "prediction" VALUES(1,6,3,NULL,'W',0.9,0.8);
INSERT INTO "prediction" VALUES(1,3,0,NULL,'K',0.5,0.1);
CREATE TABLE provenance (
            id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
INSERT INTO "provenance" VALUES(1,1.79562208839714336399e+09,'import','{"path": "folder", "stored": 6}');
CREATE INDEX fetch_by_image ON fetch (image_id);
CREATE INDEX label_event_by_place ON label_event (image_id, position, id);
CREATE INDEX label_event_by_act ON label_event (act_id);
CREATE TRIGGER label_event_is_append_only BEFORE UPDATE ON label_event
            BEGIN SELECT RAISE(ABORT, 'label events are append-only'); END;
CREATE TRIGGER label_event_is_never_deleted BEFORE DELETE ON label_event
            BEGIN SELECT RAISE(ABORT, 'label events are append-only'); END;
CREATE VIEW current_label AS
            SELECT event.image_id, event.position, event.value, event.source, event.run_id,
                   event.confidence, event.act_id
            FROM label_event AS event
            WHERE event.id = (
                SELECT max(latest.id) FROM label_event AS latest
                WHERE latest.image_id = event.image_id AND latest.position = event.position
                  AND latest.act_id NOT IN (SELECT undoes FROM label_act WHERE undoes IS NOT NULL));
COMMIT;
