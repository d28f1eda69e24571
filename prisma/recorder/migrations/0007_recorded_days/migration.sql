-- What is recorded of each finished day, made from Segment when first asked for.
CREATE TABLE "RecordedDay" (
    "cameraId" TEXT NOT NULL,
    "stream" TEXT NOT NULL,
    "day" INTEGER NOT NULL,
    "ranges" TEXT NOT NULL,

    PRIMARY KEY ("cameraId", "stream", "day")
);

-- A day is dropped within the statement that changes what it was made of. Days are Vietnamese: UTC+7.
CREATE TRIGGER "Segment_added" AFTER INSERT ON "Segment" WHEN NOT NEW."open" BEGIN
    DELETE FROM "RecordedDay" WHERE "cameraId" = NEW."cameraId" AND "stream" = NEW."stream" AND "day" = (NEW."startMs" + 25200000) / 86400000;
END;

CREATE TRIGGER "Segment_changed" AFTER UPDATE ON "Segment" WHEN NOT (OLD."open" AND NEW."open") BEGIN
    DELETE FROM "RecordedDay" WHERE "cameraId" = OLD."cameraId" AND "stream" = OLD."stream" AND "day" = (OLD."startMs" + 25200000) / 86400000;
    DELETE FROM "RecordedDay" WHERE "cameraId" = NEW."cameraId" AND "stream" = NEW."stream" AND "day" = (NEW."startMs" + 25200000) / 86400000;
END;

CREATE TRIGGER "Segment_dropped" AFTER DELETE ON "Segment" WHEN NOT OLD."open" BEGIN
    DELETE FROM "RecordedDay" WHERE "cameraId" = OLD."cameraId" AND "stream" = OLD."stream" AND "day" = (OLD."startMs" + 25200000) / 86400000;
END;
