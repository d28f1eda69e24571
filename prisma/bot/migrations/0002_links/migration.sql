-- CreateTable
CREATE TABLE "Viewer" (
    "hash" TEXT NOT NULL PRIMARY KEY,
    "tokenHash" TEXT NOT NULL,
    "openedMs" BIGINT NOT NULL,
    CONSTRAINT "Viewer_tokenHash_fkey" FOREIGN KEY ("tokenHash") REFERENCES "Token" ("hash") ON DELETE CASCADE ON UPDATE CASCADE
);

-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_Token" (
    "hash" TEXT NOT NULL PRIMARY KEY,
    "kind" TEXT NOT NULL,
    "personId" INTEGER,
    "payload" TEXT NOT NULL,
    "createdMs" BIGINT NOT NULL,
    "expiresMs" BIGINT NOT NULL,
    "usedMs" BIGINT,
    "revokedMs" BIGINT,
    "number" INTEGER,
    "pinHash" TEXT,
    "pinTries" INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "new_Token" ("createdMs", "expiresMs", "hash", "kind", "payload", "personId", "revokedMs", "usedMs") SELECT "createdMs", "expiresMs", "hash", "kind", "payload", "personId", "revokedMs", "usedMs" FROM "Token";
DROP TABLE "Token";
ALTER TABLE "new_Token" RENAME TO "Token";
CREATE UNIQUE INDEX "Token_number_key" ON "Token"("number");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;

-- CreateIndex
CREATE INDEX "Viewer_tokenHash_idx" ON "Viewer"("tokenHash");

-- A link opened one file; now it opens several, and has a number. Links that were sent go on working.
UPDATE "Token" SET
    "payload" = json_object('files', json_array(json("payload")), 'about', json_object('only', json_object(), 'oneDevice', json('false'))),
    "number" = (SELECT COUNT(*) FROM "Token" AS "before" WHERE "before"."kind" = 'file' AND ("before"."createdMs", "before"."hash") <= ("Token"."createdMs", "Token"."hash"))
WHERE "kind" = 'file';
